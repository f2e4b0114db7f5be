--- Names that people write: which known one is meant by an unknown one.

local names = {}

-- How many edits make one word of the other.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local above = row[j]
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above + 1, row[j - 1] + 1, diagonal + cost)
      diagonal = above
    end
  end
  return row[#b]
end

--- The key of the table that is the fewest edits away, or nil if none is near.
---@param word string
---@param known table its keys are the known names
---@return string?
function names.nearest(word, known)
  if type(word) ~= "string" then return nil end
  local best, least = nil, math.min(#word // 2 + 1, #word - 1)
  for name in pairs(known) do
    if type(name) == "string" and math.abs(#name - #word) <= least then
      local edits = distance(word, name)
      if edits < least or (edits == least and (best == nil or name < best)) then
        best, least = name, edits
      end
    end
  end
  return best
end

--- Raises if the options have a key that is not known, at the given level.
---@param options table?
---@param known table its keys are the known options
---@param what string what one of them is called: "option"
---@param level integer? as in `error`, counted from the caller; default 1
function names.check_keys(options, known, what, level)
  level = (level or 1) + 1
  if options == nil then return end
  if type(options) ~= "table" then
    error(("a table of %ss was expected, got %s"):format(what, type(options)), level)
  end
  for key in pairs(options) do
    if known[key] == nil then
      local near = names.nearest(key, known)
      error(("unknown %s '%s'%s"):format(what, tostring(key),
        near and (", did you mean '" .. near .. "'?") or ""), level)
    end
  end
end

return names
