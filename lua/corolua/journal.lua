--- A log of records with checksums in a folder of its own: what was said to be
--- written is there after a crash, each record once and in order.

local args = require("corolua.base.args")
local checks = require("corolua.task.checks")
local disks = require("corolua.journal.disk")
local events = require("corolua.task.events")
local guard = require("corolua.base.guard")
local inspect = require("corolua.base.inspect")
local once = require("corolua.task.once")
local open = require("corolua.journal.open")
local compaction = require("corolua.journal.compaction")
local writers = require("corolua.journal.writer")

---@class corolua.journal
---@field MAX_RECORD integer the bytes that a record may have
local journal = {}

--- The longest record, in bytes.
journal.MAX_RECORD = 256 << 20

-- Seconds for which a write that fails is tried again.
local RETRY = 10

local EVENTS = { "written", "trouble", "recovered", "failed" }
local OPTIONS = { { "retry", args.seconds(), RETRY } }

---@class corolua.JournalOptions
---@field retry? number seconds for which a failing write is tried again; default 10

---@class corolua.JournalHandlers
---@field written? fun(index: integer) all records up to this one are on the disk
---@field trouble? fun(message: string, code: string) a write failed, and is tried again
---@field recovered? fun() what had failed is on the disk
---@field failed? fun(message: string, code: string) given up: nothing is written any more

---@class corolua.Journal
---@field base corolua.journal.Base what stands for the records before the first
---@field last integer number of the last record; that of the base if there is none
---@field written integer number of the last record that is on the disk
---@field recovered { cut: integer } bytes of an unfinished write, cut off by `open`
---@field failed { message: string, code: string }? why nothing is written any more
---@field on corolua.JournalHandlers
local methods = {}
local mt = {
  __name = "corolua.journal",
  __index = methods,
  __tostring = function(self) return ("journal '%s'"):format(self.disk.folder) end,
  __close = function(self) self:close() end,
}

local is_index = args.integer(0, 1 << 62)

local function is_folder(value)
  local ok, expected = args.folder(value)
  return ok and #value <= 4000, expected
end

-- Records are on the disk: those that were not cut off meanwhile count.
local function settle(self, items)
  local before = self.written
  for _, item in ipairs(items) do
    if self.memory[item.index] == item then
      self.memory[item.index] = nil
      self.written = item.index
    end
  end
  if self.written ~= before then self.events:tell("written", self.written) end
end

local function new(disk, found, retry)
  local told = events.new(("journal '%s'"):format(disk.folder), EVENTS)
  local self = setmetatable({
    disk = disk, base = found.base, last = found.log.last, written = found.log.last,
    recovered = { cut = found.cut }, on = told.on, events = told, memory = {},
    is_closed = false, closing = once.new(), compacting = false, kept = false, writer = false,
  }, mt)
  told.source = self
  self.writer = writers.new(found.log, told, retry, {
    settle = function(items) settle(self, items) end,
    fail = function(problem) self.failed = problem end,
  })
  return self
end

--- Opens the journal in a folder, which is made if it is missing, and reads what
--- is there. Waits for that. One object of one process has it at a time. No
--- handler is called before the task waits again.
---@param dir string
---@param options? corolua.JournalOptions
---@return corolua.Journal? journal
---@return string? message
---@return string? code "ERR_BUSY": in use; "ERR_CORRUPT"; "ERR_VERSION"; "ERR_NO_SPACE";
--- "ERR_ACCESS"; "ERR_FAILED_OPERATION"
function journal.open(dir, options)
  args.value(dir, is_folder, "journal.open", "dir", 2)
  local checked = args.check(options, OPTIONS, "journal.open", 2)
  local disk, message, code = disks.new((dir:gsub("(.)/+$", "%1")))
  if not disk then return nil, message, code end
  local found
  found, message, code = open.open(disk)
  if not found then
    disk:close()
    return nil, ("journal '%s': %s"):format(dir, message), writers.code(code)
  end
  local self = new(disk, found, checked.retry)
  self.events:begin()
  return self
