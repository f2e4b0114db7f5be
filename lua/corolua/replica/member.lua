--- A member of a replicated state machine: follows the rings of its group, comes
--- into sync with the others in each of them, and applies what they all apply.

local catch_up = require("corolua.replica.catch_up")
local digests = require("corolua.replica.digests")
local commit_rule = require("corolua.replica.commit_rule")
local lists = require("corolua.base.lists")
local meeting = require("corolua.replica.recovery")
local outbox = require("corolua.replica.send_queue")
local quorum = require("corolua.daemon.quorum")
local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local submits = require("corolua.replica.pending")
local wire = require("corolua.replica.wire")

---@class corolua.replica.Member
---@field phase "joining"|"inquorate"|"entering"|"meeting"|"fetching"|"synced"|"down"|"over"
---@field seq integer? of the ring
---@field nonce integer? of the term, while it is synced
---@field statuses table<corosync.Member, corolua.replica.Status> told in this ring
---@field heard table<corosync.Member, true> whom this member has heard in this ring
local methods = {}
local member_mt = { __index = methods }

local member = {}

-- Seconds between two attempts to come into sync.
local TICK = 0.2

local VOTES_TIMEOUT = 5

-- Seconds between two answers to those who ask what this member has.
local PAUSE, PAUSE_SYNCED = 0.002, 0.02

-- Bytes of commands that wait while this member fetches what is before them.
local MAX_QUEUE = 64 * 1024 * 1024

-- Those who wait for this member to be in sync look again, in their order.
local function wake(self)
  local ids = {}
  for id in pairs(self.waiting) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do
    local resume = self.waiting[id]
    if resume then resume(true) end
  end
end

---@param room corolua.Group
---@param given corolua.ReplicaOptions as checked
---@param machine corolua.replica.Machine
---@param rounds corolua.replica.Rounds
---@param events corolua.Events
---@return corolua.replica.Member
function member.new(room, given, machine, rounds, events)
  local self = setmetatable({
    room = room, machine = machine, journal = machine.journal, rounds = rounds, events = events,
    level = given.durable, is_strict = commit_rule.is_strict[given.durable],
    is_on_disk = given.dir ~= nil, snapshot_after = given.snapshot_after, max_queue = MAX_QUEUE,
    origin = scheduler.nonce(), submits = submits.new(), outbox = outbox.new(room),
    phase = "joining", visit = 0, proven = machine.last, life = 1, attempts = 0, round = 0,
    closed = 0, highest = 0, least = 1, told_written = 0, members = {}, statuses = {},
    heard = {}, acks = {}, transfers = {}, waiting = {}, last_waiting = 0, told_at = 0,
    votes = { votes = {}, expected = 0 },
  }, member_mt)
  self.digests = digests.new(self, given)
  self.submits.on_closed = function() wake(self) end
  machine.on_applied = function(origin, number, index, result, meta)
    local me = room.me
    if origin ~= self.origin or meta.nodeid ~= me.nodeid or meta.pid ~= me.pid then return end
    self.submits:take(number, index, result)
  end
  return self
end

--- Says something to all members.
---@param bytes string
function methods:post(bytes) self.outbox:post(bytes) end

-- Tells what this member has, unless it has done so just now.
local function tell(self)
  local pause = self.phase == "synced" and PAUSE_SYNCED or PAUSE
  local left = self.told_at + pause - scheduler.now()
  local goes_on = left <= 0 or scheduler.sleep(left)
  self.is_to_tell = false
  if goes_on and (self.phase == "meeting" or self.phase == "synced") then meeting.tell(self) end
end

--- Tells what this member has, once for all who ask before it comes to that.
function methods:tell_soon()
  if self.is_to_tell then return end
  self.is_to_tell = true
  scheduler.spawn(tell, self)
end

--- It has been told.
function methods:has_told() self.told_at = scheduler.now() end

--- Seconds since this member waits for what it waits for now.
---@return number
function methods:waited() return scheduler.now() - self.waits_since end

function methods:wait_from_now() self.waits_since = scheduler.now() end

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

