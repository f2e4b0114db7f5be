--- Values as JSON whose keys keep their order. Text of the script stays readable:
--- what is UTF-8 stands as it is, and what moves a cursor does not.

local json_line = {}

--- Stands for null.
json_line.NULL = setmetatable({}, { __name = "corolua.trace.null" })

local DEPTH = 50

-- Tables in one value: those that refer to one another have no end.
local TABLES_MAX = 10000

local function escaped(bytes)
  return (bytes:gsub(".", function(byte) return ("\\u%04x"):format(byte:byte()) end))
end

-- The second half of the Latin-1 controls, which terminals obey too.
local function escaped_control(bytes) return ("\\u%04x"):format(utf8.codepoint(bytes)) end

---@param value string
---@return string
function json_line.text(value)
  if utf8.len(value) then
    value = value:gsub('[%c"\\\127]', escaped):gsub("\xC2[\x80-\x9F]", escaped_control)
  else
    value = value:gsub('[%c"\\\127-\255]', escaped)
  end
  return '"' .. value .. '"'
end

local encode

local function list(value, depth, budget)
  local parts = {}
  for i = 1, #value do parts[i] = encode(value[i], depth, budget) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object(value, depth, budget)
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do
    parts[i] = json_line.text(tostring(key)) .. ":" .. encode(value[key], depth, budget)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function of_table(value, depth, budget)
  if value == json_line.NULL then return "null" end
  if depth == DEPTH or budget.tables == 0 then return '"…"' end
  budget.tables = budget.tables - 1
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return (count == #value and list or object)(value, depth + 1, budget)
end

local function number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    return '"' .. tostring(value) .. '"'
  end
  local short = ("%.14g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

-- What JSON does not have is shown as it prints.
function encode(value, depth, budget)
  local kind = type(value)
  if kind == "string" then return json_line.text(value) end
  if kind == "number" then return number(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "nil" then return "null" end
  if kind == "table" and not (getmetatable(value) or {}).__tostring then
    return of_table(value, depth, budget)
  end
  return json_line.text(tostring(value))
end

--- The JSON of any value; it never raises, but by a `__tostring`.
---@param value any
---@return string
function json_line.value(value) return encode(value, 0, { tables = TABLES_MAX }) end

--- `,"key":value` for each pair, in order; a value of nil leaves it out.
---@param ... any key and value, key and value
---@return string
function json_line.pairs(...)
  local parts = {}
  for i = 1, select("#", ...), 2 do
    local key, value = select(i, ...)
    if value ~= nil then
      parts[#parts + 1] = ',"' .. key .. '":' .. json_line.value(value)
    end
  end
  return table.concat(parts)
end

return json_line
