--- What a journal's file says of its own end, in two notes before the frames,
--- where nothing that is lost at the end can hide it. The first one is the end, or
--- that the file goes on being written; the second one is always an end that was
--- reached. Each is in a block of its own and written by itself, so a crash leaves
--- one of them whole: the second one for as long as the first is written, and the
--- other way round.

local frame = require("corolua.journal.frame")

local ends = {}

---@class corolua.journal.Ends
---@field is_recorded boolean the first note has the end
local methods = {}
local mt = { __index = methods }

--- The notes of a file, as long as it is written.
---@param disk corolua.journal.Disk
---@param slot integer
---@param id integer of the file
---@return corolua.journal.Ends
function ends.new(disk, slot, id)
  return setmetatable({ disk = disk, slot = slot, id = id, is_recorded = false }, mt)
end

local function write(self, note, stop)
  local offset = frame.NOTES[note]
  return self.disk:call("write", self.slot, offset, frame.pack_note(self.id, offset, stop), true)
end

--- The first note says this, and is on the disk.
---@param stop integer or `frame.OPEN`
---@return boolean? done
---@return string? message
---@return string? code
function methods:restate(stop)
  local done, message, code = write(self, 1, stop)
  if not done then return nil, message, code end
  self.is_recorded = stop ~= frame.OPEN
  return true
end

--- The file will not end where it was said to. Nothing may be added before.
---@return boolean? done
---@return string? message
---@return string? code
function methods:take_back()
  if not self.is_recorded then return true end
  return self:restate(frame.OPEN)
end

--- All before this offset is on the disk, whatever comes behind it.
---@param stop integer
---@return boolean? done
---@return string? message
---@return string? code
function methods:mark(stop) return write(self, 2, stop) end

--- The file ends at this offset.
---@param stop integer
---@return boolean? done
---@return string? message
---@return string? code
function methods:record(stop)
  local done, message, code = self:mark(stop)
  if not done then return nil, message, code end
  return self:restate(stop)
end

return ends
