--- Arguments and results as bytes and back; neither direction raises.

local values = {}

--- The bytes of a value; nil stays nil, and nil and why if it has none.
---@param codec corolua.Codec
---@param value any
---@return string? bytes, string? why beginning with what is wrong: " is a function, …"
function values.encode(codec, value)
  if value == nil then return nil end
  local ok, bytes = pcall(codec.encode, value)
  if ok then return bytes end
  return nil, (tostring(bytes):gsub("^payload", ""))
end

--- The value of some bytes; nil and why if they have none.
---@param codec corolua.Codec
---@param bytes string? nil is nil
---@return any value, string? why
function values.decode(codec, bytes)
  if bytes == nil then return nil end
  local value, why = codec.decode(bytes)
  if value == nil then return nil, why or "no value" end
  return value
end

return values
