--- The state machine of a replica and its log: what is appended is applied. The
--- journal keeps the records on the disk; where records are dropped the state is
--- built anew beside the one there is, from the snapshot before them, and put in
--- its place at once.

local lists = require("corolua.base.lists")
local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local term_history = require("corolua.replica.term_history")
local wire = require("corolua.replica.wire")

local state_machine = {}

--- The number of the last command that was applied, by the member it came from
--- and the replica that the member had then. It is part of the state: it goes
--- with every snapshot, and what is forgotten of it depends on nothing but the
--- log. A member counts as what corosync says it is: no other one can use up its
--- numbers.
---@class corolua.replica.Sessions
---@field entries table<integer, corolua.replica.Session> by nodeid and pid in one
---@field count integer of them
local session_methods = {}
local sessions_mt = { __index = session_methods }

local sessions = {}

---@class corolua.replica.Session
---@field origin integer which replica the member had
---@field number integer of its last command
---@field index integer of that one's record

-- A process that is started anew is another member.
local KEPT, MAX = 256, 512

local ENTRY = "<I4I4i8i8i8"

local function key_of(nodeid, pid) return nodeid << 32 | pid end

---@return corolua.replica.Sessions
function sessions.new() return setmetatable({ entries = {}, count = 0 }, sessions_mt) end

-- The keys, the one that was heard of last before the others.
local function by_index(self)
  local list, entries = lists.keys(self.entries), self.entries
  table.sort(list, function(a, b) return entries[a].index > entries[b].index end)
  return list
end

local function forget_oldest(self)
  local list = by_index(self)
  for i = KEPT + 1, #list do self.entries[list[i]] = nil end
  self.count = KEPT
end

--- Takes note of a command; false if it, or a later one of that origin, has been
--- applied already.
---@param origin integer
---@param number integer
---@param index integer of its record
---@param nodeid integer
---@param pid integer
---@return boolean
function session_methods:note(origin, number, index, nodeid, pid)
  local key = key_of(nodeid, pid)
  local entry = self.entries[key]
  if entry and entry.origin == origin and number <= entry.number then return false end
  self.entries[key] = { origin = origin, number = number, index = index }
  if not entry then
    self.count = self.count + 1
    if self.count > MAX then forget_oldest(self) end
  end
  return true
end

--- The number of the last command of an origin that was applied; 0 if none.
---@param origin integer
---@param nodeid integer
---@param pid integer
---@return integer
function session_methods:last(origin, nodeid, pid)
  local entry = self.entries[key_of(nodeid, pid)]
  return entry and entry.origin == origin and entry.number or 0
end

