--- How the members of a quorate ring come to one log. All of them tell what they
--- have, until each has heard each in this ring: from then on nothing that one
--- says can be lost to another. Then one of them names the log that is the base.
--- Who has it goes on at once, all others fetch what they miss.

local durability = require("corolua.replica.durability")
local nonce = require("corolua.replica.nonce")
local wire = require("corolua.replica.wire")

local meeting = {}

-- How long the others wait for members that do not answer, in seconds; the next
-- in line waits as long again before it decides in place of the first.
local GRACE = 2


--- Tells the others what this member has.
---@param self corolua.replica.Member
function meeting.tell(self)
  local term, heard = self.machine:term(), {}
  for _, member in ipairs(self.members) do
    if self.heard[member] then heard[#heard + 1] = member end
  end
  local is_synced = self.phase == "synced"
  self:post(wire.status({
    seq = self.seq, is_synced = is_synced, is_strict = self.is_strict,
    round = self.round, nonce = is_synced and self.nonce or 0,
    has_accepted = self.accepted == self.round,
    last_seq = term.seq, last_round = term.round, last_nonce = term.nonce,
    last = self.machine.last,
    written = is_synced and self:written() or 0,
    votes = self.votes.votes, expected = self.votes.expected, heard = heard,
  }))
end

local function hear_each_other(self, a, b)
  local first, second = self.statuses[a], self.statuses[b]
  return first ~= nil and second ~= nil and first.heard[tostring(b)] == true
    and second.heard[tostring(a)] == true
end

local function hears_all(self, member, others)
  for _, other in ipairs(others) do
    if not hear_each_other(self, member, other) then return false end
  end
  return true
end

-- The members that can decide together: undecided, in the same round, and each
-- hears each. As many as can be had, beginning with this one.
local function assembly(self)
  local list = {}
  local function add(member)
    local status = self.statuses[member]
    if not status or status.is_synced or status.has_accepted then return end
    if status.round ~= self.round then return end
    if not hears_all(self, member, list) or not status.heard[tostring(member)] then return end
    list[#list + 1] = member
  end
  add(self.room.me)
  if #list == 0 then return list end
  for _, member in ipairs(self.members) do
    if member ~= self.room.me then add(member) end
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

-- Whether these members may decide, and this one for them.
local function may_decide(self, members)
  local place = rank(self)
  local is_whole = #members == #self.members
  local has_waited = self:waited() > GRACE * place
  if not (is_whole and place == 1) and not has_waited then return false end
  if is_whole and not needs_majority(self, members) then return true end
  return durability.is_majority(self.statuses, self.members, members)
end

local function decide(self, members)
  local base = find_base(self, members)
  self:post(wire.decision({
    seq = self.seq, round = self.round, last_seq = base.last_seq, last_round = base.last_round,
    last_nonce = base.last_nonce, last = base.last, nonce = nonce.new(), members = members,
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
  local me = tostring(self.room.me)
  for _, member in ipairs(self.members) do
    local status = self.statuses[member]
    if not status or not status.heard[me] then return false end
  end
  return true
end

--- Looks at what is known, and does what it allows.
---@param self corolua.replica.Member
function meeting.consider(self)
  if self.phase ~= "meeting" then return end
  local host = find_host(self)
  if host then
    if hears_everybody(self) or self:waited() > GRACE then self:want(host) end
  elseif self.accepted == self.round then
    if self:waited() > GRACE then self:meet_again(self.round + 1) end
  elseif self.decided ~= self.round then
    local members = assembly(self)
    if #members > 0 and may_decide(self, members) then decide(self, members) end
  end
end

-- Everybody whom this member has heard is named in its status: it is told again
-- when there is somebody new.
local function hear(self, from)
  if self.heard[from] then return false end
  self.heard[from] = true
  return true
end

--- A member has told what it has.
---@param self corolua.replica.Member
---@param from userdata
---@param status corolua.replica.Status
function meeting.status(self, from, status)
  local is_new = hear(self, from)
  self.statuses[from] = status
  if self.phase == "synced" then
    self:take_ack(from, status.nonce, status.written)
    if not status.is_synced and from ~= self.room.me then self:tell_soon() end
  elseif self.phase == "meeting" then
    if not status.is_synced and status.round > self.round then
      return self:meet_again(status.round)
    end
    if is_new then self:tell_soon() end
    meeting.consider(self)
  end
end

local function has_base(self, decision)
  local term = self.machine:term()
  return term.seq == decision.last_seq and term.round == decision.last_round
    and term.nonce == decision.last_nonce and self.machine.last == decision.last
end

--- A log was named as the base. The first decision of a round counts. Those who
--- were in sync without being asked are so no more.
---@param self corolua.replica.Member
---@param decision corolua.replica.Decision
function meeting.decision(self, decision)
  if self.phase == "synced" then
    if decision.round > self.round then self:meet_again(decision.round) end
    return
  elseif decision.round < self.round or self.accepted == decision.round then
    return
  end
  self.round, self.accepted = decision.round, decision.round
  self:wait_from_now()
  if self.phase == "fetching" then self:stop_fetching() end
  if self.phase ~= "meeting" or not decision.members[tostring(self.room.me)] then return end
  if has_base(self, decision) then self:begin_term(decision.nonce) end
end

--- The highest round that members without sync have told of.
---@param self corolua.replica.Member
---@return integer
function meeting.highest_round(self)
  local highest = 1
  for _, status in pairs(self.statuses) do
    if not status.is_synced then highest = math.max(highest, status.round) end
  end
  return highest
end

return meeting
