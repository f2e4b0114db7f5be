--- The bytes of a journal's file, as docs/journal.md has them: a head and two
--- notes of the end, each in a block of its own, then frames. The checksum of a
--- note and of a frame covers where it stands and which file it belongs to, so
--- that nothing that a record holds passes for one.

local file = require("corolua.file")

local frame = {}

local crc32 = file.crc32

local MAGIC = "corolog"
local VERSION = 2
local HEAD = "<c7BI8I4"
local FRAME = "<c4BxxxI4I4I8I4"
local MARK = "\xC5frm"
local NOTE = "<c4i8"
local NOTE_MARK = "\xC5end"

--- What shares a block with bytes that could not be written is no longer known
--- either.
frame.BLOCK = 4096

--- Where the two notes of the end stand, and the first frame.
frame.NOTES = { frame.BLOCK, 2 * frame.BLOCK }
frame.FIRST = 3 * frame.BLOCK

--- In a note: the file goes on being written, its end is not known.
frame.OPEN = -1

--- The length of the head of a frame.
frame.HEAD = string.packsize(FRAME) + 4

local FILE_HEAD = string.packsize(HEAD)
local NOTE_SIZE = string.packsize(NOTE) + 4

--- The longest payload that is read: longer than any that is written.
frame.LONGEST = 1 << 30

--- What a frame is, by number in the file.
frame.KINDS = { "base", "piece", "records", "cut" }

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
---@return string? code "ERR_CORRUPT"; "ERR_VERSION": a journal of another version
function frame.unpack_head(bytes)
  if #bytes < FILE_HEAD then return nil, "the file has no head", "ERR_CORRUPT" end
  local magic, version, id, sum = string.unpack(HEAD, bytes)
  if magic ~= MAGIC then return nil, "this is no journal", "ERR_CORRUPT" end
  if crc32(bytes:sub(1, FILE_HEAD - 4)) ~= sum then
    return nil, "the checksum of the head is wrong", "ERR_CORRUPT"
  elseif version ~= VERSION then
    return nil, ("it is written in version %d of the format, and this program reads version %d "
      .. "alone: use the program that wrote it, or remove the folder"):format(version, VERSION),
      "ERR_VERSION"
  end
  return id
end

local function sum_in_place(id, offset, bytes)
  return crc32(bytes, crc32(string.pack("<I8I8", id, offset)))
end

--- A note that is to stand at an offset of the file with this id.
---@param id integer
---@param offset integer
---@param stop integer where the file ends, or `frame.OPEN`
---@return string
function frame.pack_note(id, offset, stop)
  local bytes = string.pack(NOTE, NOTE_MARK, stop)
  return bytes .. string.pack("<I4", sum_in_place(id, offset, bytes))
end

--- What the note at an offset says; nil if it is damaged.
---@param id integer
---@param offset integer
---@param bytes string of the file, from its beginning
---@return integer? stop
function frame.unpack_note(id, offset, bytes)
  local note = bytes:sub(offset + 1, offset + NOTE_SIZE)
  if #note < NOTE_SIZE then return nil end
  local mark, stop, after = string.unpack(NOTE, note)
  if mark ~= NOTE_MARK then return nil end
  if string.unpack("<I4", note, after) ~= sum_in_place(id, offset, note:sub(1, after - 1)) then
    return nil
  end
  return stop
end

--- The first offset before the frames, behind the head and between the notes, at
--- which there is anything but zeros; nil if there is none.
---@param bytes string of the file, from its beginning
---@return integer?
function frame.find_stray(bytes)
  for block, used in ipairs({ FILE_HEAD, NOTE_SIZE, NOTE_SIZE }) do
    local stray = bytes:find("[^\0]", (block - 1) * frame.BLOCK + used + 1)
    if stray and stray <= math.min(block * frame.BLOCK, #bytes) then return stray - 1 end
  end
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
  return head .. string.pack("<I4", sum_in_place(id, offset, head)) .. payload
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
  local sum_of_head = sum_in_place(id, offset, bytes:sub(position, after - 1))
  if string.unpack("<I4", bytes, after) ~= sum_of_head then return nil end
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

--- The records of a payload; nil if it does not hold so many.
---@param payload string
---@param count integer
---@return string[]?
function frame.unpack_records(payload, count)
  local records, position = {}, 1
  for i = 1, count do
    if #payload - position + 1 < 4 then return nil end
    local length = string.unpack("<I4", payload, position)
    if length > #payload - position - 3 then return nil end
    records[i] = payload:sub(position + 4, position + 3 + length)
    position = position + 4 + length
  end
  return position == #payload + 1 and records or nil
end

--- The payload of a base.
---@param base corolua.journal.Base
---@return string
function frame.pack_base(base)
  local snapshot = base.snapshot
  return string.pack("<i8s4", snapshot and #snapshot or -1, base.meta)
end

--- The length of the snapshot, -1 without one, and what is kept with it; nil if
--- the payload is none of a base.
---@param payload string
---@return integer? size
---@return string? meta
function frame.unpack_base(payload)
  if #payload < 12 then return nil end
  local size, length = string.unpack("<i8I4", payload)
  if size < -1 or #payload ~= 12 + length then return nil end
  return size, payload:sub(13)
end

return frame