local function stop_transfers(self)
  local list = self.transfers
  self.transfers = {}
  for _, running in pairs(list) do running:stop() end
end

--- A transfer from here is over.
---@param ended corolua.replica.Transfer
function methods:transfer_ended(ended)
  if self.transfers[ended.to] == ended then self.transfers[ended.to] = nil end
end

--- What was asked for does not come, or is not wanted any more.
function methods:stop_fetching() self.phase, self.catch_up = "meeting", nil end

local function tick(self)
  if self.phase == "fetching" and self.catch_up:is_stuck() then
    self:stop_fetching()
    self:wait_from_now()
  end
  if self.phase ~= "meeting" then return end
  meeting.tell(self)
  meeting.consider(self)
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
  if self.proven >= self.machine.last then return end
  self.submits:take_back(self.proven)
  local done, message, code = self.machine:cut(self.proven)
  if not done then
    return self:fail(message or "the log cannot go back", code or "ERR_CORRUPT")
  end
  scheduler.spawn(build, self)
end

-- Out of sync, for whatever comes next: whether that is still what is to come.
local function step_out(self, phase)
  local was_synced = self.phase == "synced"
  self.phase, self.catch_up, self.nonce = phase, nil, nil
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
  self.outbox:clear()
  self.submits:fail(message, code)
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
    self.rounds:enter(self.seq, math.max(self.least, meeting.least_round(self)))
  if self.phase == "over" then return end
  if not round then return self:fail(message, code) end
  if self.visit ~= visit then return end
  self.votes, self.round, self.phase = votes, round, "meeting"
  self:wait_from_now()
  meeting.tell(self)
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
  self.submits:lose_quorum(self.seq, self.life)
  wake(self)
end

local function enter_ring(self, view)
  self.seq, self.is_quorate, self.members = view.ring.seq, view.quorate, view.members
  self.statuses, self.heard, self.acks = {}, {}, {}
  self.decided, self.round, self.closed, self.highest = nil, 0, 0, 0
  self.votes = { votes = {}, expected = 0 }
  self.outbox:clear()
  if view.quorate then return self:meet_again() end
  lose_quorum(self)
end

-- Quorum came or went without another ring, which not all members notice at the
-- same place of the order.
local function change_quorum(self, is_quorate)
  self.is_quorate = is_quorate
  if is_quorate then return self:meet_again(self.round + 1) end
  lose_quorum(self)
end

local function forget(self, gone)
  self.statuses[gone], self.heard[gone], self.acks[gone] = nil, nil, nil
  self.digests:forget(gone)
  local running = self.transfers[gone]
  if running then running:stop() end
  if self.catch_up and self.catch_up.host == gone then
    self:stop_fetching()
  end
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
  self:advance()
  if self.phase == "meeting" then self:tell_soon() end
  meeting.consider(self)
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
  self.outbox:clear()
  wake(self)
end

--- How far the log is on the disk in this term, and will stay there: what is not
--- proven goes when the ring does. 0 where none of it is.
---@return integer
function methods:written()
  local written = math.min(self.journal.written, self.proven)
  return self.is_on_disk and written >= self.machine:term().first and written or 0
end

-- What members have written in this term, by what they have told.
local function written_in_term(self)
  local written = { [self.room.me] = self:written() }
  for from, ack in pairs(self.acks) do
    if ack.nonce == self.nonce and from ~= self.room.me then written[from] = ack.written end
  end
  return written
end

-- How far the log is as durable as a level says.
local function reached(self, level)
  local index = 0
  if level == "delivered" then
    index = self.machine.last
  elseif level == "written" then
    index = self.journal.written
  elseif self.phase == "synced" then
    index = commit_rule.reached(level, self.votes, self.members, written_in_term(self))
  end
  return math.min(index, self.proven)
end

-- Whether the log of the term stays, as sure as what is acknowledged does. A
-- majority that has the marker is enough: without one of them nobody decides.
local function is_sure(self)
  local level = self.is_strict and "majority" or self.level
  return self.phase == "synced" and reached(self, level) >= self.machine:term().first
end

