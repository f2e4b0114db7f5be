--- Small things that are done with arrays in more than one place.

local lists = {}

--- Whether a value stands in a list.
---@param list any[]
---@param value any
---@return boolean
function lists.contains(list, value)
  for i = 1, #list do
    if list[i] == value then return true end
  end
  return false
end

--- Takes a value out of a list, if it stands there.
---@param list any[]
---@param value any
function lists.remove(list, value)
  for i = 1, #list do
    if list[i] == value then
      table.remove(list, i)
      return
    end
  end
end

--- Puts all of a list behind another one.
---@param list any[]
---@param more any[]
function lists.append(list, more)
  for i = 1, #more do list[#list + 1] = more[i] end
end

--- The values of a list as the keys of a table, each true.
---@param list any[]
---@return table<any, true>
function lists.set(list)
  local set = {}
  for i = 1, #list do set[list[i]] = true end
  return set
end

--- Has a function called for each value of a list, until it fails for one.
---@param list any[]
---@param fn fun(value: any): any, string?, string?
---@return true? done, string? message, string? code
function lists.try_each(list, fn)
  for i = 1, #list do
    local ok, why, code = fn(list[i])
    if not ok then return nil, why, code end
  end
  return true
end

local function is_before(a, b)
  if type(a) == "number" and type(b) == "number" then return a < b end
  return tostring(a) < tostring(b)
end

--- The keys of a table, sorted: what is seen of it must not hang on the order in
--- which `pairs` comes by them.
---@param map table
---@return any[]
function lists.keys(map)
  local keys = {}
  for key in next, map do keys[#keys + 1] = key end
  table.sort(keys, is_before)
  return keys
end

return lists
