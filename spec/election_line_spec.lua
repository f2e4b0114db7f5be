-- Not sanitized: Lua alone.
-- corolua.election.line against a model of corosync: rings, joins and leaves in a
-- total order that each member follows at its own pace, and first messages in a
-- ring that are lost for those who were not in the sender's ring before.
local line = require("corolua.election.line")
local term = require("corolua.election.term")
local wire = require("corolua.election.wire")

local MEMBERS, PHASES, STEPS_MAX, SETTLING = 5, 6, 60, 2000
local LOST_MAX = 3

local function keys_of(members)
  local keys = {}
  for i, member in ipairs(members) do keys[i] = member.key end
  return keys
end

local function has(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

local model = {}
local model_mt = { __index = model }

local function new_member(nodeid)
  local id = { nodeid = nodeid, pid = 100 }
  return { id = id, key = wire.key(id), line = line.new(), ring = 0, is_up = false }
end

local function new_model()
  local members = {}
  for i = 1, MEMBERS do members[i] = new_member(i) end
  return setmetatable({ members = members, seq = 0, leaders = {}, highest = 0 }, model_mt)
end

function model:append(event) table.insert(self.log, event) end

function model:send(member, bytes)
  self.sent[member] = (self.sent[member] or 0) + 1
  self:append({ from = member, number = self.sent[member], bytes = bytes })
end

-- What nobody had heard yet goes on in the next ring.
function model:send_again(log, furthest)
  for i = furthest + 1, #log do
    if has(self.group, log[i].from) then self:send(log[i].from, log[i].bytes) end
  end
end

-- A ring of some nodes begins. Those that come from the same ring have followed
-- it to the same point; who is left out has no quorum.
function model:change_ring(members)
  local furthest = {}
  for _, member in ipairs(members) do
    furthest[member.ring] = math.max(furthest[member.ring] or 0, member.at or 0)
  end
  for _, member in ipairs(members) do
    while member.is_up and member.at < furthest[member.ring] and self:follow(member) do end
  end
  local last, cut = self.log or {}, furthest[self.seq] or math.huge
  self.seq = self.seq + 4
  self.log, self.sent, self.group, self.stranger = {}, {}, {}, nil
  for _, member in ipairs(self.members) do
    if has(members, member) then
      member.before, member.ring, member.at = member.ring, self.seq, 0
      if member.is_up then table.insert(self.group, member) end
    elseif member.ring ~= 0 and member.is_up then
      member.is_away = true
      member.line:lose_quorum()
      member.line:resign()
      member.ring = -member.key:byte() -- a ring of its own
    end
  end
  self.ring = { nodeid = 1, seq = self.seq }
  for _, member in ipairs(self.group) do
    member.lost = {}
    member.line:enter(member.key, self.ring, keys_of(self.group), not member.line.ring)
  end
  self:send_again(last, cut)
end

-- What a member has to say goes to the end of the order.
function model:speak(member, again)
  local message = member.line:next_message(again)
  while message do
    self:send(member, wire.encode(message, member.id))
    member.line:has_said(message)
    message = member.line:next_message()
  end
end

-- The first few messages of a sender from elsewhere may not come.
local function is_lost(member, event)
  local from = event.from
  if from == member or from.before == member.before then return false end
  member.lost[from] = member.lost[from] or math.random(0, LOST_MAX)
  return event.number <= member.lost[from]
end

function model:check_leader(member)
  local agreed = member.line
  if agreed.leader ~= member.key then return end
  local number = term.of(self.seq, agreed.counter)
  local before = self.leaders[number]
  assert(before == nil or before == member, "two leaders in one term")
  assert(before or number > self.highest, "a term that does not rise")
  self.leaders[number], self.highest = member, math.max(number, self.highest)
end

function model:hear(member, event)
  if is_lost(member, event) then return end
  local message = wire.decode(event.bytes, event.from.id)
  assert(message or event.from.is_stranger)
  if message then member.line:hear(event.from.key, message) end
  self:check_leader(member)
end

-- The next event of a member; false if there is none.
function model:follow(member)
  local event = self.log[member.at + 1]
  if not event then return false end
  member.at = member.at + 1
  if event.from then
    self:hear(member, event)
  elseif event.joined == member then
    member.line:enter(member.key, self.ring, event.keys, true)
  else
    member.line:change(event.keys)
  end
  return true
end

local function by_key(a, b) return a.key < b.key end

-- The keys of all who are there, the stranger included.
function model:keys()
  local all = { table.unpack(self.group) }
  table.insert(all, self.stranger)
  table.sort(all, by_key)
  return keys_of(all)
end

function model:join(member)
  member.is_up, member.is_away, member.line, member.lost = true, true, line.new(), {}
  table.insert(self.group, member)
  table.sort(self.group, by_key)
  member.at = #self.log
  self:append({ joined = member, keys = self:keys() })
end

function model:leave(member)
  member.is_up = false
  for i, one in ipairs(self.group) do
    if one == member then table.remove(self.group, i) break end
  end
  self:append({ keys = self:keys() })
end

local function pick(list) return list[math.random(#list)] end

local function some_of(list, least)
  local copy, count = { table.unpack(list) }, math.random(least, #list)
  while #copy > count do table.remove(copy, math.random(#copy)) end
  return copy
end

-- A member that is none of an election comes, as the first by its key or the last.
function model:invite()
  self.stranger = new_member(pick({ 0, MEMBERS + 1 }))
  self.stranger.is_stranger, self.stranger.before = true, {}
  self:append({ keys = self:keys() })
end

function model:dismiss()
  self.stranger = nil
  self:append({ keys = self:keys() })
end

local function shuffled(list)
  local copy = { table.unpack(list) }
  for i = #copy, 2, -1 do
    local j = math.random(i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

local function any_counter()
  return pick({ 0, math.random(1000), 1 << 20, 1 << 33, 1 << 34, (1 << 38) - 1 })
end

-- What it says is in order by its form, and anything else is as it comes.
function model:lie()
  local keys = self:keys()
  local from = self.stranger
  local message = {
    kind = pick({ "state", "line", "claim" }), nodeid = 1, seq = self.seq,
    kept = pick({ 0, self.seq, 1 << 62 }), keys = some_of(shuffled(keys), 1),
    fresh = math.random(2) == 1, settled = math.random(2) == 1, seniors = math.random(0, 9),
    ticks = any_counter(), counter = any_counter(), leader = pick(keys),
    heard = math.random(2) == 1 and keys or some_of(keys, 1),
  }
  if math.random(3) == 1 then message.keys = shuffled(keys) end
  local bytes = wire.encode(message, from.id)
  local heard = self.log[math.random(#self.log)]
  if heard and heard.bytes and math.random(4) == 1 then bytes = heard.bytes end
  self:send(from, bytes)
end

function model:meddle()
  if #self.group == 0 then return end
  if not self.stranger then return self:invite() end
  if math.random(20) == 1 then return self:dismiss() end
  self:lie()
end

-- Whether another one is in line. Where a group begins anew within its ring only
-- clocks keep terms apart, and a stranger may have led them ahead of all clocks.
function model:is_known_without(member)
  for _, other in ipairs(self.group) do
    if other ~= member and other.line.is_in then return true end
  end
  return false
end

function model:disturb()
  local what, member = math.random(4), pick(self.members)
  if what == 1 then
    self:change_ring(some_of(self.members, MEMBERS // 2 + 1))
  elseif what == 2 then
    member.line:resign()
  elseif member.ring ~= self.seq then
    return
  elseif member.is_up then
    if not self.has_stranger or self:is_known_without(member) then self:leave(member) end
  else
    self:join(member)
  end
end

function model:step()
  if #self.group == 0 then return end
  local member = pick(self.group)
  local was_there = self:follow(member)
  self:speak(member, not was_there and math.random() < 0.05)
end

local function is_settled(self)
  local first = self.group[1]
  for _, member in ipairs(self.group) do
    if member.at < #self.log or not member.line.is_in then return false end
    if member.line.leader ~= first.line.leader or not first.line.leader then return false end
    if #member.line.order ~= #self.group then return false end
  end
  return true
end

function model:settle()
  for _ = 1, SETTLING do
    if is_settled(self) then break end
    self:step()
  end
  assert(is_settled(self), "no common leader")
  for _, member in ipairs(self.group) do
    assert.same(self.group[1].line.order, member.line.order)
    assert.equal(member.line.order[1], member.line.leader)
  end
end

-- Those that were there all the time come first, in the order they were in.
function model:check_order()
  local order, stayed = self.group[1].line.order, {}
  for _, key in ipairs(self.order or {}) do
    for _, member in ipairs(self.group) do
      if member.key == key and not member.is_away then table.insert(stayed, key) end
    end
  end
  assert.same(stayed, { table.unpack(order, 1, #stayed) })
  self.order = order
  for _, member in ipairs(self.group) do member.is_away = false end
end

local function play(seed, has_stranger)
  math.randomseed(seed)
  local self = new_model()
  self.has_stranger = has_stranger
  self:change_ring(self.members)
  for _ = 1, PHASES do
    for _ = 1, math.random(STEPS_MAX) do
      if math.random() < 0.06 then self:disturb() end
      if has_stranger and math.random() < 0.3 then self:meddle() end
      self:step()
    end
    if self.stranger then self:dismiss() end
    if #self.group == 0 then self:change_ring(self.members) end
    if #self.group == 0 then self:join(pick(self.members)) end
    self:settle()
    if not has_stranger then self:check_order() end
  end
  return self.highest
end

describe("election.wire", function()
  it("takes no more members than a group has", function()
    local me, keys = { nodeid = 1, pid = 1 }, {}
    for i = 1, 129 do keys[i] = wire.key({ nodeid = i, pid = 1 }) end
    local message = {
      kind = "state", nodeid = 1, seq = 4, kept = 0, seniors = 0, counter = 0, ticks = 0,
      keys = {}, heard = keys,
    }
    assert.is_nil((wire.decode(wire.encode(message, me), me)))
    message.kind = "line"
    message.keys = keys
    assert.is_nil((wire.decode(wire.encode(message, me), me)))
    keys[129] = nil
    assert.same(keys, wire.decode(wire.encode(message, me), me).keys)
  end)
end)

describe("election.line", function()
  local ticks, now = term.ticks, 0

  setup(function()
    term.ticks = function()
      now = now + 1
      return now
    end
  end)

  teardown(function() term.ticks = ticks end)

  local function play_thousand(has_stranger)
    local elected = 0
    for seed = 1, 1000 do
      now = 0
      local ok, problem = pcall(play, seed, has_stranger)
      assert(ok, ("seed %d: %s"):format(seed, tostring(problem)))
      if problem > 0 then elected = elected + 1 end
    end
    assert.equal(1000, elected)
  end

  it("agrees, and gives no term to two, in a thousand histories", function()
    play_thousand(false)
  end)

  it("does so whatever a stranger says, once that has left", function() play_thousand(true) end)
end)
