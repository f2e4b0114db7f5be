--- The state machine of a replica and its log: what is appended is applied. The
--- journal keeps the records on the disk; where records are dropped the state is
--- built anew, from the snapshot before them.

local origins = require("corolua.replica.origins")
local record = require("corolua.replica.record")
local scheduler = require("corolua.scheduler")
local segments = require("corolua.replica.segments")
local wire = require("corolua.replica.wire")

---@class corolua.replica.Machine
---@field state any
---@field journal corolua.Journal
---@field segments corolua.replica.Segment[]
---@field last integer index of the last record
---@field on_applied fun(origin: integer, number: integer, index: integer, result: any)
local methods = {}
local machine_mt = { __index = methods }

local machine = {}

-- Seconds of work after which others get their turn.
local SLICE = 0.02

-- What is compared with: a log without records.
local NO_TERM = { first = 0, seq = 0, round = 0, nonce = 0 }

---@param given corolua.ReplicaOptions as checked
---@param journal corolua.Journal
---@return corolua.replica.Machine
function machine.new(given, journal)
  local base = journal.base
  return setmetatable({
    kept = { { index = base.index, snapshot = base.snapshot } },
    apply = given.apply, to_bytes = given.snapshot, from_bytes = given.restore,
    codec = given.codec, initial = given.initial, journal = journal, size = 0, weight = 0,
    segments = {}, origins = origins.new(), last = 0, on_applied = function() end,
  }, machine_mt)
end

--- The term of the last record.
---@return corolua.replica.Segment
function methods:term() return self.segments[#self.segments] or NO_TERM end

-- The snapshot of the journal's base. While a compaction ends, the base is the
-- old or the new one.
local function base_snapshot(self, index)
  for _, kept in ipairs(self.kept) do
    if kept.index == index then return kept.snapshot end
  end
  error(("the snapshot of record %d is missing"):format(index), 0)
end

-- Goes back to what the journal's base stands for.
local function reset(self)
  local base = self.journal.base
  self.last, self.size = base.index, 0
  if base.index == 0 then
    self.state = self.from_bytes(self.initial)
    self.segments, self.origins = {}, origins.new()
    return
  end
  local at
  self.state = self.from_bytes(base_snapshot(self, base.index))
  self.segments, at = wire.read_segments(base.meta, 1)
  self.origins = origins.unpack(base.meta, at)
end

local function take_marker(self, bytes)
  local seq, round, nonce = record.read_marker(bytes)
  segments.add(self.segments, { first = self.last, seq = seq, round = round, nonce = nonce })
end

-- A command that cannot be decoded is in the log of all alike, and does nothing.
local function take_command(self, bytes)
  local seq, origin, number, nodeid, pid, command = record.read_command(bytes)
  if not self.origins:note(origin, number, self.last) then return end
  if self.codec then command = self.codec.decode(command) end
  if command == nil then return self.on_applied(origin, number, self.last, nil) end
  self.is_applying = true
  local result = self.apply(self.state, command, {
    index = self.last, seq = seq, nodeid = nodeid, pid = pid,
  })
  self.is_applying = false
  self.on_applied(origin, number, self.last, result)
end

-- Does what a record says, which is the next one of the log.
local function take(self, bytes)
  if self.is_applying then
    error(("apply has raised an error at record %d"):format(self.last), 0)
  end
  self.last, self.size = self.last + 1, self.size + #bytes
  local is_marker = record.is_marker(bytes)
  if is_marker == nil then error(("record %d is none of a replica"):format(self.last), 0) end
  if is_marker then take_marker(self, bytes) else take_command(self, bytes) end
end

--- A record comes behind all others.
---@param bytes string
---@return boolean? done, string? message, string? code what the journal says
function methods:append(bytes)
  local index, message, code = self.journal:append(bytes)
  if not index then return nil, message, code end
  take(self, bytes)
  return true
end

-- Lets others have their turn now and then.
local function breather()
  local since = scheduler.now()
  return function()
    if scheduler.now() - since < SLICE or not scheduler.can_wait() then return end
    scheduler.sleep(0)
    since = scheduler.now()
  end
end

--- Builds the state from what the journal has.
function methods:rebuild()
  local breathe = breather()
  reset(self)
  for _, bytes in self.journal:records(self.last + 1) do
    take(self, bytes)
    breathe()
  end
end

-- A compaction that is under way ends before the log becomes another one.
local function wait_compacted(self)
  scheduler.wait(function() return not self.is_compacting end)
end

--- Drops the records after an index, from that of the journal's base on.
---@param index integer
---@return boolean? done false if they begin before what the base stands for
---@return string? message, string? code
function methods:cut(index)
  if index == self.last then return true end
  wait_compacted(self)
  if index < self.journal.base.index then return false end
  local done, message, code = self.journal:cut(index)
  if not done then return nil, message, code end
  self:rebuild()
  return true
end

--- What stands for all records so far: a snapshot of the state, and what else
--- goes with it.
---@return string snapshot, string meta
function methods:take_snapshot()
  local bytes = self.to_bytes(self.state)
  if type(bytes) ~= "string" then
    error(("snapshot must return a string, got %s"):format(type(bytes)), 0)
  end
  return bytes, wire.segments(self.segments) .. self.origins:pack()
end

--- Puts a snapshot in the place of everything there is.
---@param index integer of the last record it stands for
---@param snapshot string
---@param meta string
---@return boolean? done, string? message, string? code
function methods:install(index, snapshot, meta)
  wait_compacted(self)
  local done, message, code = self.journal:replace(index, snapshot, meta)
  if not done then return nil, message, code end
  self.kept = { { index = index, snapshot = snapshot } }
  self:rebuild()
  return true
end

--- Puts a snapshot of now in the place of the records that it stands for. Waits;
--- records may be appended meanwhile.
---@param wait_sure fun(index: integer): boolean whether the records up to there stay
---@return boolean? done, string? message, string? code
function methods:compact(wait_sure)
  local index, size = self.last, self.size
  local snapshot, meta = self:take_snapshot()
  if not wait_sure(index) then return false end
  local kept = { index = index, snapshot = snapshot }
  table.insert(self.kept, kept)
  self.is_compacting = true
  local done, message, code = self.journal:compact(index, snapshot, meta)
  self.is_compacting = false
  if done then
    self.size, self.weight, self.kept = math.max(0, self.size - size), #snapshot, { kept }
  elseif self.kept[2] == kept then
    self.kept[2] = nil
  end
  return done, message, code
end

--- Whether the records behind the base are so long that a snapshot is due: longer
--- than the limit, and than the snapshot before, which may be long itself.
---@param limit integer bytes
---@return boolean
function methods:is_long(limit) return self.size > math.max(limit, self.weight) end

--- Records from one index to another as bytes, one with each call; nil, and true
--- at the end, or false where a record is gone.
---@param from integer
---@param to integer
---@return fun(): string?, boolean?
function methods:stream(from, to)
  local index = from - 1
  return function()
    if index >= to then return nil, true end
    index = index + 1
    local bytes = self.journal:record(index)
    if not bytes then return nil, false end
    return string.pack("<s4", bytes)
  end
end

return machine