---@return string
function session_methods:pack()
  local parts = {}
  for i, key in ipairs(by_index(self)) do
    local entry = self.entries[key]
    parts[i] = ENTRY:pack(key >> 32, key & 0xffffffff, entry.origin, entry.number, entry.index)
  end
  return string.pack("<I4", #parts) .. table.concat(parts)
end

--- Raises where the bytes are too few.
---@param bytes string
---@param at integer
---@return corolua.replica.Sessions, integer at
function sessions.unpack(bytes, at)
  local self = sessions.new()
  self.count, at = string.unpack("<I4", bytes, at)
  for _ = 1, self.count do
    local nodeid, pid, origin, number, index
    nodeid, pid, origin, number, index, at = ENTRY:unpack(bytes, at)
    self.entries[key_of(nodeid, pid)] = { origin = origin, number = number, index = index }
  end
  return self, at
end

state_machine.sessions = sessions

---@class corolua.replica.Kept a snapshot that is the journal's base, or may become it
---@field index integer of the last record it stands for
---@field snapshot string

---@class corolua.replica.StateMachine
---@field apply fun(state: any, command: any, meta: corolua.ReplicaMeta): any
---@field to_bytes fun(state: any): string
---@field from_bytes fun(bytes: string): any
---@field codec corolua.CustomCodec|false|nil of commands
---@field initial string the state before the first command
---@field journal corolua.Journal|corolua.replica.Memory
---@field on_applied fun(origin: integer, number: integer, index: integer, result: any,
---  meta: corolua.ReplicaMeta)
---@field state any
---@field last integer index of the last record that the state has
---@field terms corolua.replica.Term[]
---@field sessions corolua.replica.Sessions
---@field size integer bytes of the records behind the base
---@field weight integer bytes of the snapshot before them
---@field kept corolua.replica.Kept[]
---@field edition integer how often the log has gone back
---@field is_stale boolean the log has gone back behind the state
---@field is_applying boolean? a command is being applied, or has raised an error
---@field is_building boolean?
---@field is_compacting boolean? the journal is
local methods = {}
local state_machine_mt = { __index = methods }

-- Seconds of work after which others get their turn.
local SLICE = 0.02

-- What is compared with: a log without records.
local NO_TERM = { first = 0, seq = 0, round = 0, nonce = 0 }

local META_MARK = "CRM2"
local OLD = "the log is of version 1 of the replicas' format, and this program reads version 2"

local CLOSED = "the log is closed"

local function nothing() end

---@param given corolua.ReplicaOptions as checked
---@param journal corolua.Journal
---@return corolua.replica.StateMachine
function state_machine.new(given, journal)
  local base = journal.base
  return setmetatable({
    kept = { { index = base.index, snapshot = base.snapshot } },
    apply = given.apply, to_bytes = given.snapshot, from_bytes = given.restore,
    codec = given.codec, initial = given.initial, journal = journal, size = 0, weight = 0,
    terms = {}, sessions = sessions.new(), last = 0, on_applied = nothing,
    is_stale = true, edition = 0,
  }, state_machine_mt)
end

--- Has a function told of each command that is applied here from now on.
---@param fn fun(origin: integer, number: integer, index: integer, result: any,
---  meta: corolua.ReplicaMeta)
function methods:tell_applied(fn) self.on_applied = fn end

--- The term of the last record.
---@return corolua.replica.Term
function methods:term() return self.terms[#self.terms] or NO_TERM end

-- The snapshot of the journal's base. While a compaction ends, the base is the
-- old or the new one.
local function base_snapshot(self, index)
  for _, kept in ipairs(self.kept) do
    if kept.index == index then return kept.snapshot end
  end
  error(("the snapshot of record %d is missing"):format(index), 0)
end

local function take_marker(self, bytes)
  local seq, round, nonce = log_entry.read_marker(bytes)
  term_history.add(self.terms, { first = self.last, seq = seq, round = round, nonce = nonce })
end

-- A command that cannot be decoded is in the log of all alike, and does nothing.
local function take_command(self, bytes)
  local seq, origin, number, nodeid, pid, command = log_entry.read_command(bytes)
  if not self.sessions:note(origin, number, self.last, nodeid, pid) then return end
  local meta = { index = self.last, seq = seq, nodeid = nodeid, pid = pid }
  if self.codec then command = self.codec.decode(command) end
  if command == nil then return self.on_applied(origin, number, self.last, nil, meta) end
  self.is_applying = true
  local result = self.apply(self.state, command, meta)
  self.is_applying = false
  self.on_applied(origin, number, self.last, result, meta)
end

-- Does what a record says, which is the next one of the log.
local function take(self, bytes)
  if self.is_applying then
    error(("apply has raised an error at record %d"):format(self.last), 0)
  end
  self.last, self.size = self.last + 1, self.size + #bytes
  local kind = log_entry.kind(bytes)
  if kind == "command" then return take_command(self, bytes) end
  if kind == "marker" then return take_marker(self, bytes) end
  error(("record %d is none of a replica"):format(self.last), 0)
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

-- Another machine with the same functions, and an own state of its own.
local function beside(self, index, state)
  return setmetatable({
    apply = self.apply, codec = self.codec, on_applied = nothing,
    state = state, terms = {}, sessions = sessions.new(), last = index, size = 0,
  }, state_machine_mt)
end

-- What goes with a snapshot; raises where it cannot be read.
local function read_meta(self, meta)
  local at
  if meta:sub(1, #META_MARK) ~= META_MARK then error("it is of another version", 0) end
  self.terms, at = wire.read_terms(meta, #META_MARK + 1)
  self.sessions, at = sessions.unpack(meta, at)
  if at ~= #meta + 1 or not wire.are_terms(self.terms, self.last) then
    error("its terms cannot be", 0)
  end
end

local function from_base(self)
  local base = self.journal.base
  if base.index == 0 then return beside(self, 0, self.from_bytes(self.initial)) end
  local made = beside(self, base.index, self.from_bytes(base_snapshot(self, base.index)))
  read_meta(made, base.meta)
  return made
end

local function is_old(self)
  local base = self.journal.base
  if base.index > 0 then return base.meta:sub(1, #META_MARK) ~= META_MARK end
  local first = self.journal.last > 0 and self.journal:record(1)
  return first and log_entry.kind(first) == "old"
end

-- A command that raises is not forgotten: the state that there is cannot go on.
local function replay(self, made, bytes)
  self.is_applying = true
  take(made, bytes)
  self.is_applying = false
end

-- A state from what the journal has; it looks again at it behind each wait.
local function build_beside(self)
  local made, breathe, edition = from_base(self), breather(), self.edition
  local journal = self.journal
  while self.edition == edition do
    if journal.is_closed then return nil, CLOSED, "ERR_NOT_EXIST" end
    if made.last >= journal.last then return made end
    local bytes, message, code = journal:record(made.last + 1)
    if self.edition ~= edition then break end
    if not bytes then return nil, message, code end
    replay(self, made, bytes)
    breathe()
  end
  return build_beside(self)
end

-- Puts what was built in the place of what there is.
local function put_in_place(self, made)
  self.state, self.terms, self.sessions = made.state, made.terms, made.sessions
  self.last, self.size, self.is_stale = made.last, made.size, false
end

-- One at a time builds, and not while the journal's base changes.
local function wait_for_turn(self)
  local function is_free() return not self.is_compacting and not self.is_building end
  while not is_free() do
    local _, message, code = scheduler.wait(is_free)
    if code then return nil, message, code end
  end
  if self.journal.is_closed then return nil, CLOSED, "ERR_NOT_EXIST" end
  return true
end

-- Has something done by nobody else at the time.
local function alone(self, fn, ...)
  local ready, message, code = wait_for_turn(self)
  if not ready then return nil, message, code end
  self.is_building = true
  local _ <close> = setmetatable({}, { __close = function() self.is_building = false end })
  return fn(self, ...)
end

local function build(self)
  if not self.is_stale then return true end
  if is_old(self) then return nil, OLD, "ERR_VERSION" end
  local made, message, code = build_beside(self)
  if not made then return nil, message, code end
  put_in_place(self, made)
  return true
end

--- Brings the state to where the log is, if that has gone back.
---@return boolean? done, string? message, string? code
function methods:build() return alone(self, build) end

--- Drops the records after an index, from that of the journal's base on. The
--- state stays what it is until `build` is called. Does not wait.
---@param index integer
---@return boolean? done false if they begin before what the base stands for
---@return string? message, string? code
function methods:cut(index)
  local journal = self.journal
  if index == journal.last then return true end
  if index < journal.base.index then return false end
  local done, message, code = journal:cut(index)
  if not done then return nil, message, code end
  self.is_stale, self.edition = true, self.edition + 1
  return true
end

local function go_back(self, index)
  local done, message, code = self:cut(index)
  if not done then return done, message, code end
  return build(self)
end

--- Goes back to an index, log and state. Waits.
---@param index integer
---@return boolean? done false if that is before what the base stands for
---@return string? message, string? code
function methods:go_back(index) return alone(self, go_back, index) end

--- What stands for all records so far: a snapshot of the state, and what else
--- goes with it.
---@return string snapshot, string meta
function methods:take_snapshot()
  local bytes = self.to_bytes(self.state)
  if type(bytes) ~= "string" then
    error(("snapshot must return a string, got %s"):format(type(bytes)), 0)
  end
  return bytes, META_MARK .. wire.terms(self.terms) .. self.sessions:pack()
end

local function install(self, index, snapshot, meta)
  local read, made = pcall(function()
    local new = beside(self, index, self.from_bytes(snapshot))
    read_meta(new, meta)
    return new
  end)
  if not read then return false, tostring(made) end
  local kept = { index = index, snapshot = snapshot }
  table.insert(self.kept, kept)
  local done, message, code = self.journal:replace(index, snapshot, meta)
  if not done then return nil, message, code end
  self.kept = { kept }
  put_in_place(self, made)
  return true
end

--- Puts a snapshot of another member in the place of everything there is, once a
--- state was made of it.
---@param index integer of the last record it stands for
---@param snapshot string
---@param meta string
---@return boolean? done false if no state can be made of it
---@return string? message, string? code
function methods:install(index, snapshot, meta)
  return alone(self, install, index, snapshot, meta)
end

--- Puts a snapshot of now in the place of the records that it stands for. Waits;
--- records may be appended meanwhile.
---@param wait_sure fun(index: integer): boolean whether the records up to there stay
---@param snapshot string of `take_snapshot`, made now
---@param meta string
---@return boolean? done, string? message, string? code
function methods:compact(wait_sure, snapshot, meta)
  local index, size = self.last, self.size
  if not wait_sure(index) or self.journal.is_closed then return false end
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
---@param part integer? 2: half of that will do
---@return boolean
function methods:is_long(limit, part)
  return self.size * (part or 1) > math.max(limit, self.weight)
end

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
    local bytes = not self.journal.is_closed and self.journal:record(index)
    if not bytes then return nil, false end
    return string.pack("<s4", bytes)
  end
end

return state_machine
