-- Replicas on a model of corosync: rings, partitions, nodes and processes that die
-- and come back. The replicas are the real ones; the group, the disk, the votes and
-- the clock are played. What the model has of corosync: a total order in each ring,
-- which each member follows at its own pace; members that go from one ring to the
-- next together have delivered the same; behind the last common message of a broken
-- ring, messages of those who are gone may be missing in front of others; the first
-- messages in a ring may not come to those from another ring.
local clock = require("spec.support.replica_clock")
local disks = require("spec.support.replica_disk")
local lists = require("corolua.base.lists")
local log = require("corolua.replica.log")
local state_machine = require("corolua.replica.state_machine")
local quorum = require("corolua.daemon.quorum")
local replica = require("corolua.replica")
local ballot = require("corolua.replica.ballot")
local scheduler = require("corolua.task.scheduler")
local service = require("corolua.service")

local world = {}
local methods = {}
local world_mt = { __index = methods }

local LOST_MAX = 3
local random = math.random

local function pick(list) return list[random(#list)] end

local function chance(part) return random() < part end

local id_mt = {
  __tostring = function(self) return ("%d/%d"):format(self.nodeid, self.pid) end,
}

local room_methods = {}
local room_mt = { __index = room_methods, __name = "corolua.group" }

function room_methods:try_send(bytes)
  local process = self.process
  local ring = process.ring
  if not ring then return nil, "no connection", "ERR_LIBRARY" end
  if not ring.is_quorate then return nil, "not quorate", "ERR_NOT_QUORATE" end
  process.world:append(ring, { from = process, bytes = bytes })
  return true
end

function room_methods:send(bytes) return self:try_send(bytes) end
function room_methods:join() return self.process.world:join(self.process) end
function room_methods:leave()
  self.state = "left"
  return true
end

local function apply(state, command, meta)
  state[#state + 1] = command
  assert(not state.set, "a state of another one")
  return meta.index
end

local function options(level)
  return {
    initial = {}, apply = apply, dir = "played", durable = level, snapshot_after = 600,
  }
end

--- Nodes of one process each, in one ring.
---@param count integer
---@param level string
function world.new(count, level)
  local self = setmetatable({
    clock = clock.new(), nodes = {}, seq = 0, level = level, pid = 100, submitted = 0,
    acknowledged = {}, never = {}, applied = {}, rings = {},
  }, world_mt)
  for nodeid = 1, count do
    self.nodes[nodeid] = { nodeid = nodeid, is_up = true, disk = disks.new() }
  end
  return self
end

function methods:append(ring, event) -- luacheck: ignore self
  if event.from then
    ring.sent[event.from] = (ring.sent[event.from] or 0) + 1
    event.number = ring.sent[event.from]
  end
  table.insert(ring.log, event)
end

local function by_id(a, b)
  if a.node == b.node then return a.id.pid < b.id.pid end
  return a.id.nodeid < b.id.nodeid
end

local function view_of(ring, members, left, joined)
  local list = {}
  for i, process in ipairs(members) do list[i] = process.id end
  return {
    ring = { seq = ring.seq, nodeid = 1 }, quorate = ring.is_quorate, members = list,
    left = left or {}, joined = joined or {},
  }
end

--- A process joins the ring of its node.
function methods:join(process)
  local ring = process.node.ring
  process.is_joined = true
  if not ring then return true end -- the daemon is not there yet
  table.insert(ring.members, process)
  table.sort(ring.members, by_id)
  process.ring, process.at, process.before, process.lost = ring, #ring.log, {}, {}
  local change = { member = process.id, reason = "join" }
  self:append(ring, { view = view_of(ring, ring.members, nil, { change }) })
  return true
end

local function leave(self, process, reason)
  local ring = process.ring
  if not ring then return end
  for i, one in ipairs(ring.members) do
    if one == process then table.remove(ring.members, i) break end
  end
  local change = { member = process.id, reason = reason }
  self:append(ring, { view = view_of(ring, ring.members, { change }) })
  process.ring = nil
end

local function played_log(process)
  return function(given)
    local disk = process.node.disk
    process.journal = disks.journal(disk)
    local machine = state_machine.new(given, process.journal)
    local function save(saved)
      if process.is_saving then error("two rounds are saved at once", 0) end
      process.is_saving = true
      process.world.clock:sleep(random() * 0.05)
      process.is_saving = false
      disk.round = saved
      return true
    end
    assert(machine:build())
    return machine, ballot.new(disk.round, save)
  end
end

--- A process begins on a node.
function methods:start(node)
  self.pid = self.pid + 1
  local id = setmetatable({ nodeid = node.nodeid, pid = self.pid }, id_mt)
  local process = {
    id = id, node = node, world = self, ready = {}, queue = {}, highest = 0, at = 0, lost = {},
    key = { at_close = function() end },
  }
  node.process = process
  local room = setmetatable({
    name = "store", state = "new", handlers = {}, on = {}, me = id, place = process,
    longest = 1 << 20, is_packed = true, max_message = 1, requires_quorum = true,
    process = process,
  }, room_mt)
  process.room = room
  self.clock:spawn(process, function()
    log.open = played_log(process)
    process.replica = assert(replica.open(room, options(self.level)))
  end)
end

--- All nodes that are up part into rings, one for each list.
function methods:form(groups)
  local before, cuts = self.rings, {}
  for _, ring in ipairs(before) do cuts[ring] = random(ring.delivered, #ring.log) end
  self.rings = {}
  for _, nodes in ipairs(groups) do
    self.seq = self.seq + 4
    local ring = {
      seq = self.seq, log = {}, sent = {}, members = {}, delivered = 0,
      is_quorate = 2 * #nodes > #self.nodes,
    }
    table.insert(self.rings, ring)
    for _, node in ipairs(nodes) do
      node.ring = ring
      if node.process and node.process.is_joined then table.insert(ring.members, node.process) end
      if node.stranger then table.insert(ring.members, node.stranger) end
    end
    table.sort(ring.members, by_id)
    for _, old in ipairs(before) do self:move(old, ring, cuts[old]) end
    for _, process in ipairs(ring.members) do
      if not process.ring then process.before = {} end
      table.insert(process.queue, { view = view_of(ring, ring.members) })
      process.at, process.lost = 0, {}
    end
    for _, process in ipairs(ring.members) do process.ring = ring end
  end
  for _, old in ipairs(before) do self:send_again(old, cuts[old]) end
end

-- Some members of a ring go on in another one: first they deliver the same of it.
function methods:move(old, ring, cut)
  local movers, furthest = {}, 0
  for _, process in ipairs(ring.members) do
    if process.ring == old then
      table.insert(movers, process)
      process.before = old
      furthest = math.max(furthest, process.at)
    end
  end
  local holes = self.holes or pick({ 0, 0.5, 1 })
  local tail = {}
  for i = furthest + 1, cut do
    local event = old.log[i]
    if not event.from or lists.contains(movers, event.from) or not chance(holes) then
      table.insert(tail, event)
    end
  end
  for _, process in ipairs(movers) do
    while process.at < furthest do process.world:deliver(process) end
    for _, event in ipairs(tail) do table.insert(process.queue, event) end
  end
end

function methods:send_again(old, cut)
  for i = cut + 1, #old.log do
    local event = old.log[i]
    local from = event.from
    if from and not from.is_dead and from.ring and from.ring ~= old then
      self:append(from.ring, { from = from, bytes = event.bytes })
    end
  end
end

--- The daemon of a process has the next event of the ring for it; false if none.
function methods:deliver(process) -- luacheck: ignore self
  local ring = process.ring
  local event = ring and ring.log[process.at + 1]
  if not event then return false end
  process.at = process.at + 1
  ring.delivered = math.max(ring.delivered, process.at)
  local from = event.from
  if from and from ~= process and from.before ~= process.before then
    local lost = process.lost
    lost[from] = lost[from] or random(0, LOST_MAX)
    if event.number <= lost[from] then
      if event.number == 1 then table.insert(process.queue, { gap = from.id }) end
      return true
    end
  end
  table.insert(process.queue, event)
  return true
end

local function handle(process, event)
  local room = process.room
  local on = room.on
  if event.view then
    room.view = event.view
    return on.members()
  elseif event.gap then
    return on.gap(event.gap)
  elseif event.down then
    return on.down({ message = "gone", code = "ERR_LIBRARY" })
  end
  local is_there = room.view and lists.contains(room.view.members, event.from.id)
  if not is_there then return end
  if room.view.quorate then return on.message(event.bytes, event.from.id) end
  return on.inquorate(event.bytes, event.from.id)
end

--- A process begins to handle its next event, unless it is at one.
function methods:handle(process)
  if process.is_busy or not process.replica or #process.queue == 0 then return false end
  process.is_busy = true
  local event = table.remove(process.queue, 1)
  self.clock:spawn(process, function()
    handle(process, event)
    process.is_busy = false
  end)
  return true
end

--- Somebody else joins the group on a node.
function methods:invite(node)
  self.pid = self.pid + 1
  local id = setmetatable({ nodeid = node.nodeid, pid = self.pid }, id_mt)
  node.stranger = { id = id, node = node, world = self, queue = {}, at = 0, is_stranger = true }
  self:join(node.stranger)
end

--- It leaves.
function methods:dismiss(node)
  leave(self, node.stranger, "leave")
  node.stranger.is_dead, node.stranger = true, nil
end

--- Says what is given, in the ring of its node.
function methods:say(stranger, bytes)
  if stranger.ring then self:append(stranger.ring, { from = stranger, bytes = bytes }) end
end

--- A command is submitted at a process.
function methods:submit(process)
  if not process.replica then return end
  self.submitted = self.submitted + 1
  local command = ("c%d"):format(self.submitted)
  self.clock:spawn(process, function()
    local index, message, _, fate = process.replica:submit(command, { timeout = 60 })
    if index then
      assert(not self.acknowledged[command])
      self.acknowledged[command] = index
      process.highest = math.max(process.highest, index)
    elseif fate == "never" then
      self.never[command] = message
    elseif fate == "applied" then
      self.applied[command] = message
    end
  end)
end

--- A process is killed.
function methods:kill(node)
  local process = node.process
  if not process then return end
  node.process, process.is_dead = nil, true
  leave(self, process, "procdown")
  if process.journal then disks.keep(node.disk, process.journal) end
end

--- The daemon of a node dies; its process lives on. What it had not read is lost.
function methods:crash(node) -- luacheck: ignore self
  node.is_up = false
  if node.stranger then node.stranger.ring = nil end
  local process = node.process
  if process then
    for i = #process.queue, random(0, #process.queue) + 1, -1 do table.remove(process.queue, i) end
    table.insert(process.queue, { down = true })
    process.ring = nil
  end
  node.ring = nil
end

--- Nodes that are up come to one ring, or to two.
function methods:form_randomly(is_one)
  local groups = { {}, {} }
  local part = is_one and 1 or chance(0.4) and 1 or 0.6
  for _, node in ipairs(self.nodes) do
    if node.is_up then table.insert(groups[chance(part) and 1 or 2], node) end
  end
  if #groups[2] == 0 then table.remove(groups, 2) end
  if #groups[1] == 0 then table.remove(groups, 1) end
  self:form(groups)
end

--- Puts the played parts in the place of the real ones; what undoes that.
function methods:take_over()
  local undo, last = self.clock:take_over(), 0
  local open, votes, new, events = log.open, quorum.votes, scheduler.nonce, service.events
  function scheduler.nonce()
    last = last + 1
    return last
  end
  function quorum.votes()
    if chance(0.3) then self.clock:sleep(random() * 0.1) end
    local by_node = {}
    for i in ipairs(self.nodes) do by_node[i] = 1 end
    return { votes = by_node, expected = #self.nodes }
  end
  function service.events()
    return {
      on = {}, begin = function() end,
      tell = function(_, kind, why)
        if kind == "failed" or kind == "trouble" then error(kind .. ": " .. why, 0) end
      end,
      offer = function(_, _, kind, _, what)
        if kind == "diverged" then error("states have diverged at record " .. what, 0) end
      end,
    }
  end
  return function()
    undo()
    log.open, quorum.votes, scheduler.nonce, service.events = open, votes, new, events
  end
end

return world
