--- What the members of an election were told, on one clock, and what must hold
--- for it.

local corolua = require("corolua")

local methods = {}
local log_mt = { __index = methods }

local election_log = {}

--- A log for so many nodes.
---@param seq_of fun(term: integer): integer the seq of a term's ring
function election_log.new(seq_of)
  return setmetatable({
    seq_of = seq_of,
    reigns = {}, -- in the order in which `elected` was told
    leaders = {}, -- by term: the member that somebody said leads it
    last = {}, -- by node: the last term that was told as led
    wrong = {}, notes = {}, changed = 0, late = 0, highest = 0,
    written = 0, refused = 0, newest_written = 0,
  }, log_mt)
end

function methods:blame(what, ...)
  self.wrong[what] = (self.wrong[what] or 0) + 1
  table.insert(self.notes, what .. ": " .. table.concat({ ... }, " "))
end

-- Whoever speaks of a term names the same leader.
local function check_leader(self, term, leader, node)
  local before = self.leaders[term]
  if before and before ~= leader then
    self:blame("two leaders in one term", term, before, leader, "at node", node)
  end
  self.leaders[term] = leader
end

-- What a node is told of as a leader's term never falls, join after join.
local function check_rise(self, term, node)
  local before = self.last[node] or 0
  if term < before then self:blame("a term that falls", term, "after", before, "at node", node) end
  self.last[node] = term
end

--- Follows what an election on a node tells.
function methods:follow(boss, node)
  local reign
  function boss.on.elected(term)
    local me = tostring(boss.group.me)
    if reign then self:blame("elected twice", term, me) end
    if term <= self.highest then self.late = self.late + 1 end
    self.highest = math.max(self.highest, term)
    check_leader(self, term, me, node)
    check_rise(self, term, node)
    reign = { term = term, leader = me, node = node, from = corolua.now() }
    table.insert(self.reigns, reign)
  end
  function boss.on.deposed(term)
    if not reign or reign.term ~= term then self:blame("deposed of another term", term, node) end
    if reign then reign.to = corolua.now() end
    reign = nil
  end
  function boss.on.changed(leader, term)
    self.changed = self.changed + 1
    if not leader then return end
    check_leader(self, term, tostring(leader), node)
    check_rise(self, term, node)
  end
end

--- What a store does with fencing tokens: it refuses what is older than the
--- newest one it has seen, and notes who wrote under which.
function methods:write(boss, node)
  if not boss:is_leader() then return end
  local term = boss.term
  check_leader(self, term, tostring(boss.group.me), node)
  self.written = self.written + 1
  if term < self.newest_written then
    self.refused = self.refused + 1
  else
    self.newest_written = term
  end
end

local function overlap_of(a, b, now)
  return math.min(a.to or now, b.to or now) - math.max(a.from, b.from)
end

--- How often two led at a time, in different terms, the longest of these times,
--- and how long there was a leader at all.
function methods:overlaps()
  local count, longest, now = 0, 0, corolua.now()
  for i, reign in ipairs(self.reigns) do
    for j = i + 1, #self.reigns do
      local seconds = overlap_of(reign, self.reigns[j], now)
      if seconds > 0 then
        count = count + 1
        longest = math.max(longest, seconds)
      end
    end
  end
  return count, longest
end

--- Blames reigns in rings that were not quorate by the words of libquorum.
function methods:check_quorum(witnesses)
  for _, reign in ipairs(self.reigns) do
    local seq, is_quorate = self.seq_of(reign.term), false
    for key, said in pairs(witnesses[reign.node].said) do
      if key:match("%.(%d+)$") == tostring(seq) and said then is_quorate = true end
    end
    if not is_quorate then self:blame("a leader without quorum", reign.term, reign.leader) end
  end
end

--- How many members led, and how often it was another one than before.
function methods:successions()
  local members, count, changes = {}, 0, 0
  for i, reign in ipairs(self.reigns) do
    if not members[reign.leader] then count = count + 1 end
    members[reign.leader] = true
    local before = self.reigns[i - 1]
    if before and before.leader ~= reign.leader then changes = changes + 1 end
  end
  return count, changes
end

return election_log
