--- Lua values as JSON, by lua-cjson, or by dkjson where that is missing. Nodes
--- of one group may differ in that, so what the two would make different of a
--- value, or would change in silence, is refused before either sees it.

local needs = require("corolua.base.needs")

local json = {}

local DEPTH = 100
-- lua-cjson writes numbers with 14 digits.
local LARGEST = 10 ^ 14 - 1

local function use_cjson(cjson)
  local own = cjson.new()
  own.decode_invalid_numbers(false)
  own.encode_keep_buffer(false)
  return own.encode, own.decode, own.null
end

local function use_dkjson(dkjson)
  local function decode(bytes)
    local value, after, why = dkjson.decode(bytes, 1, dkjson.null, nil, nil)
    if why then error(why, 0) end
    local rest = bytes:find("[^ \t\r\n]", after)
    if rest then error(("something follows the value at character %d"):format(rest), 0) end
    return value
  end
  return dkjson.encode, decode, dkjson.null
end

local library, name = needs('codec "json"', { "cjson", "lua-cjson" }, { "dkjson", "lua-dkjson" })
local use = name == "cjson" and use_cjson or use_dkjson
local to_json, from_json, null = use(library)

--- Which of the two it is, and its version.
json.library, json.version = name, library._VERSION or library.version

--- What stands for null, in both directions.
json.null = null

local function check_number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    return " is " .. tostring(value) .. ", which JSON does not have"
  end
  if math.type(value) == "integer" and (value > LARGEST or value < -LARGEST) then
    return " has more digits than JSON keeps (14): send it as a string"
  end
end

local check

-- Why a table is no list, given that it has a key other than a string.
local function check_list(list, depth)
  local count, last = 0, 0
  for key, value in next, list do
    if math.type(key) ~= "integer" or key < 1 then
      return " has keys that are not strings and is no list"
    end
    count, last = count + 1, math.max(last, key)
    local why = check(value, depth)
    if why then return ("[%d]%s"):format(key, why) end
  end
  if last ~= count then return " is a list with holes" end
end

local function check_table(value, depth)
  if depth > DEPTH then return " is nested too deep, or holds itself" end
  for key, field in next, value do
    if type(key) ~= "string" then return check_list(value, depth) end
    local why = check(field, depth)
    if why then return "." .. key .. why end
  end
end

-- Why a value cannot be sent, beginning with where it is; nil if it can.
function check(value, depth)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or value == null then return nil end
  if kind == "number" then return check_number(value) end
  if kind == "table" then return check_table(value, depth + 1) end
  if value == nil then return " is nil: null stands for it in JSON" end
  return " is a " .. kind .. ", which JSON does not have"
end

-- lua-cjson reads every number as a float, dkjson those without a point as
-- integers. Either makes inf of one that is too large, which `encode` would refuse.
local function restore(value, depth)
  if depth > DEPTH then error("nested too deep", 0) end
  if type(value) == "number" then
    if value - value ~= 0 then error("a number is too large", 0) end
    local is_exact = value >= -LARGEST and value <= LARGEST
    return is_exact and math.tointeger(value) or value + 0.0
  end
  if type(value) == "table" and value ~= null then
    for key, field in next, value do
      if type(field) ~= "string" then value[key] = restore(field, depth + 1) end
    end
  end
  return value
end

--- The JSON of a value.
---@param value any
---@param level? integer where a value that JSON cannot hold raises, as `error` counts it
---@return string
function json.encode(value, level)
  local why = check(value, 0)
  if why then
    if #why > 160 then why = " …" .. why:sub(-80) end
    error("payload" .. why, (level or 1) + 1)
  end
  local done, text = pcall(to_json, value)
  if not done then error("payload cannot be sent as JSON: " .. text, (level or 1) + 1) end
  return text
end

--- The value of some JSON, whole numbers as integers; it never raises.
---@param bytes string
---@return any value nil if it is no JSON
---@return string? why
function json.decode(bytes)
  local done, value = pcall(function()
    return restore(from_json(bytes), 0)
  end)
  if not done then return nil, tostring(value) end
  return value
end

return json
