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
local scheduler = require("corolua.task.scheduler")
local wire = require("corolua.replica.wire")

local recovery = {}

-- How long the others wait for members that do not answer, in seconds; the next
-- in line waits as long again before it decides in place of the first.
local GRACE = 2

-- By how much a round may be above the highest one that was told in this ring.
local LEAP = 1 << 20

--- Tells the others what this member has.
---@param self corolua.replica.Member
function recovery.tell(self)
  local term, heard = self.machine:term(), {}
  for _, member in ipairs(self.members) do
    if self.heard[member] then heard[#heard + 1] = member end
  end
  local is_synced = self.phase == "synced"
  local has_part = self.closed < self.round and self.rounds:may_decide(self.seq)
  self:post(wire.status(self.room.me, {
    seq = self.seq, is_synced = is_synced, is_strict = self.is_strict,
    round = self.round, nonce = is_synced and self.nonce or 0, has_accepted = not has_part,
    last_seq = term.seq, last_round = term.round, last_nonce = term.nonce,
    last = self.machine.last, written = is_synced and self:written() or 0, heard = heard,
  }))
  self:has_told()
end

local function has_heard(self, a, b)
  local status = self.statuses[a]
  return status ~= nil and status.heard[tostring(b)] == true
end

local function hear_each_other(self, member, others)
  for _, other in ipairs(others) do
    local is_mutual = has_heard(self, member, other) and has_heard(self, other, member)
    if not is_mutual then return false end
  end
  return true
end

-- Whether a member can decide together with others: undecided, in the same round,
-- and each hears each.
local function belongs_to(self, member, others, round)
  local status = self.statuses[member]
  return status ~= nil and not status.is_synced and not status.has_accepted
    and status.round == round and has_heard(self, member, member)
    and hear_each_other(self, member, others)
end

-- As many as can be had, beginning with this one.
local function assembly(self)
  local me, list = self.room.me, {}
  if not belongs_to(self, me, list, self.round) then return list end
  list[1] = me
  for _, member in ipairs(self.members) do
    if member ~= me and belongs_to(self, member, list, self.round) then list[#list + 1] = member end
  end
  return list
end

local function is_better(a, b)
  if a.last_seq ~= b.last_seq then return a.last_seq > b.last_seq end
  if a.last_round ~= b.last_round then return a.last_round > b.last_round end
  return a.last > b.last
end

-- The log whose last record is of the newest term, the longest among equals.
local function find_base(self, members)
  local base
  for _, member in ipairs(members) do
    local status = self.statuses[member]
    if not base or is_better(status, base) then base = status end
  end
  return base
end

local function rank(self)
  for i, member in ipairs(self.members) do
    if member == self.room.me then return i end
  end
  return math.huge
end

local function needs_majority(self, members)
  for _, member in ipairs(members) do
    if self.statuses[member].is_strict then return true end
  end
  return false
end

-- Whether these are enough to decide: all there are, or a majority.
local function are_enough(self, members)
  if #members == #self.members and not needs_majority(self, members) then return true end
  return commit_rule.is_majority(self.votes, self.members, members)
end

-- Whether these members may decide, and this one for them.
local function may_decide(self, members)
  local place = rank(self)
  local is_whole = #members == #self.members
  local has_waited = self:waited() > GRACE * place
  if not (is_whole and place == 1) and not has_waited then return false end
  return are_enough(self, members)
end

local function decide(self, members)
  local base = find_base(self, members)
  self:post(wire.decision(self.room.me, {
    seq = self.seq, round = self.round, last_seq = base.last_seq, last_round = base.last_round,
    last_nonce = base.last_nonce, last = base.last, nonce = scheduler.nonce(), members = members,
  }))
  self.decided = self.round
end

-- A synced member to fetch from, another one with each attempt.
local function find_host(self)
  local hosts = {}
  for _, member in ipairs(self.members) do
    local status = self.statuses[member]
    if status and status.is_synced and member ~= self.room.me then hosts[#hosts + 1] = member end
  end
  return hosts[1] and hosts[1 + self.attempts % #hosts]
end

local function hears_everybody(self)
  for _, member in ipairs(self.members) do
    if not has_heard(self, member, self.room.me) then return false end
  end
  return true
end

--- Looks at what is known, and does what it allows.
---@param self corolua.replica.Member
function recovery.consider(self)
  if self.phase ~= "meeting" then return end
  local host = find_host(self)
  if host then
    if hears_everybody(self) or self:waited() > GRACE then self:want(host) end
  elseif self.closed >= self.round then
    if self:waited() > GRACE then self:meet_again(self.closed + 1) end
  elseif self.decided ~= self.round then
    local members = assembly(self)
    if #members > 0 and may_decide(self, members) then decide(self, members) end
  end
end

-- The highest round that a status tells of: its own, or that of a term of this ring.
local function round_of(self, status)
  if status.last_seq ~= self.seq then return status.round end
  return math.max(status.round, status.last_round)
end

-- Whether a round can be, by what was told before. One that is too high is told
-- again and again by those who are in it, and each time brings the limit nearer:
-- who has joined this ring late gets there too.
local function is_round(self, round)
  local highest = math.max(self.highest, self.round)
  self.highest = math.max(highest, math.min(round, highest + LEAP))
  return round <= highest + LEAP
end

-- Members with a majority go on in another term: that of this one is over.
local function is_left_behind(self, of)
  local list = {}
  for _, member in ipairs(self.members) do
    local status = self.statuses[member]
    if status and status.is_synced and status.nonce == of then list[#list + 1] = member end
  end
  return commit_rule.is_majority(self.votes, self.members, list)
end

local function hear_while_synced(self, from, status)
  if status.is_synced and status.nonce ~= self.nonce then
    if is_left_behind(self, status.nonce) then self:meet_again(self.round + 1) end
    return
  end
  if status.is_synced then return self:take_ack(from, status) end
  if from ~= self.room.me then self:tell_soon() end
end

local function hear_while_meeting(self, from, status, is_new)
  if not status.is_synced and status.round > self.round then
    return self:meet_again(status.round)
  end
  local is_behind = status.round < self.round and not status.is_synced
  if is_new or is_behind and from ~= self.room.me then self:tell_soon() end
  recovery.consider(self)
end

local TOO_HIGH = "round %d is too far above %d, the highest one told in this ring"

--- A member has told what it has. Everybody whom this member has heard is named in
--- its status: it is told again when there is somebody new.
---@param self corolua.replica.Member
---@param from corosync.Member
---@param status corolua.replica.Status
---@return string? why it cannot be right
function recovery.status(self, from, status)
  local highest = self.highest
  if not is_round(self, round_of(self, status)) and not status.is_synced then
    if self.phase == "meeting" then self:tell_soon() end
    return TOO_HIGH:format(round_of(self, status), highest)
  end
  local is_new = not self.heard[from]
  self.heard[from], self.statuses[from] = true, status
  if self.phase == "synced" then
    return hear_while_synced(self, from, status)
  elseif self.phase == "meeting" then
    hear_while_meeting(self, from, status, is_new)
  end
end

-- The members that a decision names, and how many of them are not there.
local function named(self, decision)
  local list, missing = {}, 0
  for _ in pairs(decision.members) do missing = missing + 1 end
  for _, member in ipairs(self.members) do
    if decision.members[tostring(member)] then
      list[#list + 1], missing = member, missing - 1
    end
  end
  return list, missing
end

local function is_base(status, decision)
  return status.last_seq == decision.last_seq and status.last_round == decision.last_round
    and status.last_nonce == decision.last_nonce and status.last == decision.last
end

-- Whether the members that are named have told what the decision says of them.
local function is_right(self, decision, members)
  local others = {}
  for _, member in ipairs(members) do
    if not belongs_to(self, member, others, decision.round) then return false end
    others[#others + 1] = member
  end
  local base = find_base(self, members)
  local is_later = base.last_seq ~= self.seq or base.last_round < decision.round
  return is_later and is_base(base, decision) and are_enough(self, members)
end

local function has_base(self, decision)
  local term = self.machine:term()
  return term.seq == decision.last_seq and term.round == decision.last_round
    and term.nonce == decision.last_nonce and self.machine.last == decision.last
end

local WRONG = "the members that it names have not told what it says"

-- Those who were in sync without being asked are so no more.
local function decide_while_synced(self, decision, is_good)
  if not is_good then return WRONG end
  self:meet_again(decision.round + 1)
end

local function close_round(self, round)
  self.closed = round
  self:wait_from_now()
  if self.phase == "fetching" then self:stop_fetching() end
end

--- A log was named as the base.
---@param self corolua.replica.Member
---@param from corosync.Member
---@param decision corolua.replica.Decision
---@return string? why it cannot be right
function recovery.decision(self, from, decision)
  local members, missing = named(self, decision)
  if from == self.room.me then self.decided = nil end
  if not decision.members[tostring(from)] then return "its sender is not among those it names" end
  if missing > 0 then return "it names members that are not there" end
  local highest = self.highest
  if not is_round(self, decision.round) then return TOO_HIGH:format(decision.round, highest) end
  if decision.round < self.round or decision.round <= self.closed then return end
  local is_good = is_right(self, decision, members)
  if self.phase == "synced" then return decide_while_synced(self, decision, is_good) end
  local has_part = self.round == decision.round and decision.members[tostring(self.room.me)]
  close_round(self, decision.round)
  if self.phase ~= "meeting" or not has_part then return end
  if not is_good then
    self:meet_again(decision.round + 1)
    return WRONG
  end
  if has_base(self, decision) then self:begin_term(decision.nonce) end
end

--- The lowest round that this member can take part in, by what was told.
---@param self corolua.replica.Member
---@return integer
function recovery.least_round(self)
  local term = self.machine:term()
  local least = math.max(1, self.closed + 1, term.seq == self.seq and term.round + 1 or 1)
  for _, status in pairs(self.statuses) do
    if not status.is_synced then least = math.max(least, status.round) end
    if status.last_seq == self.seq and not status.is_synced then
      least = math.max(least, status.last_round + 1)
    end
  end
  return least
end

return recovery
