--- Random bytes of the system. What is above it asks the scheduler for them, so
--- that there is one place to draw from.

local random = {}

--- Bytes that nobody can foresee, whatever seeds the script sets.
---@param count integer 1 or more
---@return string
function random.bytes(count)
  local file <close>, why = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(count)
  if bytes and #bytes == count then return bytes end
  error("the system gives no random bytes: " .. (why or "/dev/urandom is at its end"), 2)
end

--- An integer that no two draw alike: of all 64 bits.
---@return integer
function random.nonce() return (string.unpack("<i8", random.bytes(8))) end

return random
