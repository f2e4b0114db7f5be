--- What a person reads of any value, errors above all: a string as it is, what
--- has `__tostring` by it, and a short dump of other tables.

local FIELDS_MAX = 8

local function quoted(value)
  if type(value) == "string" then return (("%q"):format(value):gsub("\\\n", "\\n")) end
  return tostring(value)
end

local function is_less(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
  return type(a) < type(b)
end

local function dump(value)
  local keys, fields = {}, {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, is_less)
  for i = 1, math.min(#keys, FIELDS_MAX) do
    local key = keys[i]
    local name = type(key) == "string" and key or "[" .. tostring(key) .. "]"
    fields[i] = name .. " = " .. quoted(rawget(value, key))
  end
  if #keys > FIELDS_MAX then fields[#fields + 1] = "…" end
  return #keys == 0 and "{}" or "{ " .. table.concat(fields, ", ") .. " }"
end

---@param value any
---@return string
local function describe(value)
  if type(value) == "string" then return value end
  local mt = getmetatable(value)
  if type(mt) == "table" and mt.__tostring then
    local ok, text = pcall(tostring, value)
    if ok then return text end
  end
  if type(value) == "table" then return "error object " .. dump(value) end
  return "error object " .. tostring(value)
end

return describe
