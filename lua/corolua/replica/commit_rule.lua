--- Up to which record the log is as durable as was asked. Members tell how far
--- their log is on their disk; that counts in the term in which it was told. A
--- majority is one of the votes of all nodes that the cluster expects, not only
--- of those that are there, as the own votequorum has them: no member can tell
--- another what a node counts.

local commit_rule = {}

---@class corolua.replica.Commit
---@field member corolua.replica.Member
---@field level "delivered"|"written"|"majority"|"all"
---@field is_strict boolean the level needs members that hold a majority
---@field is_on_disk boolean
---@field proven integer index of the last record before which no message is missing
---@field is_proving boolean? an own message is under way that will prove more
---@field told_written integer what the others were told to be on the disk here
---@field acks table<corosync.Member, corolua.replica.Written> what others have told in this ring
local methods = {}
local commit_mt = { __index = methods }

---@class corolua.replica.Written
---@field nonce integer of the term
---@field written integer index of the last record of it that is on the disk

---@class corolua.replica.Votes
---@field votes table<integer, integer>? by nodeid; without a quorum provider each has one
---@field expected integer of the cluster; 0 is unknown

-- The votes of a node, and how many are expected where these are the members.
local function votes_of(votes, nodeid)
  if not votes.votes then return 1 end
  return votes.votes[nodeid] or 0
end

local function expected(votes, everybody)
  if votes.expected > 0 then return votes.expected end
  local seen, sum = {}, 0
  for _, member in ipairs(everybody) do
    local nodeid = member.nodeid
    if not seen[nodeid] then sum = sum + votes_of(votes, nodeid) end
    seen[nodeid] = true
  end
  return sum
end

-- What each node has written: the least of its members.
local function by_node(members, written)
  local nodes = {}
  for _, member in ipairs(members) do
    local index = written[member] or 0
    nodes[member.nodeid] = math.min(nodes[member.nodeid] or index, index)
  end
  return nodes
end

