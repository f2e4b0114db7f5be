--- How a journal is opened: its folder is made and locked, and its log read or
--- begun.

local recover = require("corolua.journal.recover")
local compaction = require("corolua.journal.compaction")

local open = {}

--- The slots of the lock and of the log that is opened.
open.LOCK, open.LOG = 1, 2

-- What the lock holds once there is a log: a folder without one has lost it.
local NOTE = "the log is begun\n"

local function make_folder(disk, path)
  local done, message, code = disk:call("mkdir", path)
  if not done then return code == "EEXIST", message, code end
  local parent = path:match("^(.*)/[^/]*$") or "."
  return disk:call("sync_folder", parent ~= "" and parent or "/")
end

-- Makes the folder, and those above it that are missing.
local function make_folders(disk)
  local path = disk.folder
  for at in path:gmatch("()/") do
    local above = path:sub(1, at - 1)
    if above ~= "" then make_folder(disk, above) end
  end
  return make_folder(disk, path)
end

-- Gives whether the folder is known to have a log.
local function lock(disk)
  local size, message, code = disk:call("open", open.LOCK, disk:path("lock"), "lock")
  if not size then return nil, message, code end
  local done
  done, message, code = disk:call("lock", open.LOCK)
  if done then return size >= #NOTE end
  if code == "EAGAIN" then
    return nil, "it is in use by another journal or process", "ERR_BUSY"
  end
  return nil, message, code
end

-- What a replacement that was not finished has left.
local function tidy(disk)
  for _, name in ipairs({ "log.new", "log.compact" }) do
    local done, message, code = disk:call("remove", disk:path(name))
    if not done and code ~= "ENOENT" then return nil, message, code end
  end
  return true
end

local function begin(disk)
  local base = { index = 0, meta = "" }
  local made, message, code = compaction.found(disk, open.LOG, base)
  if not made then return nil, message, code end
  return { log = made, base = base, cut = 0 }
end

local function read(disk, size)
  -- The rename that made it may not be on the disk yet.
  local done, message, code = disk:call("sync_folder", disk.folder)
  if not done then return nil, message, code end
  return recover.read(disk, open.LOG, size)
end

local function find(disk, has_log)
  local size, message, code = disk:call("open", open.LOG, disk:path("log"), "old")
  if size then return read(disk, size) end
  if code ~= "ENOENT" then return nil, message, code end
  if has_log then return nil, disk:path("log") .. ": it is gone, and was there", "ERR_CORRUPT" end
  return begin(disk)
end

--- What the folder holds, once it is ours.
---@param disk corolua.journal.Disk
---@return corolua.journal.Found? found
---@return string? message
---@return string? code
function open.open(disk)
  local done, has_log, message, code
  done, message, code = make_folders(disk)
  if not done then return nil, message, code end
  has_log, message, code = lock(disk)
  if has_log == nil then return nil, message, code end
  local found
  found, message, code = find(disk, has_log)
  if not found then return nil, message, code end
  done, message, code = tidy(disk)
  if done and not has_log then
    done, message, code = disk:call("write", open.LOCK, 0, NOTE, true)
  end
  if not done then return nil, message, code end
  return found
end

return open
