--- A new file in the place of a journal's log: written beside it, then renamed.

local frame = require("corolua.journal.frame")
local log_file = require("corolua.journal.log_file")
local scheduler = require("corolua.task.scheduler")
local writers = require("corolua.journal.writer")

local compaction = {}

-- Bytes of records in one frame of the new file.
local BATCH = 1 << 20

-- The new file takes the name of the log; the old one is closed.
local function take_over(disk, name)
  local done, message, code = disk:call("rename", disk:path(name), disk:path("log"))
  if not done then return nil, message, code end
  return true
end

--- Makes the folder's log a new file with this base and nothing else.
---@param disk corolua.journal.Disk
---@param slot integer
---@param base corolua.journal.Base
---@return corolua.journal.LogFile? log
---@return string? message
---@return string? code
function compaction.found(disk, slot, base)
  local made, message, code = log_file.create(disk, slot, "log.new", base)
  if not made then return nil, message, code end
  local done
  done, message, code = made:seal()
  if done then done, message, code = take_over(disk, "log.new") end
  if done then done, message, code = disk:call("sync_folder", disk.folder) end
  if not done then return nil, message, code end
  return made
end

local function add_records(into, first, records)
  if #records == 0 then return true end
  return into:add("records", first, #records, frame.pack_records(records))
end

local function copy_span(from, into, span, last)
  local found, message, code = from:read(span)
  if not found then return nil, message, code end
  local records, size, first = {}, 0, into.last + 1
  for index = first, last do
    local bytes = found[index]
    if not bytes then return nil, ("record %d is not where it was"):format(index), "ERR_CORRUPT" end
    if size + #bytes > BATCH then
      local done
      done, message, code = add_records(into, first, records)
      if not done then return nil, message, code end
      records, size, first = {}, 0, index
    end
    records[#records + 1], size = bytes, size + #bytes
  end
  return add_records(into, first, records)
end

-- The records of the old file that the base does not stand for.
local function copy_records(from, into)
  while into.last < from.last do
    local span, place = from.index:find(into.last + 1)
    local next_span = from.index.list[place + 1]
    local last = next_span and next_span.first - 1 or from.last
    local done, message, code = copy_span(from, into, span, last)
    if not done then return nil, message, code end
  end
  return true
end

--- Brings a new file, which has its base, up to the log and puts it in its place.
--- The rename counts from then on, so it is the owner who has the folder
--- synchronized, until that is done.
---@param from corolua.journal.LogFile
---@param into corolua.journal.LogFile
---@param name string of the new file
---@return boolean? done
---@return string? message
---@return string? code
function compaction.follow(from, into, name)
  local done, message, code = copy_records(from, into)
  if done then done, message, code = into:seal() end
  if done then done, message, code = take_over(into.disk, name) end
  return done, message, code
end

-- A slot that no file is open in.
local function free_slot(self)
  local compacting = self.compacting
  for slot = 2, 4 do
    if slot ~= self.writer.log.slot and not (compacting and slot == compacting.slot) then
      return slot
    end
  end
end

-- What is written and read from now on is in the new file.
local function change_over(self, made, base)
  local old = self.writer.log
  self.writer.log, self.kept = made, false
  if base then self.base = { index = base.index, meta = base.meta } end
  self.disk:call("close", old.slot)
end

local function write_replacement(self, base, stands)
  local slot = free_slot(self)
  local made = self.writer:persist(function() return compaction.found(self.disk, slot, base) end)
  if not made then return nil end
  change_over(self, made)
  if self.base == stands then
    self.written = base.index
    self.events:tell("written", base.index)
  end
  return true
end

--- As `journal:replace`.
---@param self corolua.Journal
---@param base corolua.journal.Base
---@return boolean? done
---@return string? message
---@return string? code
function compaction.replace(self, base)
  local failed, writer = self.failed, self.writer
  if failed then return nil, failed.message, failed.code end
  if self.compacting then self.compacting.is_void = true end
  local stands = { index = base.index, meta = base.meta }
  self.base, self.last, self.written, self.memory = stands, base.index, 0, {}
  writer:push({
    weight = writer:drop() + 1,
    write = function() return write_replacement(self, base, stands) end,
  })
  return writer:sync()
end

local VOID = "everything was replaced meanwhile"

-- The part of a compaction during which nothing else is written.
local function finish_compaction(self, compacting, base, made)
  if compacting.is_void then return nil, VOID, "ERR_BUSY" end
  local done, message, code = compaction.follow(self.writer.log, made, "log.compact")
  if not done then return nil, message, code end
  change_over(self, made, not compacting.is_void and base)
  -- Until the folder is on the disk, a crash may bring the old file back.
  return self.writer:persist(function() return self.disk:call("sync_folder", self.disk.folder) end)
end

local function await_compaction(self, compacting, base, made)
  return scheduler.await(function(resume)
    self.writer:push({
      weight = 1,
      refuse = function()
        local failed = self.failed
        resume(nil, failed and failed.message or VOID, failed and failed.code or "ERR_BUSY")
      end,
      write = function()
        resume(finish_compaction(self, compacting, base, made))
        return not self.failed
      end,
    })
  end, nil, { interruptible = false })
end

local function compact(self, compacting, base)
  local made, message, code = self.writer:sync()
  if not made then return nil, message, code end
  made, message, code = log_file.create(self.disk, compacting.slot, "log.compact", base)
  if not made then return nil, message, code end
  return await_compaction(self, compacting, base, made)
end

-- What is left of a compaction that came to nothing.
local function clear(self, compacting)
  if self.writer.log.slot == compacting.slot then return end
  self.disk:call("close", compacting.slot)
  self.disk:call("remove", self.disk:path("log.compact"))
end

--- As `journal:compact`.
---@param self corolua.Journal
---@param base corolua.journal.Base
---@return boolean? done
---@return string? message
---@return string? code
function compaction.compact(self, base)
  if self.failed then return nil, self.failed.message, self.failed.code end
  if self.compacting then return nil, "another compaction is under way", "ERR_BUSY" end
  local compacting = { index = base.index, slot = free_slot(self) }
  self.compacting = compacting
  local done, message, code = compact(self, compacting, base)
  if not done then clear(self, compacting) end
  self.compacting = false
  if not done then return nil, message, writers.code(code) end
  return true
end

return compaction
