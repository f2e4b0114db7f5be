--- What becomes of the values that a group sends: `codec.of` makes an object
--- with `encode`, which raises for what cannot be sent, and `decode`, which
--- never raises, since its bytes come from somebody else.

---@class corolua.Codec
---@field encode fun(value: any, level?: integer): string raises at level, as `error` counts it
---@field decode fun(bytes: string): any, string? value, or nil and why; false is a value

---@class corolua.CustomCodec
---@field encode fun(value: any): string
---@field decode fun(bytes: string): any

local args = require("corolua.base.args")
local names = require("corolua.base.names")

local codec = {}

local function encode_string(value, level)
  if type(value) ~= "string" then
    error(("payload must be a string, got %s (codec = \"json\" sends tables)"):format(type(value)),
      (level or 1) + 1)
  end
  return value
end

local function decode_string(bytes)
  return bytes
end

local function custom_encode(encode)
  return function(value, level)
    local done, bytes = pcall(encode, value)
    if not done then
      error("the codec cannot encode the payload: " .. tostring(bytes), (level or 1) + 1)
    end
    if type(bytes) ~= "string" then
      error(("encode of the codec must return a string, got %s"):format(type(bytes)),
        (level or 1) + 1)
    end
    return bytes
  end
end

local function custom_decode(decode)
  return function(bytes)
    local done, value, why = pcall(decode, bytes)
    if not done then return nil, tostring(value) end
    if value == nil then
      return nil, why ~= nil and tostring(why) or "decode of the codec returned nil"
    end
    return value
  end
end

local CUSTOM = {
  noun = "field",
  { "encode", args.callable, needed = true }, { "decode", args.callable, needed = true },
}

local known = {
  string = function()
    return { encode = encode_string, decode = decode_string }
  end,
  json = function(level)
    local found, json = pcall(require, "corolua.base.json")
    if not found then error(json, level + 1) end
    return { encode = json.encode, decode = json.decode }
  end,
}

--- What a codec may be given as.
---@type corolua.Kind
function codec.kind(value)
  if type(value) == "table" or known[value] then return true end
  return false, '"string", "json" or { encode =, decode = }', names.hint(value, known)
end

--- The codec of a name, or of two functions.
---@param spec "string"|"json"|corolua.CustomCodec
---@param what string whose option `codec` it is: "group"
---@param level integer whose line is to blame, as in `error`
---@return corolua.Codec # for "json", `require("corolua.base.json").null` stands for null
function codec.of(spec, what, level)
  if type(spec) == "table" then
    local custom = args.check(spec, CUSTOM, what .. ": codec", level + 1)
    return { encode = custom_encode(custom.encode), decode = custom_decode(custom.decode) }
  end
  args.value(spec, codec.kind, what, "option 'codec'", level + 1)
  local made = known[spec](level + 1)
  return made -- no tail call: it would hide the caller's line
end

return codec
