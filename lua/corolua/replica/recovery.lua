--- How the members of a quorate ring come to one log. All of them tell what they
--- have, until each has heard each in this ring: from then on nothing that one
--- says can be lost to another. Then one of them names the log that is the base.
--- Who has it goes on at once, all others fetch what they miss.
---
--- A decision counts by what all have told in this ring, never by who sees it
--- when: whoever is named in it has the same statuses as all others who are, and
--- so comes to the same end. The first one of a round closes that round for
--- everybody, whether it counts or not.

local commit_rule = require("corolua.replica.commit_rule")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

local recovery = {}

---@class corolua.replica.Recovery
---@field member corolua.replica.Member
---@field votes corolua.replica.Votes
---@field round integer of the ring that this member takes part in, or its term is of
---@field closed integer the highest round of the ring in which a decision has come
---@field highest integer the highest round that was told in the ring, as far as it can be
---@field decided integer? a round in which an own decision is under way
---@field statuses table<corosync.Member, corolua.replica.Status> what was told in this ring
---@field heard table<corosync.Member, true> whom this member has heard in this ring
---@field waits_since number since when it waits for what it waits for now, in seconds
---@field told_at number when it has told what it has, in seconds
---@field is_to_tell boolean? it will
local methods = {}
local recovery_mt = { __index = methods }

-- How long the others wait for members that do not answer, in seconds; the next
-- in line waits as long again before it decides in place of the first.
local GRACE = 2

-- By how much a round may be above the highest one that was told in this ring.
local LEAP = 1 << 20

-- Seconds between two answers to those who ask what this member has.
local PAUSE, PAUSE_SYNCED = 0.002, 0.02

---@param member corolua.replica.Member
---@return corolua.replica.Recovery
function recovery.new(member)
  local self = setmetatable({ member = member, waits_since = 0, told_at = 0 }, recovery_mt)
  self:enter_ring()
  return self
end

--- Another ring has come: nothing was told in it.
function methods:enter_ring()
  self.statuses, self.heard, self.decided = {}, {}, nil
  self.round, self.closed, self.highest = 0, 0, 0
  self.votes = { votes = {}, expected = 0 }
end

--- A member is gone.
---@param gone corosync.Member
function methods:forget(gone) self.statuses[gone], self.heard[gone] = nil, nil end

