--- Reads a journal's file when it is opened: every frame is checked, what an
--- unfinished write has left at the end is cut off, all other damage is told. A
--- file that was closed, or sealed, has no such end: it is whole, or damaged.

local frame = require("corolua.journal.frame")
local log_file = require("corolua.journal.log_file")

local recover = {}

local WINDOW = 1 << 20

-- The part of the file that is in memory.
local function window(disk, slot, size)
  return { disk = disk, slot = slot, size = size, offset = 0, bytes = "" }
end

-- Bytes from an offset on, as many as asked for or up to the end of the file.
local function view(self, offset, length)
  length = math.min(length, self.size - offset)
  if length <= 0 then return "" end
  local position = offset - self.offset + 1
  if position < 1 or position + length - 1 > #self.bytes then
    local wanted = math.min(math.max(length, WINDOW), self.size - offset)
    local bytes, message, code = self.disk:call("read", self.slot, offset, wanted)
    if not bytes then return nil, message, code end
    self.offset, self.bytes, position = offset, bytes, 1
  end
  return self.bytes:sub(position, position + length - 1)
end

local function corrupt(disk, offset, why)
  return nil, ("%s, offset %d: %s"):format(disk:path("log"), offset, why), "ERR_CORRUPT"
end

-- The frame at an offset: head, payload; false if it is not whole, or nil and why
-- the file cannot be read.
local function read_frame(found, offset)
  local bytes, message, code = view(found.window, offset, frame.HEAD)
  if not bytes then return nil, message, code end
  local head = frame.unpack(found.log.id, offset, bytes, 1)
  if not head or head.length > frame.LONGEST then return false end
  local payload
  payload, message, code = view(found.window, offset + frame.HEAD, head.length)
  if not payload then return nil, message, code end
  if not frame.is_whole(head, payload) then return false end
  return head, payload
end

local takers = {}

function takers.base(found, head, payload)
  if found.base then return "a second base" end
  local size, meta = frame.unpack_base(payload)
  if not size then return "the base is none" end
  found.base = { index = head.index, meta = meta }
  found.missing = size
  if size >= 0 then found.pieces = {} end
end

local function is_founded(found) return found.base and found.missing <= 0 end

function takers.piece(found, head, payload)
  if is_founded(found) or head.count ~= #found.pieces or #payload > found.missing then
    return "a piece of a snapshot where none is due"
  end
  table.insert(found.pieces, payload)
  found.missing = found.missing - #payload
end

function takers.records(found, head)
  if head.index ~= found.log.last + 1 then
    return ("record %d stands behind record %d"):format(head.index, found.log.last)
  end
end

function takers.cut(found, head)
  if head.index < found.base.index or head.index > found.log.last then
    return ("a cut to record %d stands behind record %d"):format(head.index, found.log.last)
  end
end

local BEFORE = { base = true, piece = true }

local function take(found, head, payload, offset, stop)
  local taker = takers[head.kind]
  local due = found.base ~= nil or head.kind == "base"
  local why = not taker and "a frame of an unknown kind" or not due and "the base is missing"
    or due and not is_founded(found) and not BEFORE[head.kind] and "the snapshot is not whole"
    or taker(found, head, payload)
  if why then return why end
  found.log:note(head.kind, head.index, head.count, offset, stop)
end

