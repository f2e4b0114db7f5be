--- A value that JSON can hold as bytes, the same ones for the same value: JSON
--- itself leaves the order of keys open, and how a number is written.

local canonical = {}

local add

local function by_type_and_value(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  return a < b
end

local function add_table(parts, value)
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, by_type_and_value)
  parts[#parts + 1] = "{"
  for _, key in ipairs(keys) do
    add(parts, key)
    add(parts, value[key])
  end
  parts[#parts + 1] = "}"
end

local function number(value)
  local whole = math.tointeger(value)
  return whole and ("%d;"):format(whole) or ("%.14g;"):format(value)
end

function add(parts, value)
  local kind = type(value)
  if kind == "table" then return add_table(parts, value) end
  if kind == "string" then parts[#parts + 1] = ("%d:%s"):format(#value, value)
  elseif kind == "number" then parts[#parts + 1] = number(value)
  else parts[#parts + 1] = kind == "boolean" and tostring(value) or "null" end
end

--- The bytes of a value.
---@param value any
---@return string
function canonical.bytes(value)
  local parts = {}
  add(parts, value)
  return table.concat(parts)
end

return canonical
