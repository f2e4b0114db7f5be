--- A checksum behind a message that takes in who sends it. What another member
--- sends of it, whole or changed, is then not taken for a message of its own.
--- It keeps out accidents and copies; it is no signature.

local file = require("corolua.file")

local seal = {}

local pack, crc32 = string.pack, file.crc32

-- What zlib's crc32 gives for anything that ends with its own checksum.
local WHOLE = 0x2144df1c

local begun = setmetatable({}, { __mode = "k" })

local function begin(member)
  local sum = begun[member]
  if not sum then
    sum = crc32(pack("<I4I4", member.nodeid, member.pid))
    begun[member] = sum
  end
  return sum
end

--- Bytes that a seal adds.
seal.SIZE = 4

--- A message with its seal.
---@param bytes string
---@param member corosync.Member who sends it
---@return string
function seal.close(bytes, member) return bytes .. pack("<I4", crc32(bytes, begin(member))) end

--- Whether a message has the seal of a member.
---@param bytes string
---@param member corosync.Member who sent it
---@return boolean
function seal.is_of(bytes, member)
  return #bytes >= seal.SIZE and crc32(bytes, begin(member)) == WHOLE
end

return seal
