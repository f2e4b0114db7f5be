--- The number of the round that a member takes part in: the first one in a ring
--- is 1, and each later one of the same ring is higher. It is on the disk before
--- the member says anything in it, so that no later life of this member takes
--- part in the same round again.
---
--- The file beside the log is written anew, then renamed, so that it is the old one
--- or the new one after a crash. This is version 2: a mark of four bytes, the seq of
--- the ring and the round as integers of eight, little end first, and the crc32 of
--- all that.

local disks = require("corolua.journal.disk")
local file = require("corolua.file")
local wire = require("corolua.replica.wire")
local writers = require("corolua.journal.writer")

local ballot = {}

---@class corolua.replica.Ballot
---@field seq integer of the ring
---@field round integer
---@field save (fun(saved: corolua.replica.Round): boolean?, string?, string?)?
---@field lost string? why what was saved cannot be read
---@field barred integer? seq of the ring in which this member decides nothing
local methods = {}
local ballot_mt = { __index = methods }

---@class corolua.replica.Round
---@field seq integer of the ring
---@field round integer
---@field lost string? why it cannot be read; then there is nothing else

local NAME, MARK, FORM = "round", "CRR2", "<c4i8i8"
local LENGTH = string.packsize(FORM) + 4
local OLD_LENGTH = 16
local SLOT = 1

local OLD = "it is of version 1 of the replicas' files, and this program reads version 2"
local NO_MORE = "there is no round above the highest"

local function sum_of(bytes) return string.pack("<I4", file.crc32(bytes)) end

local function is_whole(bytes) return sum_of(bytes:sub(1, -5)) == bytes:sub(-4) end

-- What cannot be read is no reason to give up: it says so, and is lost.
local function parse(bytes)
  if #bytes == OLD_LENGTH and is_whole(bytes) then return nil, OLD, "ERR_VERSION" end
  if #bytes ~= LENGTH or not is_whole(bytes) then return { lost = "the checksum is wrong" } end
  local mark, seq, round = string.unpack(FORM, bytes)
  if mark ~= MARK then return { lost = "it is none of a replica" } end
  if wire.is_number(seq) and wire.is_number(round) then return { seq = seq, round = round } end
  return { lost = ("round %d of ring %d cannot be"):format(round, seq) }
end

local function read(disk)
  local size, message, code = disk:call("open", SLOT, disk:path(NAME), "old")
  if code == "ENOENT" then return false end
  if not size then return nil, message, code end
  local bytes
  bytes, message, code = disk:call("read", SLOT, 0, LENGTH + 1)
  if not bytes then return nil, message, code end
  return parse(bytes)
end

local function write(disk, bytes)
  local path = disk:path(NAME .. ".new")
  for _, step in ipairs({
    { "open", SLOT, path, "new" }, { "write", SLOT, 0, bytes, true }, { "close", SLOT },
    { "rename", path, disk:path(NAME) }, { "sync_folder", disk.folder },
  }) do
    local done, message, code = disk:call(table.unpack(step))
    if not done then return nil, message, code end
  end
  return true
end

-- Has something done with the folder of the log, and says where it failed.
local function with_disk(dir, fn, ...)
  local disk, message, code = disks.new(dir)
  if not disk then return nil, message, code end
  local result
  result, message, code = fn(disk, ...)
  disk:close()
  if result ~= nil then return result end
  return nil, ("'%s/%s': %s"):format(dir, NAME, message), writers.code(code)
end

--- What was saved; false if nothing was, and `lost` says why it cannot be read.
---@param dir string
---@return corolua.replica.Round|false|nil saved
---@return string? message, string? code "ERR_VERSION": of an older version
function ballot.load(dir)
  local saved, message, code = with_disk(dir, read)
  if saved and saved.lost then saved.lost = ("'%s/%s': %s"):format(dir, NAME, saved.lost) end
  return saved, message, code
end

--- Saves it, and waits until it is on the disk.
---@param dir string
---@param saved corolua.replica.Round
---@return true? done, string? message, string? code
function ballot.save(dir, saved)
  local bytes = string.pack(FORM, MARK, saved.seq, saved.round)
  return with_disk(dir, write, bytes .. sum_of(bytes))
end

--- Rounds that are kept by a function, or in memory only without one.
---@param saved corolua.replica.Round?
---@param save (fun(saved: corolua.replica.Round): boolean?, string?, string?)?
---@return corolua.replica.Ballot
function ballot.new(saved, save)
  saved = saved or {}
  return setmetatable({
    seq = saved.seq or 0, round = saved.round or 0, save = save, lost = saved.lost,
  }, ballot_mt)
end

--- Rounds that are kept in a folder.
---@param dir string
---@return corolua.replica.Ballot? ballot, string? message, string? code
function ballot.open(dir)
  local saved, message, code = ballot.load(dir)
  if saved == nil then return nil, message, code end
  return ballot.new(saved or nil, function(round) return ballot.save(dir, round) end)
end

-- Where the last life of this member got to is not known. That was in no ring
-- after the first one it meets now, and what was saved stays until that is over.
local function is_to_save(self, seq)
  if not self.save then return false end
  if self.lost then
    self.barred = self.barred or seq
    if seq == self.barred then return false end
    self.lost = nil
  end
  return true
end

--- Enters the next round of a ring. Waits until that is on the disk.
---@param seq integer
---@param least integer? of the round
---@return integer? round, string? message, string? code
function methods:enter(seq, least)
  local before = self.seq == seq and self.round or 0
  local round = math.max(before + 1, least or 1)
  if round > wire.MAX then return nil, NO_MORE, "ERR_OVERLOAD" end
  self.seq, self.round = seq, round
  if not is_to_save(self, seq) then return round end
  local done, message, code = self.save({ seq = seq, round = round })
  if not done then return nil, message, code end
  return round
end

--- Whether this member may take part in a decision: not in a ring in which it may
--- have done so before it lost count.
---@param seq integer of the ring
---@return boolean
function methods:may_decide(seq) return self.barred ~= seq end

return ballot