--- Answers those whose commands have become as durable as was asked, and those of
--- terms before once it is sure what became of them.
function methods:advance()
  if self.submits:is_waiting() then self.submits:advance(reached(self, self.level)) end
  if self.submits:is_open() and is_sure(self) then self.submits:conclude(self.life) end
end

local function acknowledge(self)
  self.told_written = self:written()
  self:post(wire.ack(self.room.me, self.seq, self.nonce, self.told_written, self.machine.last))
end

--- Has what is in the log proven: a message of this member that comes back in the
--- ring it was sent in shows that all before it came without a hole. One at a time
--- is on its way.
function methods:prove_soon()
  if self.is_proving or self.phase ~= "synced" or self.proven >= self.machine.last then return end
  self.is_proving = true
  acknowledge(self)
end

local function is_ack_wanted(self)
  if self.is_strict then return true end
  for _, status in pairs(self.statuses) do
    if status.is_strict then return true end
  end
  return false
end

-- More of the log is sure to stay.
local function tell_written(self)
  local is_news = self.phase == "synced" and self:written() > self.told_written
  if is_news and is_ack_wanted(self) then acknowledge(self) end
end

--- The log is proven up to an index.
---@param index integer
function methods:prove(index)
  self.is_proving = false
  self.proven = math.max(self.proven, index)
  self:prove_soon()
  tell_written(self)
end

local TOO_FAR = "it tells of record %d, and there are %d in this term"

--- A member has told how far its log is on its disk.
---@param from corosync.Member
---@param told { nonce: integer, written: integer, last: integer } nonce of the term
---@return string? why it cannot be right
function methods:take_ack(from, told)
  if self.phase ~= "synced" or told.nonce ~= self.nonce then return end
  if told.last > self.machine.last then return TOO_FAR:format(told.last, self.machine.last) end
  self.acks[from] = { nonce = told.nonce, written = told.written }
  self:advance()
end

--- More of the log is on the disk.
function methods:has_written()
  tell_written(self)
  self:advance()
end

--- This member has what all have, and goes on with them.
function methods:become_synced()
  local term = self.machine:term()
  self.phase, self.nonce, self.round, self.catch_up = "synced", term.nonce, term.round, nil
  self.digests:begin()
  set_ticking(self, false)
  self.is_proving, self.told_written = false, 0
  self:prove_soon()
  self.submits:settle(self:own_last())
  meeting.tell(self)
  self:advance()
  wake(self)
  self.events:tell("synced", self:status())
end

--- The log of this member is the base: a new term begins behind it.
---@param of integer nonce of the term
function methods:begin_term(of)
  self.proven = self.machine.last
  local done, message, code =
    self.machine:append(log_entry.marker(self.seq, self.round, of))
  if not done then return self:fail(message, code) end
  self:become_synced()
end

--- Asks a member for what is missing here.
---@param host corosync.Member
function methods:want(host)
  self.phase, self.attempts = "fetching", self.attempts + 1
  self.catch_up = catch_up.new(self, host)
end

--- The records after an index are dropped.
---@param index integer
function methods:log_cut(index) self.submits:take_back(index) end

--- The number of the last command of this replica that is in the log.
---@return integer
function methods:own_last()
  local me = self.room.me
  return self.machine.origins:last(self.origin, me.nodeid, me.pid)
end

--- The log is another one.
function methods:log_replaced() self.submits:replaced(self:own_last()) end

--- How things stand.
---@return corolua.ReplicaStatus
function methods:status()
  local state = self.phase
  if state == "entering" or state == "meeting" or state == "fetching" then state = "syncing" end
  if state == "over" then state = self.has_failed and "failed" or "closed" end
  local term, members = self.machine:term(), {}
  for i, one in ipairs(self.members) do
    local status = self.statuses[one]
    members[i] = { member = one, is_synced = status ~= nil and status.is_synced }
  end
  return {
    state = state, index = self.machine.last, written = self.journal.written,
    seq = term.seq, ring = self.seq, members = members,
    from = self.catch_up and self.catch_up.host or nil,
  }
end

return member
