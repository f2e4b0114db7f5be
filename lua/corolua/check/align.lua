--- Which items of a list stand in another one, where both have much in their
--- order: all of them, if they can; else what both begin and end with, and between
--- them the longest common subsequence (Myers 1986).

local align = {}

-- Beyond so many differences, equal items are paired in their order.
local MOST = 1000

-- Walks back from where both lists end, through what each step had reached.
local function walk_back(steps, rows, columns, take)
  local x, y = rows, columns
  for step = #steps, 1, -1 do
    local reach, k = steps[step], x - y
    local d = step - 1
    local from_above = k == -d or k ~= d and reach[k - 1] < reach[k + 1]
    local before = from_above and k + 1 or k - 1
    local old_x = d == 0 and 0 or reach[before]
    local old_y = d == 0 and 0 or old_x - before
    while x > old_x and y > old_y do
      take(x, y)
      x, y = x - 1, y - 1
    end
    x, y = old_x, old_y
  end
end

-- One more difference: how far each diagonal reaches.
local function advance(reach, d, a, b, from_a, from_b, rows, columns)
  local now = {}
  for k = -d, d, 2 do
    local x
    if d == 0 then
      x = 0
    elseif k == -d or k ~= d and reach[k - 1] < reach[k + 1] then
      x = reach[k + 1]
    else
      x = reach[k - 1] + 1
    end
    local y = x - k
    while x < rows and y < columns and a[from_a + x] == b[from_b + y] do x, y = x + 1, y + 1 end
    now[k] = x
    if x >= rows and y >= columns then return now, true end
  end
  return now, false
end

local function pair_equal(a, b, from_a, from_b, to_a, to_b, take)
  local places, next_of = {}, {}
  for j = from_b, to_b do
    local list = places[b[j]] or {}
    places[b[j]] = list
    list[#list + 1] = j
  end
  for i = from_a, to_a do
    local nth = (next_of[a[i]] or 0) + 1
    local j = (places[a[i]] or {})[nth]
    if j then
      next_of[a[i]] = nth
      take(i, j)
    end
  end
end

local function pair_middle(a, b, from_a, from_b, to_a, to_b, take)
  local rows, columns = to_a - from_a + 1, to_b - from_b + 1
  if rows <= 0 or columns <= 0 then return end
  local steps, reach, d, is_done = {}, {}, 0, false
  while not is_done do
    if d > MOST then return pair_equal(a, b, from_a, from_b, to_a, to_b, take) end
    steps[d + 1] = reach
    reach, is_done = advance(reach, d, a, b, from_a, from_b, rows, columns)
    d = d + 1
  end
  walk_back(steps, rows, columns, function(x, y) take(from_a + x - 1, from_b + y - 1) end)
end

-- All of `a` as late in `b` as it can stand; nil if not all of it is there.
local function embed_late(a, b, from_b)
  local found, j = {}, #b
  for i = #a, 1, -1 do
    while j >= from_b and b[j] ~= a[i] do j = j - 1 end
    if j < from_b then return nil end
    found[i], j = j, j - 1
  end
  return found
end

local function embed_early(a, b, from_b)
  local found, j = {}, from_b
  for i = 1, #a do
    while j <= #b and b[j] ~= a[i] do j = j + 1 end
    if j > #b then return nil end
    found[i], j = j, j + 1
  end
  return found
end

-- Moves what stands alike further back, as far as the next one lets it.
local function slide(a, b, found)
  local limit = #b + 1
  for i = #a, 1, -1 do
    local at = found[i]
    if at then
      local later = limit - 1
      while later > at and b[later] ~= a[i] do later = later - 1 end
      found[i], limit = later, later
    end
  end
end

local function common(a, b, from_b, is_late)
  local found, first, second, last_a, last_b = {}, 1, from_b, #a, #b
  local function pair_ends()
    while last_a >= first and last_b >= second and a[last_a] == b[last_b] do
      found[last_a] = last_b
      last_a, last_b = last_a - 1, last_b - 1
    end
  end
  if is_late then pair_ends() end
  while first <= last_a and second <= last_b and a[first] == b[second] do
    found[first] = second
    first, second = first + 1, second + 1
  end
  pair_ends()
  pair_middle(a, b, first, second, last_a, last_b, function(i, j) found[i] = j end)
  return found
end

--- By place in `a`, the place in `b` of what is the same. Where it can stand in
--- several places, what `b` has more comes first if that is wanted, else last.
---@param a any[]
---@param b any[]
---@param from_b integer where in `b` to begin
---@param is_late boolean
---@return table<integer, integer>
function align.pairs(a, b, from_b, is_late)
  local found = (is_late and embed_late or embed_early)(a, b, from_b)
  if found then return found end
  found = common(a, b, from_b, is_late)
  if is_late then slide(a, b, found) end
  return found
end

return align