-- The last record that a majority has written; 0 if there is none.
local function majority(votes, members, written)
  local list = {}
  for nodeid, index in pairs(by_node(members, written)) do
    list[#list + 1] = { index = index, votes = votes_of(votes, nodeid) }
  end
  table.sort(list, function(a, b) return a.index > b.index end)
  local sum, needed = 0, expected(votes, members)
  for _, node in ipairs(list) do
    sum = sum + node.votes
    if 2 * sum > needed then return node.index end
  end
  return 0
end

--- Whether the nodes of these members have more than half of the votes. A node
--- counts if all of its members are among them: any other one may have more.
---@param votes corolua.replica.Votes
---@param everybody corosync.Member[] of the view
---@param members corosync.Member[] these
---@return boolean
function commit_rule.is_majority(votes, everybody, members)
  local is_among = {}
  for _, member in ipairs(members) do is_among[member] = 1 end
  return majority(votes, everybody, is_among) == 1
end

--- The last record that is durable.
---@param level "majority"|"all"
---@param votes corolua.replica.Votes
---@param members corosync.Member[] of the view
---@param written table<corosync.Member, integer> in this term
---@return integer
function commit_rule.reached(level, votes, members, written)
  local index = majority(votes, members, written)
  for _, member in ipairs(level == "all" and members or {}) do
    index = math.min(index, written[member] or 0)
  end
  return index
end

---@param member corolua.replica.Member
---@param given corolua.ReplicaOptions as checked
---@return corolua.replica.Commit
function commit_rule.new(member, given)
  local level = given.durable
  return setmetatable({
    member = member, level = level, is_strict = level == "majority" or level == "all",
    is_on_disk = given.dir ~= nil, proven = member.machine.last, told_written = 0, acks = {},
  }, commit_mt)
end

--- Another ring has come.
function methods:enter_ring() self.acks = {} end

--- A member is gone.
---@param gone corosync.Member
function methods:forget(gone) self.acks[gone] = nil end

--- How far the log is on the disk in this term, and will stay there: what is not
--- proven goes when the ring does. 0 where none of it is.
---@return integer
function methods:written()
  local machine = self.member.machine
  local written = math.min(machine.journal.written, self.proven)
  return self.is_on_disk and written >= machine:term().first and written or 0
end

-- What members have written in this term, by what they have told.
local function written_in_term(self)
  local member = self.member
  local written = { [member.room.me] = self:written() }
  for from, ack in pairs(self.acks) do
    if ack.nonce == member.nonce and from ~= member.room.me then written[from] = ack.written end
  end
  return written
end

-- How far the log is as durable as a level says.
local function reached(self, level)
  local index, member = 0, self.member
  if level == "delivered" then
    index = member.machine.last
  elseif level == "written" then
    index = member.journal.written
  elseif member.phase == "synced" then
    index = commit_rule.reached(level, member.recovery.votes, member.members,
      written_in_term(self))
  end
  return math.min(index, self.proven)
end

-- Whether the log of the term stays, as sure as what is acknowledged does. A
-- majority that has the marker is enough: without one of them nobody decides.
local function is_sure(self)
  local member, level = self.member, self.is_strict and "majority" or self.level
  return member.phase == "synced" and reached(self, level) >= member.machine:term().first
end

--- Answers those whose commands have become as durable as was asked, and those of
--- terms before once it is sure what became of them.
function methods:advance()
  local pending = self.member.pending
  if pending:is_waiting() then pending:advance(reached(self, self.level)) end
  if pending:is_open() and is_sure(self) then pending:conclude(self.member.life) end
end

local function acknowledge(self)
  local member = self.member
  self.told_written = self:written()
  member:say("ack", {
    nonce = member.nonce, written = self.told_written, last = member.machine.last,
  })
end

--- Has what is in the log proven: a message of this member that comes back in the
--- ring it was sent in shows that all before it came without a hole. One at a time
--- is on its way.
function methods:prove_soon()
  local member = self.member
  if self.is_proving or member.phase ~= "synced" or self.proven >= member.machine.last then
    return
  end
  self.is_proving = true
  acknowledge(self)
end

--- This member goes on with the others in a term.
function methods:begin()
  self.is_proving, self.told_written = false, 0
  self:prove_soon()
end

--- The log is one of which no message is missing.
function methods:prove_all() self.proven = self.member.machine.last end

local function is_ack_wanted(self)
  if self.is_strict then return true end
  for _, status in pairs(self.member.recovery.statuses) do
    if status.is_strict then return true end
  end
  return false
end

-- More of the log is sure to stay.
local function tell_written(self)
  local is_news = self.member.phase == "synced" and self:written() > self.told_written
  if is_news and is_ack_wanted(self) then acknowledge(self) end
end

local TOO_FAR = "it tells of record %d, and there are %d in this term"

--- A member has told how far its log is on its disk.
---@param from corosync.Member
---@param told corolua.replica.Ack|corolua.replica.Status
---@return string? why it cannot be right
function methods:take(from, told)
  local member = self.member
  if told.nonce ~= member.nonce then return end
  local last = member.machine.last
  if told.last > last then return TOO_FAR:format(told.last, last) end
  self.acks[from] = { nonce = told.nonce, written = told.written }
  self:advance()
end

--- It has told that by a message for nothing else; an own one proves the log.
---@param from corosync.Member
---@param ack corolua.replica.Ack
---@return string? why it cannot be right
function methods:take_ack(from, ack)
  if from == self.member.room.me and ack.nonce == self.member.nonce then
    self.is_proving = false
    self.proven = math.max(self.proven, ack.last)
    self:prove_soon()
    tell_written(self)
  end
  return self:take(from, ack)
end

--- More of the log is on the disk.
function methods:has_written()
  tell_written(self)
  self:advance()
end

return commit_rule