--- Tells the others what this member has.
function methods:tell()
  local member, heard = self.member, {}
  local term, is_synced = member.machine:term(), member.phase == "synced"
  for _, one in ipairs(member.members) do
    if self.heard[one] then heard[#heard + 1] = one end
  end
  local has_part = self.closed < self.round and member.ballot:may_decide(member.seq)
  member:say("status", {
    is_synced = is_synced, is_strict = member.commit.is_strict,
    round = self.round, nonce = is_synced and member.nonce or 0, has_accepted = not has_part,
    last_seq = term.seq, last_round = term.round, last_nonce = term.nonce,
    last = member.machine.last, written = is_synced and member.commit:written() or 0,
    heard = heard,
  })
  self.told_at = scheduler.now()
end

-- Tells it, unless it has done so just now.
local function tell(self)
  local member = self.member
  local pause = member.phase == "synced" and PAUSE_SYNCED or PAUSE
  local left = self.told_at + pause - scheduler.now()
  local goes_on = left <= 0 or scheduler.sleep(left)
  self.is_to_tell = false
  if goes_on and (member.phase == "meeting" or member.phase == "synced") then self:tell() end
end

--- Tells what this member has, once for all who ask before it comes to that.
function methods:tell_soon()
  if self.is_to_tell then return end
  self.is_to_tell = true
  scheduler.spawn(tell, self)
end

--- What this member waits for is to come from now on.
function methods:wait_from_now() self.waits_since = scheduler.now() end

local function waited(self) return scheduler.now() - self.waits_since end

--- A round begins.
---@param votes corolua.replica.Votes of this ring
---@param round integer
function methods:begin(votes, round)
  self.votes, self.round = votes, round
  self:wait_from_now()
  self:tell()
end

--- This member is in a term that began in a round.
---@param round integer
function methods:end_in(round) self.round = round end

local function has_heard(self, a, b)
  local status = self.statuses[a]
  return status ~= nil and status.heard[tostring(b)] == true
end

local function hear_each_other(self, one, others)
  for _, other in ipairs(others) do
    if not (has_heard(self, one, other) and has_heard(self, other, one)) then return false end
  end
  return true
end

-- Whether a member can decide together with others: undecided, in the same round,
-- and each hears each.
local function belongs_to(self, one, others, round)
  local status = self.statuses[one]
  return status ~= nil and not status.is_synced and not status.has_accepted
    and status.round == round and has_heard(self, one, one) and hear_each_other(self, one, others)
end

-- As many as can be had, beginning with this one.
local function assembly(self)
  local me, list = self.member.room.me, {}
  if not belongs_to(self, me, list, self.round) then return list end
  list[1] = me
  for _, one in ipairs(self.member.members) do
    if one ~= me and belongs_to(self, one, list, self.round) then list[#list + 1] = one end
  end
  return list
end

local function is_better(a, b)
  if a.last_seq ~= b.last_seq then return a.last_seq > b.last_seq end
  if a.last_round ~= b.last_round then return a.last_round > b.last_round end
  return a.last > b.last
end

-- The log whose last record is of the newest term, the longest among equals.
local function find_base(self, list)
  local base
  for _, one in ipairs(list) do
    local status = self.statuses[one]
    if not base or is_better(status, base) then base = status end
  end
  return base
end

local function rank(self)
  for i, one in ipairs(self.member.members) do
    if one == self.member.room.me then return i end
  end
  return math.huge
end

local function needs_majority(self, list)
  for _, one in ipairs(list) do
    if self.statuses[one].is_strict then return true end
  end
  return false
end

local function is_majority(self, list)
  return commit_rule.is_majority(self.votes, self.member.members, list)
end

-- Whether these are enough to decide: all there are, or a majority.
local function are_enough(self, list)
  if #list == #self.member.members and not needs_majority(self, list) then return true end
  return is_majority(self, list)
end

-- Whether these members may decide, and this one for them.
local function may_decide(self, list)
  local place = rank(self)
  local is_whole = #list == #self.member.members
  if not (is_whole and place == 1) and waited(self) <= GRACE * place then return false end
  return are_enough(self, list)
end

local function decide(self, list)
  local base = find_base(self, list)
  self.member:say("decision", {
    round = self.round, last_seq = base.last_seq, last_round = base.last_round,
    last_nonce = base.last_nonce, last = base.last, nonce = scheduler.nonce(), members = list,
  })
  self.decided = self.round
end

-- The members in sync, in the term with a nonce if one is given.
local function in_sync(self, nonce)
  local list = {}
  for _, one in ipairs(self.member.members) do
    local status = self.statuses[one]
    local is_there = status and status.is_synced and (not nonce or status.nonce == nonce)
    if is_there then list[#list + 1] = one end
  end
  return list
end

-- A synced member to fetch from, another one with each attempt.
local function find_host(self)
  local hosts = in_sync(self)
  lists.remove(hosts, self.member.room.me)
  return hosts[1] and hosts[1 + self.member.attempts % #hosts]
end

local function hears_everybody(self)
  for _, one in ipairs(self.member.members) do
    if not has_heard(self, one, self.member.room.me) then return false end
  end
  return true
end

--- Looks at what is known, and does what it allows.
function methods:consider()
  local member = self.member
  if member.phase ~= "meeting" then return end
  local host = find_host(self)
  if host then
    if hears_everybody(self) or waited(self) > GRACE then member:fetch(host) end
  elseif self.closed >= self.round then
    if waited(self) > GRACE then member:meet_again(self.closed + 1) end
  elseif self.decided ~= self.round then
    local list = assembly(self)
    if #list > 0 and may_decide(self, list) then decide(self, list) end
  end
end

-- Whether a round can be, by what was told before. One that is too high is told
-- again and again by those who are in it, and each time brings the limit nearer:
-- who has joined this ring late gets there too.
local function is_round(self, round)
  local highest = math.max(self.highest, self.round)
  self.highest = math.max(highest, math.min(round, highest + LEAP))
  return round <= highest + LEAP
end

-- The highest round that a status tells of: its own, or that of a term of this ring.
local function round_of(self, status)
  if status.last_seq ~= self.member.seq then return status.round end
  return math.max(status.round, status.last_round)
end

local TOO_HIGH = "round %d is too far above %d, the highest one told in this ring"

--- A member has told what it has. Everybody whom this member has heard is named in
--- its status: it is told again when there is somebody new.
---@param from corosync.Member
---@param status corolua.replica.Status
---@return string? why it cannot be right
---@return boolean? is_new nothing was heard of it before
function methods:note(from, status)
  local highest, round = self.highest, round_of(self, status)
  if not is_round(self, round) and not status.is_synced then
    return TOO_HIGH:format(round, highest)
  end
  local is_new = not self.heard[from]
  self.heard[from], self.statuses[from] = true, status
  return nil, is_new
end

--- The same, while this member is in sync. Where members with a majority go on in
--- another term, that of this one is over.
---@param from corosync.Member
---@param status corolua.replica.Status
---@return string? why it cannot be right
function methods:hear_synced(from, status)
  local why, member = self:note(from, status), self.member
  if why then return why end
  if not status.is_synced then
    if from ~= member.room.me then self:tell_soon() end
  elseif status.nonce == member.nonce then
    return member.commit:take(from, status)
  elseif is_majority(self, in_sync(self, status.nonce)) then
    member:meet_again(self.round + 1)
  end
end

--- The same, while this member meets the others.
---@param from corosync.Member
---@param status corolua.replica.Status
---@return string? why it cannot be right
function methods:hear_meeting(from, status)
  local why, is_new = self:note(from, status)
  if why then
    self:tell_soon()
    return why
  elseif not status.is_synced and status.round > self.round then
    return self.member:meet_again(status.round)
  end
  local is_behind = status.round < self.round and not status.is_synced
  if is_new or is_behind and from ~= self.member.room.me then self:tell_soon() end
  self:consider()
end

-- The members that a decision names, and how many of them are not there.
local function named(self, decision)
  local list, missing = {}, 0
  for _ in pairs(decision.members) do missing = missing + 1 end
  for _, one in ipairs(self.member.members) do
    if decision.members[tostring(one)] then
      list[#list + 1], missing = one, missing - 1
    end
  end
  return list, missing
end

local function is_base(status, decision)
  return status.last_seq == decision.last_seq and status.last_round == decision.last_round
    and status.last_nonce == decision.last_nonce and status.last == decision.last
end

-- Whether the members that are named have told what the decision says of them.
local function is_right(self, decision, list)
  local others = {}
  for _, one in ipairs(list) do
    if not belongs_to(self, one, others, decision.round) then return false end
    others[#others + 1] = one
  end
  local base = find_base(self, list)
  local is_later = base.last_seq ~= self.member.seq or base.last_round < decision.round
  return is_later and is_base(base, decision) and are_enough(self, list)
end

local function has_base(self, decision)
  local machine = self.member.machine
  local term = machine:term()
  return term.seq == decision.last_seq and term.round == decision.last_round
    and term.nonce == decision.last_nonce and machine.last == decision.last
end

local WRONG = "the members that it names have not told what it says"

-- What a decision is: "late" where its round is over, else "right" or "wrong"; nil
-- and why where it is none.
local function judge(self, from, decision)
  local list, missing = named(self, decision)
  if from == self.member.room.me then self.decided = nil end
  if not decision.members[tostring(from)] then
    return nil, "its sender is not among those it names"
  elseif missing > 0 then
    return nil, "it names members that are not there"
  end
  local highest, round = self.highest, decision.round
  if not is_round(self, round) then return nil, TOO_HIGH:format(round, highest) end
  if round < self.round or round <= self.closed then return "late" end
  return is_right(self, decision, list) and "right" or "wrong"
end

--- A log was named as the base, while this member is in sync: if that was done by
--- those who may, it is so no more.
---@param from corosync.Member
---@param decision corolua.replica.Decision
---@return string? why it cannot be right
function methods:decide_synced(from, decision)
  local found, why = judge(self, from, decision)
  if found == "wrong" then return WRONG end
  if found == "right" then self.member:meet_again(decision.round + 1) end
  return why
end

--- The same, while this member has no part in a round.
---@param from corosync.Member
---@param decision corolua.replica.Decision
---@return string? why it cannot be right
---@return "right"|"wrong"|nil found where the decision has closed its round
function methods:close(from, decision)
  local found, why = judge(self, from, decision)
  if not found or found == "late" then return why end
  self.closed = decision.round
  self:wait_from_now()
  return nil, found
end

--- The same, while this member meets the others, or fetches what it misses.
---@param from corosync.Member
---@param decision corolua.replica.Decision
---@return string? why it cannot be right
function methods:decide_meeting(from, decision)
  local why, found = self:close(from, decision)
  if not found then return why end
  local member = self.member
  if member.fetching then member:stop_fetching() end
  local is_named = decision.members[tostring(member.room.me)]
  if self.round ~= decision.round or not is_named then return end
  if found == "wrong" then
    member:meet_again(decision.round + 1)
    return WRONG
  end
  if has_base(self, decision) then member:begin_term(decision.nonce) end
end

--- The lowest round that this member can take part in, by what was told.
---@return integer
function methods:least_round()
  local member = self.member
  local term = member.machine:term()
  local least = math.max(1, self.closed + 1, term.seq == member.seq and term.round + 1 or 1)
  for _, status in pairs(self.statuses) do
    if not status.is_synced then
      local after_term = status.last_seq == member.seq and status.last_round + 1 or 1
      least = math.max(least, status.round, after_term)
    end
  end
  return least
end

return recovery
