--- The file that keeps the round of a member beside its log: written anew, then
--- renamed, so that it is the old one or the new one after a crash.

local disks = require("corolua.journal.disk")
local file = require("corolua.file")
local writers = require("corolua.journal.writer")

local round_file = {}

local NAME, FORM = "round", "<I8I4"
local LENGTH = string.packsize(FORM) + 4
local SLOT = 1

local function is_ours(bytes)
  return #bytes == LENGTH
    and string.unpack("<I4", bytes, LENGTH - 3) == file.crc32(bytes:sub(1, LENGTH - 4))
end

local function read(disk)
  local size, message, code = disk:call("open", SLOT, disk:path(NAME), "old")
  if code == "ENOENT" then return false end
  if not size then return nil, message, code end
  local bytes
  bytes, message, code = disk:call("read", SLOT, 0, LENGTH)
  if not bytes then return nil, message, code end
  if not is_ours(bytes) then return nil, "the checksum is wrong", "ERR_CORRUPT" end
  local seq, round = string.unpack(FORM, bytes)
  return { seq = seq, round = round }
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

--- What was saved; false if nothing was.
---@param dir string
---@return { seq: integer, round: integer }|false|nil saved, string? message, string? code
function round_file.load(dir) return with_disk(dir, read) end

--- Saves it, and waits until it is on the disk.
---@param dir string
---@param saved { seq: integer, round: integer }
---@return true? done, string? message, string? code
function round_file.save(dir, saved)
  local bytes = string.pack(FORM, saved.seq, saved.round)
  return with_disk(dir, write, bytes .. string.pack("<I4", file.crc32(bytes)))
end

return round_file
