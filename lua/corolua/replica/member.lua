--- A member of a replicated state machine: follows the rings of its group, comes
--- into sync with the others in each of them, and applies what they all apply. What
--- it is at is its phase; `dispatch` says what a message means in each of them. Its
--- fields are written here alone, those of its parts where these are.

local commit_rule = require("corolua.replica.commit_rule")
local lists = require("corolua.base.lists")
local log_entry = require("corolua.replica.log_entry")
local marks = require("corolua.replica.marks")
local pending = require("corolua.replica.pending")
local quorum = require("corolua.daemon.quorum")
local recovery = require("corolua.replica.recovery")
local scheduler = require("corolua.task.scheduler")
local send_queue = require("corolua.replica.send_queue")
local state_transfer = require("corolua.replica.state_transfer")
local wire = require("corolua.replica.wire")

---@class corolua.replica.Member
---@field room corolua.Group
---@field events corolua.Events
---@field machine corolua.replica.StateMachine
---@field journal corolua.Journal|corolua.replica.Memory of the machine
---@field ballot corolua.replica.Ballot
---@field recovery corolua.replica.Recovery what members have told in this ring
---@field commit corolua.replica.Commit
---@field marks corolua.replica.Marks
---@field pending corolua.replica.Pending
---@field send_queue corolua.replica.SendQueue
---@field origin integer of the commands of this replica
---@field phase "joining"|"inquorate"|"entering"|"meeting"|"fetching"|"synced"|"down"|"over"
---@field visit integer how often it has gone out of sync, or begun to come into it
---@field life integer of the connection to the daemon, from 1
---@field seq integer? of the ring
---@field is_quorate boolean? the ring is
---@field members corosync.Member[] of the view
---@field nonce integer? of the term, while it is synced
---@field fetching corolua.replica.Fetching? while it is fetching
---@field attempts integer to fetch
---@field transfers table<corosync.Member, corolua.replica.Transfer> from here, by whom to
---@field least integer of the round that is entered
---@field is_preparing boolean? a task prepares for a round
---@field ticking corolua.Timer? while there is something to come into sync with
---@field waiting table<integer, function> those who wait for sync, by number
---@field last_waiting integer
---@field ending { [1]: string, [2]: string }? why it is over, and the code of that
---@field has_failed boolean?
local methods = {}
local member_mt = { __index = methods }

local member = {}

-- Seconds between two attempts to come into sync.
local TICK = 0.2

local VOTES_TIMEOUT = 5

-- Those who wait for this member to be in sync look again, in their order.
local function wake(self)
  for _, id in ipairs(lists.keys(self.waiting)) do
    local resume = self.waiting[id]
    if resume then resume(true) end
  end
end

---@param room corolua.Group
---@param given corolua.ReplicaOptions as checked
---@param machine corolua.replica.StateMachine
---@param ballot corolua.replica.Ballot
---@param events corolua.Events
---@return corolua.replica.Member
function member.new(room, given, machine, ballot, events)
  local self = setmetatable({
    room = room, events = events, machine = machine, journal = machine.journal, ballot = ballot,
    origin = scheduler.nonce(), send_queue = send_queue.new(room), phase = "joining", visit = 0,
    life = 1, members = {}, attempts = 0, transfers = {}, least = 1, waiting = {}, last_waiting = 0,
  }, member_mt)
  self.pending = pending.new(function() wake(self) end)
  self.recovery = recovery.new(self)
  self.commit = commit_rule.new(self, given)
  self.marks = marks.new(self, given)
  machine:tell_applied(function(origin, number, index, result, meta)
    local me = room.me
    if origin ~= self.origin or meta.nodeid ~= me.nodeid or meta.pid ~= me.pid then return end
    self.pending:take(number, index, result)
  end)
  return self
end

--- Says something to all members of the ring.
---@param kind string as in `wire.write`
---@param fields corolua.replica.Fields of that kind, but for the seq of the ring
function methods:say(kind, fields)
  fields.seq = self.seq
  self.send_queue:post(wire.write(self.room.me, kind, fields))
end

--- Waits until something has changed for those who wait for sync.
---@param timeout number in seconds
---@return boolean? changed, string? message, string? code
function methods:wait_change(timeout)
  local id = self.last_waiting + 1
  self.last_waiting = id
  return scheduler.await(function(resume)
    self.waiting[id] = resume
    return function() self.waiting[id] = nil end
  end, timeout)
