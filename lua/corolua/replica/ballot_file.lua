--- The file that keeps the round of a member beside its log: written anew, then
--- renamed, so that it is the old one or the new one after a crash. This is
--- version 2: a mark of four bytes, the seq of the ring and the round as integers
--- of eight, little end first, and the crc32 of all that.

local disks = require("corolua.journal.disk")
local file = require("corolua.file")
local wire = require("corolua.replica.wire")
local writers = require("corolua.journal.writer")

local ballot_file = {}

local NAME, MARK, FORM = "round", "CRR2", "<c4i8i8"
local LENGTH = string.packsize(FORM) + 4
local OLD_LENGTH = 16
local SLOT = 1

local OLD = "it is of version 1 of the replicas' files, and this program reads version 2"

local function sum_of(bytes) return string.pack("<I4", file.crc32(bytes)) end

local function is_whole(bytes) return sum_of(bytes:sub(1, -5)) == bytes:sub(-4) end

local function is_number(value) return value >= 0 and value <= wire.MAX end

-- What cannot be read is no reason to give up: it says so, and is lost.
local function parse(bytes)
  if #bytes == OLD_LENGTH and is_whole(bytes) then return nil, OLD, "ERR_VERSION" end
  if #bytes ~= LENGTH or not is_whole(bytes) then return { lost = "the checksum is wrong" } end
  local mark, seq, round = string.unpack(FORM, bytes)
  if mark ~= MARK then return { lost = "it is none of a replica" } end
  if is_number(seq) and is_number(round) then return { seq = seq, round = round } end
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
---@return { seq: integer, round: integer, lost: string? }|false|nil saved
---@return string? message, string? code "ERR_VERSION": of an older version
function ballot_file.load(dir)
  local saved, message, code = with_disk(dir, read)
  if saved and saved.lost then saved.lost = ("'%s/%s': %s"):format(dir, NAME, saved.lost) end
  return saved, message, code
end

--- Saves it, and waits until it is on the disk.
---@param dir string
---@param saved { seq: integer, round: integer }
---@return true? done, string? message, string? code
function ballot_file.save(dir, saved)
  local bytes = string.pack(FORM, MARK, saved.seq, saved.round)
  return with_disk(dir, write, bytes .. sum_of(bytes))
end

return ballot_file
