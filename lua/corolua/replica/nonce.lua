--- Numbers that no two members draw alike, whatever seeds their scripts set.

local nonce = {}

---@return integer
function nonce.new()
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return (string.unpack("<i8", file:read(8)))
end

return nonce