-- Looks for a frame behind the damaged one. Windows overlap by a head.
local function find_later(found, offset)
  local at = offset + 1
  while at < found.window.size do
    local bytes, message, code = view(found.window, at, WINDOW)
    if not bytes then return nil, message, code end
    local later = frame.find(found.log.id, at, bytes)
    if later then return later end
    at = at + math.max(#bytes - frame.HEAD + 1, 1)
    if #bytes < frame.HEAD then break end
  end
  return false
end

-- A frame that is not whole: the end of the log, if it was not noted as written
-- and nothing was written later.
local function judge(found, offset)
  if offset < found.noted then
    return corrupt(found.disk, offset, "what stands here has changed since it was on the disk")
  end
  if not is_founded(found) then
    return corrupt(found.disk, offset, "the snapshot that the log begins with is damaged")
  end
  local later, message, code = find_later(found, offset)
  if later == nil then return nil, message, code end
  if later then
    return corrupt(found.disk, offset, ("what stands here is damaged, and it was on the disk "
      .. "before the frame at offset %d was written"):format(later))
  end
  return true
end

local function read_all(found, offset)
  while offset < found.window.size do
    local head, payload, code = read_frame(found, offset)
    if head == nil then return nil, payload, code end
    if not head then
      local ended, message
      ended, message, code = judge(found, offset)
      if not ended then return nil, message, code end
      break
    end
    local stop = offset + frame.HEAD + head.length
    local why = take(found, head, payload, offset, stop)
    if why then return corrupt(found.disk, offset, why) end
    found.begin, offset = offset, stop
  end
  found.stop = offset
  return true
end

-- The last frame is written again: one whose write failed may be seen in memory
-- and not be on the disk.
local function settle_end(found)
  local file, stop = found.log, found.stop
  if stop < found.window.size then
    local done, message, code = found.disk:call("truncate", file.slot, stop)
    if not done then return nil, message, code end
  end
  local from = found.begin - found.begin % frame.BLOCK
  local bytes, message, code = view(found.window, from, stop - from)
  if not bytes then return nil, message, code end
  return found.disk:call("write", file.slot, from, bytes, true)
end

-- The file is what it was read as, also after a power failure, and says so. The
-- first note is the one that the last write may have left unknown on the disk,
-- so it is made certain before the second one is touched.
local function settle(found)
  local file, stop = found.log, found.stop
  local done, message, code = file.ends:restate(found.is_closed and stop or frame.OPEN)
  if done and not found.is_closed then done, message, code = settle_end(found) end
  if not done then return nil, message, code end
  local from = stop - stop % frame.BLOCK
  local tail
  tail, message, code = view(found.window, from, stop - from)
  if not tail then return nil, message, code end
  file.stop, file.tail = stop, tail
  return found.is_whole or file:seal()
end

-- What the notes say of the end. A write of one that a crash has interrupted
-- leaves the other one, and the state before or after it.
local function read_notes(found, bytes)
  local id, size = found.log.id, found.window.size
  local first = frame.unpack_note(id, frame.NOTES[1], bytes)
  local second = frame.unpack_note(id, frame.NOTES[2], bytes)
  local stray = frame.find_stray(bytes)
  if stray then
    return corrupt(found.disk, stray, "there are bytes where the file has none")
  elseif not first and not second then
    return corrupt(found.disk, frame.NOTES[1], "both notes of the end are damaged")
  end
  -- Without the first one the file is closed if it ends where the second one says:
  -- the crash may also have interrupted `settle`, of a file that goes on.
  local stop = first or second == size and size or frame.OPEN
  found.is_closed = stop ~= frame.OPEN
  found.is_whole = found.is_closed and first == second
  found.noted = found.is_closed and stop or second or 0
  if found.is_closed and second and second ~= stop then
    return corrupt(found.disk, frame.NOTES[2], "the two notes of the end differ")
  elseif size < found.noted or found.is_closed and size > found.noted then
    return corrupt(found.disk, size, ("the file ends here, and %d bytes of it were on the disk")
      :format(found.noted))
  end
  return true
end

-- What stands before the frames.
local function begin(disk, slot, size)
  local file = window(disk, slot, size)
  local bytes, message, code = view(file, 0, frame.FIRST)
  if not bytes then return nil, message, code end
  local id, why, why_code = frame.unpack_head(bytes)
  if why_code == "ERR_CORRUPT" then return corrupt(disk, 0, why) end
  if not id then return nil, ("%s: %s"):format(disk:path("log"), why), why_code end
  local found = { disk = disk, log = log_file.new(disk, slot, id), window = file }
  local done
  done, message, code = read_notes(found, bytes)
  if not done then return nil, message, code end
  return found
end

---@class corolua.journal.Found
---@field log corolua.journal.LogFile
---@field base corolua.journal.Base
---@field cut integer bytes that an unfinished write had left

--- Reads the file that is open in the slot.
---@param disk corolua.journal.Disk
---@param slot integer
---@param size integer
---@return corolua.journal.Found? found
---@return string? message
---@return string? code "ERR_CORRUPT", "ERR_VERSION", or that of the system
function recover.read(disk, slot, size)
  local found, message, code = begin(disk, slot, size)
  if not found then return nil, message, code end
  local done
  done, message, code = read_all(found, frame.FIRST)
  if not done then return nil, message, code end
  if not is_founded(found) then
    return corrupt(disk, found.stop, "the snapshot that the log begins with is not whole")
  end
  if found.pieces then found.base.snapshot = table.concat(found.pieces) end
  done, message, code = settle(found)
  if not done then return nil, message, code end
  return { log = found.log, base = found.base, cut = size - found.stop }
end

return recover
