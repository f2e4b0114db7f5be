-- Ratios of pairs, and the table they make.

local figures = {}

local function sorted(values)
  local copy = table.move(values, 1, #values, 1, {})
  table.sort(copy)
  return copy
end

-- The value below which the share of the values lies, between two neighbours.
local function quantile(values, share)
  local list = sorted(values)
  local place = 1 + (#list - 1) * share
  local below = math.floor(place)
  local above = math.min(below + 1, #list)
  return list[below] + (list[above] - list[below]) * (place - below)
end

function figures.median(values) return quantile(values, 0.5) end

-- Half the distance of the quartiles: half of the values lie within it.
function figures.spread(values) return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 end

--- How the ratios of a twin stand to a goal, given those of C to itself.
---@return string verdict
function figures.verdict(figure, ratios, own)
  local median, spread = figures.median(ratios), figures.spread(own)
  local goal = figure.at_least or figure.at_most
  if not goal then return "" end
  local miss = figure.at_least and goal - median or not figure.at_least and median - goal
  if miss <= 0 then return "met" end
  return miss <= spread and "met within the spread" or "missed"
end

local function goal_of(figure)
  if figure.at_least then return ("≥ %.2f"):format(figure.at_least) end
  return figure.at_most and ("≤ %.2f"):format(figure.at_most) or ""
end

local HEAD = [[
| what | C | Lua | Lua / C | C / C | goal | |
| --- | --- | --- | --- | --- | --- | --- |]]

local function number(value) return (value >= 1000 and "%.0f" or "%.2f"):format(value) end

local function with_spread(ratios)
  return ("%.2f ± %.2f"):format(figures.median(ratios), figures.spread(ratios))
end

local function line(result)
  return ("| %s | %s | %s | %s | %s | %s | %s |"):format(
    result.figure.name,
    number(figures.median(result.reference)),
    number(figures.median(result.twin)),
    with_spread(result.ratios),
    with_spread(result.own),
    goal_of(result.figure),
    figures.verdict(result.figure, result.ratios, result.own)
  )
end

--- The results as a table in markdown.
function figures.table(results)
  local lines = { HEAD }
  for _, result in ipairs(results) do lines[#lines + 1] = line(result) end
  return table.concat(lines, "\n")
end

return figures