end

--- A transfer from here has begun.
---@param running corolua.replica.Transfer
function methods:transfer_begun(running) self.transfers[running.to] = running end

--- One is over.
---@param ended corolua.replica.Transfer
function methods:transfer_ended(ended)
  if self.transfers[ended.to] == ended then self.transfers[ended.to] = nil end
end

--- What is under way to a member is not wanted any more.
---@param to corosync.Member
function methods:stop_transfer(to)
  if self.transfers[to] then self.transfers[to]:stop() end
end

local function stop_transfers(self)
  for _, to in ipairs(lists.keys(self.transfers)) do self:stop_transfer(to) end
end

--- Asks a member for what is missing here.
---@param host corosync.Member
function methods:fetch(host)
  self.phase, self.attempts = "fetching", self.attempts + 1
  self.fetching = state_transfer.fetch(self, host)
end

--- What was asked for does not come, or is not wanted any more.
function methods:stop_fetching() self.phase, self.fetching = "meeting", nil end

local function tick(self)
  if self.phase == "fetching" and self.fetching:is_stuck() then
    self:stop_fetching()
    self.recovery:wait_from_now()
  end
  if self.phase ~= "meeting" then return end
  self.recovery:tell()
  self.recovery:consider()
end

local function set_ticking(self, is_ticking)
  if is_ticking and not self.ticking then
    self.ticking = scheduler.every(TICK, function() tick(self) end)
  elseif not is_ticking and self.ticking then
    self.ticking:cancel()
    self.ticking = nil
  end
end

-- Brings the state to where the log has gone back to.
local function build(self)
  local done, message, code = self.machine:build()
  if not done and code ~= "ERR_INTERRUPT" then self:fail(message, code) end
end

-- When a ring ends, corosync may still deliver messages behind others that it has
-- lost here. So what is not proven is taken back: another member may have it. The
-- log goes back at once, the state once it was built.
local function drop_unproven(self)
  local proven = self.commit.proven
  if proven >= self.machine.last then return end
  self.pending:take_back(proven)
  local done, message, code = self.machine:cut(proven)
  if not done then
    return self:fail(message or "the log cannot go back", code or "ERR_CORRUPT")
  end
  scheduler.spawn(build, self)
end

-- Out of sync, for whatever comes next: whether that is still what is to come.
local function step_out(self, phase)
  local was_synced = self.phase == "synced"
  self.phase, self.fetching, self.nonce = phase, nil, nil
  self.visit = self.visit + 1
  stop_transfers(self)
  if was_synced then self.events:tell("unsynced", self:status()) end
  if was_synced and phase ~= "over" then drop_unproven(self) end
  return self.phase == phase
end

--- Ends this member for good.
---@param message string
---@param code string
function methods:finish(message, code)
  if self.phase == "over" then return end
  step_out(self, "over")
  self.ending = { message, code }
  set_ticking(self, false)
  self.send_queue:clear()
  self.pending:fail(message, code)
  wake(self)
end

--- Something here does not work any more: this member leaves, and says why.
---@param message string
---@param code string
function methods:fail(message, code)
  if self.phase == "over" then return end
  self:finish(message, code)
  self.has_failed = true
  self.events:tell("failed", message, code)
  scheduler.spawn(function()
    self.room:leave()
    self.journal:close()
  end)
end

-- The votes of the own node; asked for again while the daemon is busy.
local function ask_votes(self, visit)
  while self.visit == visit do
    local found = quorum.votes(self.room.place, VOTES_TIMEOUT)
    if found then return found end
    if not scheduler.sleep(TICK) then return nil end
  end
end

-- The votes are those of this ring, and the round is on the disk, before this
-- member says anything in it.
local function prepare(self, visit)
  build(self)
  if self.visit ~= visit then return end
  local votes = ask_votes(self, visit)
  if self.visit ~= visit or not votes then return end
  local round, message, code =
    self.ballot:enter(self.seq, math.max(self.least, self.recovery:least_round()))
  if self.phase == "over" then return end
  if not round then return self:fail(message, code) end
  if self.visit ~= visit then return end
  self.phase = "meeting"
  self.recovery:begin(votes, round)
end

-- One at a time is prepared for, so that the rounds come to the disk in their order
-- and peers that call for one after the other cannot pile up tasks.
local function prepare_latest(self)
  local _ <close> = setmetatable({}, { __close = function() self.is_preparing = false end })
  local visit
  while self.phase == "entering" and self.visit ~= visit do
    visit = self.visit
    prepare(self, visit)
  end
