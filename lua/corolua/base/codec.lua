--- What becomes of the values that a group sends: `codec.of` makes an object
--- with `encode`, which raises for what cannot be sent, and `decode`, which
--- never raises, since its bytes come from somebody else.

---@class corolua.Codec
---@field encode fun(value: any, level?: integer): string raises at level, as `error` counts it
---@field decode fun(bytes: string): any, string? value, or nil and why; false is a value

---@class corolua.CustomCodec
---@field encode fun(value: any): string
---@field decode fun(bytes: string): any

local shown = require("corolua.base.shown")

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

local function check_custom(spec, level)
  for key in pairs(spec) do
    if key ~= "encode" and key ~= "decode" then
      error(("unknown field '%s' of codec, which has 'encode' and 'decode'"):format(tostring(key)),
        level + 1)
    end
  end
  for _, key in ipairs({ "encode", "decode" }) do
    if type(spec[key]) ~= "function" then
      error(("codec.%s must be a function, got %s"):format(key, type(spec[key])), level + 1)
    end
  end
end

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

--- The codec of a group's options.
---@param spec? "string"|"json"|corolua.CustomCodec default "string"
---@param level? integer where misuse raises, as `error` counts it; the caller if not given
---@return corolua.Codec # for "json", `require("corolua.base.json").null` stands for null
function codec.of(spec, level)
  level = (level or 1) + 1
  if spec == nil then spec = "string" end
  if type(spec) == "table" then
    check_custom(spec, level)
    return { encode = custom_encode(spec.encode), decode = custom_decode(spec.decode) }
  end
  if known[spec] == nil then
    error(("codec must be \"string\", \"json\" or a table with encode and decode, got %s")
      :format(shown(spec)), level)
  end
  local made = known[spec](level)
  return made -- no tail call: it would hide the caller's line
end

return codec