end

local function check_self(self, method, level)
  guard.self(self, mt, "a journal", method, (level or 2) + 1)
end

local function check_open(self, method, level)
  check_self(self, method, level + 1)
  if self.is_closed then error(("%s is closed"):format(tostring(self)), level + 1) end
end

local function check_bytes(bytes, name, thing, level)
  args.value(bytes, args.string, name, thing, level + 1)
  if #bytes > journal.MAX_RECORD then
    error(("%s: %s has at most %d bytes, got %d"):format(name, thing, journal.MAX_RECORD, #bytes),
      level + 1)
  end
end

--- Puts a record behind the last one. It is in memory until it is on the disk,
--- which `sync` waits for and `written` tells; this does not wait.
---@param bytes string
---@return integer? index its number
---@return string? message
---@return string? code that of `failed`: "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION"
function methods:append(bytes)
  check_open(self, "append", 2)
  check_bytes(bytes, "append", "the record", 2)
  local failed = self.failed
  if failed then return nil, failed.message, failed.code end
  local index = self.last + 1
  local item = { bytes = bytes, index = index }
  self.last = index
  self.memory[index] = item
  self.writer:push(item)
  return index
end

--- Waits until all that was appended, cut and replaced so far is on the disk.
---@param timeout? number in seconds
---@return boolean? done
---@return string? message
---@return string? code "ERR_TIMEOUT"; "ERR_INTERRUPT"; "ERR_NO_SPACE", "ERR_ACCESS",
--- "ERR_FAILED_OPERATION": it has given up
function methods:sync(timeout)
  check_open(self, "sync", 2)
  checks.seconds(timeout, "sync", true)
  return self.writer:sync(timeout)
end

local function check_index(index, low, high, name, level)
  args.value(index, args.integer(low, high), name, "index", level + 1)
end

--- Drops all records after this one. This does not wait; it is on the disk
--- before anything that is appended later, and `sync` waits for it.
---@param index integer from that of the base, or of one that `compact` writes, to the last
---@return boolean? done
---@return string? message
---@return string? code that of `failed`: "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION"
function methods:cut(index)
  check_open(self, "cut", 2)
  local compacting = self.compacting
  check_index(index, compacting and compacting.index or self.base.index, self.last,
    "cut", 2)
  local failed, writer = self.failed, self.writer
  if failed then return nil, failed.message, failed.code end
  if index == self.last then return true end
  for i = math.max(index, self.written) + 1, self.last do self.memory[i] = nil end
  self.last = index
  self.written = math.min(self.written, index)
  writer:push({
    weight = 1,
    write = function()
      return writer:persist(function() return writer.log:add("cut", index, 0, "") end)
    end,
  })
  return true
end

local function check_snapshot(index, snapshot, meta, name, level)
  args.value(index, is_index, name, "index", level + 1)
  if snapshot ~= nil then args.value(snapshot, args.string, name, "snapshot", level + 1) end
  if meta ~= nil then check_bytes(meta, name, "meta", level + 1) end
end

--- Puts a snapshot in the place of everything there is: it stands for the
--- records up to `index`, and the next one gets the number after. Waits until
--- that is on the disk; a crash before leaves what was there. What is appended
--- meanwhile comes behind the snapshot; `written` is 0 until then.
---@param index integer
---@param snapshot? string
---@param meta? string the owner's own, kept with it
---@return boolean? done
---@return string? message
---@return string? code that of `failed`: "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION"
function methods:replace(index, snapshot, meta)
  check_open(self, "replace", 2)
  check_snapshot(index, snapshot, meta, "replace", 2)
  return compaction.replace(self, { index = index, snapshot = snapshot, meta = meta or "" })
end

--- Puts a snapshot in the place of the records up to `index`, and keeps those
--- after it; they may be appended to meanwhile. Waits until that is on the disk.
--- A failure leaves the journal as it was.
---@param index integer from that of the base to the last
---@param snapshot? string
---@param meta? string the owner's own, kept with it
---@return boolean? done
---@return string? message
---@return string? code "ERR_BUSY": another one is under way, or all was replaced meanwhile;
--- "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION", "ERR_CORRUPT"; "ERR_INTERRUPT"
function methods:compact(index, snapshot, meta)
  check_open(self, "compact", 2)
  check_snapshot(index, snapshot, meta, "compact", 2)
  check_index(index, self.base.index, self.last, "compact", 2)
  return compaction.compact(self, { index = index, snapshot = snapshot, meta = meta or "" })
end

-- The records of a stretch stay in memory until another one is wanted.
local function read(self, index)
  local log = self.writer.log
  local span = log.index:find(index)
  if not span then return nil, ("there is no record %d"):format(index), "ERR_NOT_EXIST" end
  local kept = self.kept
  if kept and kept.log == log and kept.span == span and kept.stop == span.stop then
    return kept.records[index]
  end
  local stop = span.stop
  local records, message, code = log:read(span)
  if not records then return nil, message, writers.code(code) end
  self.kept = { log = log, span = span, stop = stop, records = records }
  return records[index]
end

--- A record. Waits for the disk unless it is in memory.
---@param index integer
---@return string? bytes
---@return string? message
---@return string? code "ERR_NOT_EXIST"; "ERR_CORRUPT", "ERR_ACCESS", "ERR_FAILED_OPERATION"
function methods:record(index)
  check_open(self, "record", 2)
  check_index(index, 1, 1 << 62, "record", 2)
  if index <= self.base.index or index > self.last then
    return nil, ("there is no record %d"):format(index), "ERR_NOT_EXIST"
  end
  local item = self.memory[index]
  if item then return item.bytes end
  return read(self, index)
end

--- The records from a number on, up to the last one there is when it is reached:
--- `for index, bytes in journal:records(from)`. Waits for the disk, and raises
--- if a record cannot be read.
---@param from? integer the first of all if not given
---@return (fun(): integer?, string?)
function methods:records(from)
  check_open(self, "records", 2)
  if from == nil then from = self.base.index + 1 end
  check_index(from, self.base.index + 1, self.last + 1, "records", 2)
  local index = from - 1
  return function()
    if index >= self.last then return nil end
    index = index + 1
    local bytes, message = self:record(index)
    if not bytes then error(message, 0) end
    return index, bytes
  end
end

---@class corolua.JournalStatus
---@field state "open"|"failed"|"closed"
---@field base integer number of the record that the base stands for
---@field last integer number of the last record
---@field written integer number of the last one on the disk

--- How things stand.
---@return corolua.JournalStatus
function methods:status()
  check_self(self, "status")
  return inspect.readable({
    state = self.is_closed and "closed" or self.failed and "failed" or "open",
    base = self.base.index, last = self.last, written = self.written,
  })
end

---@class corolua.JournalStats
---@field records integer
---@field unwritten integer of them that are not on the disk
---@field cut integer bytes of an unfinished write, cut off by `open`

--- Figures of the journal, as they are now.
---@return corolua.JournalStats
function methods:stats()
  check_self(self, "stats")
  return inspect.readable({
    records = self.last - self.base.index, unwritten = self.last - self.written,
    cut = self.recovered.cut,
  })
end

local function finish(self)
  local done, message, code = self.writer:finish()
  self.disk:close()
  return done, message, code
end

--- Waits until all is on the disk, the end of the file included, and lets the
--- folder go. May be repeated, also while it waits, and returns the same again.
---@return true? closed
---@return string? message
---@return string? code why not all is on the disk: "ERR_NO_SPACE", "ERR_ACCESS",
--- "ERR_FAILED_OPERATION", "ERR_INTERRUPT"
function methods:close()
  check_self(self, "close")
  self.is_closed = true
  return self.closing:run(finish, self)
end

guard.names(mt, "a journal", {
  always = { "base", "last", "written", "recovered", "on" }, sometimes = { "failed" },
  events = EVENTS,
})

return journal