end

--- Begins to meet the others of the ring, in a new round.
---@param least integer? number of the round
function methods:meet_again(least)
  if not step_out(self, "entering") then return end
  self.least = least or 1
  set_ticking(self, true)
  if self.is_preparing then return end
  self.is_preparing = true
  scheduler.spawn(prepare_latest, self)
end

local function lose_quorum(self)
  if not step_out(self, "inquorate") then return end
  set_ticking(self, false)
  self.pending:lose_quorum(self.seq, self.life)
  wake(self)
end

local function enter_ring(self, view)
  self.seq, self.is_quorate, self.members = view.ring.seq, view.quorate, view.members
  self.recovery:enter_ring()
  self.commit:enter_ring()
  self.send_queue:clear()
  if view.quorate then return self:meet_again() end
  lose_quorum(self)
end

-- Quorum came or went without another ring, which not all members notice at the
-- same place of the order.
local function change_quorum(self, is_quorate)
  self.is_quorate = is_quorate
  if is_quorate then return self:meet_again(self.recovery.round + 1) end
  lose_quorum(self)
end

local function forget(self, gone)
  for _, part in ipairs({ self.recovery, self.commit, self.marks }) do part:forget(gone) end
  self:stop_transfer(gone)
  if self.fetching and self.fetching.host == gone then self:stop_fetching() end
end

local function change_members(self, view)
  local before = self.members
  self.members = view.members
  for _, one in ipairs(before) do
    if not lists.contains(view.members, one) then forget(self, one) end
  end
  for _, change in ipairs(view.joined) do
    if lists.contains(before, change.member) then forget(self, change.member) end
  end
  self.commit:advance()
  if self.phase == "meeting" then self.recovery:tell_soon() end
  self.recovery:consider()
end

--- Looks whether the view that is being handled is another one than before.
function methods:follow()
  local view = self.room.view
  if self.phase == "over" then return end
  if view.ring.seq ~= self.seq then
    enter_ring(self, view)
  else
    if view.members ~= self.members then change_members(self, view) end
    if view.quorate ~= self.is_quorate then change_quorum(self, view.quorate) end
  end
end

--- The connection to the daemon is gone.
function methods:down()
  if self.phase == "over" or not step_out(self, "down") then return end
  self.seq, self.life = nil, self.life + 1
  set_ticking(self, false)
  self.send_queue:clear()
  wake(self)
end

-- The number of the last command of this replica that is in the log.
local function own_last(self)
  local me = self.room.me
  return self.machine.sessions:last(self.origin, me.nodeid, me.pid)
end

--- This member has what all have, and goes on with them.
function methods:become_synced()
  local term = self.machine:term()
  self.phase, self.nonce, self.fetching = "synced", term.nonce, nil
  self.recovery:end_in(term.round)
  self.marks:begin()
  set_ticking(self, false)
  self.commit:begin()
  self.pending:settle(own_last(self))
  self.recovery:tell()
  self.commit:advance()
  wake(self)
  self.events:tell("synced", self:status())
end

--- The log of this member is the base: a new term begins behind it.
---@param of integer nonce of the term
function methods:begin_term(of)
  self.commit:prove_all()
  local done, message, code =
    self.machine:append(log_entry.marker(self.seq, self.recovery.round, of))
  if not done then return self:fail(message, code) end
  self:become_synced()
end

--- The records after an index are dropped.
---@param index integer
function methods:log_cut(index) self.pending:take_back(index) end

--- The log is another one.
function methods:log_replaced() self.pending:replaced(own_last(self)) end

local STATES = { entering = "syncing", meeting = "syncing", fetching = "syncing" }

--- How things stand.
---@return corolua.ReplicaStatus
function methods:status()
  local state = STATES[self.phase] or self.phase
  if state == "over" then state = self.has_failed and "failed" or "closed" end
  local members = {}
  for i, one in ipairs(self.members) do
    local status = self.recovery.statuses[one]
    members[i] = { member = one, is_synced = status ~= nil and status.is_synced }
  end
  return {
    state = state, index = self.machine.last, written = self.journal.written,
    seq = self.machine:term().seq, ring = self.seq, members = members,
    from = self.fetching and self.fetching.host or nil,
  }
end

return member
