--- One file of a journal: frames that are added at its end, each on the disk
--- before the next one is begun. So a frame that is whole says that all before
--- it was on the disk.

local ends = require("corolua.journal.ends")
local frame = require("corolua.journal.frame")
local scheduler = require("corolua.task.scheduler")
local new_index = require("corolua.journal.index").new

local log_file = {}

-- The longest piece of a snapshot.
local PIECE = 1 << 20

---@class corolua.journal.Base
---@field index integer the last record that it stands for, 0 for none
---@field snapshot string? what `open` found, until the owner takes it out
---@field meta string

---@class corolua.journal.LogFile
---@field slot integer
---@field id integer
---@field stop integer where the next frame goes
---@field tail string the bytes before it, from the start of a block
---@field ends corolua.journal.Ends
---@field last integer number of the last record
---@field index corolua.journal.Index
local methods = {}
local mt = { __index = methods }

--- A file as far as it is known: an id, its end, and what the last block holds.
---@param disk corolua.journal.Disk
---@param slot integer
---@param id integer
---@return corolua.journal.LogFile
function log_file.new(disk, slot, id)
  return setmetatable({
    disk = disk, slot = slot, id = id, stop = frame.FIRST, tail = "", last = 0,
    ends = ends.new(disk, slot, id), index = new_index(),
  }, mt)
end

-- A write begins with all of the block that it goes on in. Before it, what the
-- file says of its end must be taken back.
local function add(self, bytes)
  local is_open, why, why_code = self.ends:take_back()
  if not is_open then return nil, why, why_code end
  local data = self.tail .. bytes
  local done, message, code =
    self.disk:call("write", self.slot, self.stop - #self.tail, data, true)
  if not done then return nil, message, code end
  self.stop = self.stop + #bytes
  self.tail = data:sub(#data - self.stop % frame.BLOCK + 1)
  return true
end

--- What a frame at this offset says of the records.
---@param kind string
---@param index integer
---@param count integer
---@param offset integer
---@param stop integer
function methods:note(kind, index, count, offset, stop)
  if kind == "records" then
    self.last = index + count - 1
    self.index:add(index, offset, stop)
  elseif kind == "cut" then
    self.last = index
    self.index:cut(index)
  elseif kind == "base" then
    self.last = index
  end
end

--- Adds a frame and waits until it is on the disk. One that failed may be tried
--- again; nothing else may be added before it has succeeded.
---@param kind string
---@param index integer
---@param count integer
---@param payload string
---@return boolean? done
---@return string? message
---@return string? code
function methods:add(kind, index, count, payload)
  local offset = self.stop
  local bytes = frame.pack(self.id, offset, kind, index, count, payload)
  local done, message, code = add(self, bytes)
  if not done then return nil, message, code end
  self:note(kind, index, count, offset, self.stop)
  return true
end

--- What was added so far is noted as written: from now on damage to it is told
--- from a write that was not finished, wherever it is.
---@return boolean? done
---@return string? message
---@return string? code
function methods:mark() return self.ends:mark(self.stop) end

--- The file ends here: from now on it is damaged if it does not, until something
--- is added.
---@return boolean? done
---@return string? message
---@return string? code
function methods:seal() return self.ends:record(self.stop) end

--- Whether the file says where it ends.
---@return boolean
function methods:is_sealed() return self.ends.is_recorded end

local function add_snapshot(self, index, snapshot)
  for piece = 0, (#snapshot - 1) // PIECE do
    local bytes = snapshot:sub(piece * PIECE + 1, (piece + 1) * PIECE)
    local done, message, code = self:add("piece", index, piece, bytes)
    if not done then return nil, message, code end
  end
  return true
end

local function add_base(self, base)
  local done, message, code =
    self.disk:call("write", self.slot, 0, frame.pack_head(self.id), false)
  if not done then return nil, message, code end
  local snapshot = base.snapshot
  done, message, code = self:add("base", base.index, 0, frame.pack_base(base))
  if not done or not snapshot then return done, message, code end
  return add_snapshot(self, base.index, snapshot)
end

--- A new file in the slot, with all that the base is.
---@param disk corolua.journal.Disk
---@param slot integer
---@param name string
---@param base corolua.journal.Base
---@return corolua.journal.LogFile? log
---@return string? message
---@return string? code
function log_file.create(disk, slot, name, base)
  local size, message, code = disk:call("open", slot, disk:path(name), "new")
  if not size then return nil, message, code end
  local self = log_file.new(disk, slot, scheduler.nonce())
  local done
  done, message, code = add_base(self, base)
  if not done then return nil, message, code end
  return self
end

--- The frames of records in a stretch of the file; one that is damaged has none.
---@param bytes string
---@param span corolua.journal.Span
---@return fun(): integer?, string[]? number of the first record, records
function methods:frames(bytes, span)
  local position = 1
  local function step()
    if position > #bytes then return nil end
    local head = frame.unpack(self.id, span.offset + position - 1, bytes, position)
    if not head then return 0 end
    local start, stop = position + frame.HEAD, position + frame.HEAD + head.length
    local payload = bytes:sub(start, stop - 1)
    if not frame.is_whole(head, payload) then return 0 end
    position = stop
    if head.kind ~= "records" then return step() end
    local records = frame.unpack_records(payload, head.count)
    return records and head.index or 0, records
  end
  return step
end

local function damaged(self, span)
  return nil, ("%s: what stands behind offset %d has changed since it was written")
    :format(self.disk:path("log"), span.offset), "ERR_CORRUPT"
end

--- Reads the records of a stretch, and waits for them; it may grow meanwhile.
---@param span corolua.journal.Span
---@return table<integer, string>? records by number
---@return string? message
---@return string? code
function methods:read(span)
  local size = span.stop - span.offset -- it may go on growing meanwhile
  local bytes, message, code = self.disk:call("read", self.slot, span.offset, size)
  if not bytes then return nil, message, code end
  if #bytes < size then return damaged(self, span) end
  local found = {}
  for index, records in self:frames(bytes, span) do
    if not records then return damaged(self, span) end
    for i, record in ipairs(records) do found[index + i - 1] = record end
  end
  return found
end

return log_file
