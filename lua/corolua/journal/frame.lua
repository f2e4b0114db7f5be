--- The bytes of a journal's file, as docs/journal.md has them: a head, then
--- frames. The checksum of a frame covers where it stands and which file it
--- belongs to, so that nothing that a record holds passes for a frame.

local file = require("corolua.file")

local frame = {}

local crc32 = file.crc32

local MAGIC = "corolog"
local VERSION = 1
local HEAD = "<c7BI8I4"
local FRAME = "<c4BxxxI4I4I8I4"
local MARK = "\xC5frm"

--- The length of the head of a file, and of that of a frame.
frame.FILE_HEAD = string.packsize(HEAD)
frame.HEAD = string.packsize(FRAME) + 4

--- What a frame is, by number in the file.
frame.KINDS = { "base", "piece", "records", "cut", "seal" }

local numbers = {}
for number, kind in ipairs(frame.KINDS) do numbers[kind] = number end

--- The head of a file with this id.
---@param id integer
---@return string
function frame.pack_head(id)
  local bytes = string.pack("<c7BI8", MAGIC, VERSION, id)
  return bytes .. string.pack("<I4", crc32(bytes))
end

--- The id of a file, or nil and why it is none of ours.
---@param bytes string
---@return integer? id
---@return string? why
function frame.unpack_head(bytes)
  if #bytes < frame.FILE_HEAD then return nil, "the file has no head" end
  local magic, version, id, sum = string.unpack(HEAD, bytes)
  if magic ~= MAGIC then return nil, "this is no journal" end
  if crc32(bytes:sub(1, frame.FILE_HEAD - 4)) ~= sum then
    return nil, "the checksum of the head is wrong"
  elseif version ~= VERSION then
    return nil, ("version %d of the format is not known"):format(version)
  end
  return id
end

local function head_sum(id, offset, head)
  return crc32(head, crc32(string.pack("<I8I8", id, offset)))
end

---@class corolua.journal.Frame
---@field kind string
---@field index integer
---@field count integer
---@field length integer of the payload
---@field sum integer of the payload

--- The bytes of a frame that is to stand at an offset of the file with this id.
---@param id integer
---@param offset integer
---@param kind string
---@param index integer
---@param count integer
---@param payload string
---@return string
function frame.pack(id, offset, kind, index, count, payload)
  local head = string.pack(FRAME, MARK, numbers[kind], #payload, count, index, crc32(payload))
  return head .. string.pack("<I4", head_sum(id, offset, head)) .. payload
end

--- The head of a frame at an offset, from bytes at a position; nil if there is
--- none, or one that is damaged.
---@param id integer
---@param offset integer
---@param bytes string
---@param position integer
---@return corolua.journal.Frame?
function frame.unpack(id, offset, bytes, position)
  if #bytes - position + 1 < frame.HEAD then return nil end
  local mark, number, length, count, index, sum, after = string.unpack(FRAME, bytes, position)
  if mark ~= MARK then return nil end
  if string.unpack("<I4", bytes, after) ~= head_sum(id, offset, bytes:sub(position, after - 1)) then
    return nil
  end
  return { kind = frame.KINDS[number], index = index, count = count, length = length, sum = sum }
end

--- Whether the payload is the one that the frame was made with.
---@param head corolua.journal.Frame
---@param payload string
---@return boolean
function frame.is_whole(head, payload)
  return #payload == head.length and crc32(payload) == head.sum
end

--- The offset of the first head of a frame in the bytes, which stand at an
--- offset of the file; nil if there is none.
---@param id integer
---@param offset integer
---@param bytes string
---@return integer?
function frame.find(id, offset, bytes)
  local position = bytes:find(MARK, 1, true)
  while position do
    if frame.unpack(id, offset + position - 1, bytes, position) then
      return offset + position - 1
    end
    position = bytes:find(MARK, position + 1, true)
  end
end

--- The payload of a frame of records.
---@param records string[]
---@return string
function frame.pack_records(records)
  local parts = {}
  for i, bytes in ipairs(records) do parts[i] = string.pack("<s4", bytes) end
  return table.concat(parts)
end

--- The records of a payload.
---@param payload string
---@param count integer
---@return string[]
function frame.unpack_records(payload, count)
  local records, position = {}, 1
  for i = 1, count do records[i], position = string.unpack("<s4", payload, position) end
  return records
end

return frame
