-- Not sanitized: Lua alone.
-- corolua.replica on a model of corosync, in random histories: rings that break and
-- merge, nodes and processes that die and come back. What was acknowledged stays,
-- what was said to be in no log is in none, and all come to one state.
local liar = require("spec.support.replica_liar")
local world = require("spec.support.replica_world")

local HISTORIES = math.tointeger(tonumber(os.getenv("REPLICA_HISTORIES"))) or 30
local SEED = math.tointeger(tonumber(os.getenv("REPLICA_SEED"))) or os.time()
local STEPS, SETTLING = 1500, 60000

local random = math.random

local function pick(list) return list[random(#list)] end

local function check_index(process)
  local last = process.replica and process.replica:status().index or 0
  if process.replica and last < process.highest then
    error(("node %d goes back to %d behind what was acknowledged there, %d"):format(
      process.id.nodeid, last, process.highest), 0)
  end
end

local function flush(self, process, to)
  if not process.replica then return end
  self.clock.process = process
  process.journal:flush(to or process.journal.last)
  self.clock.process = nil
end

-- What goes on by itself.
local function work(self)
  local node = pick(self.nodes)
  local process = node.process
  node.stall = math.max(0, (node.stall or 0) - 1)
  if random(10) == 1 then self.clock:go_on(random() * 0.2) end
  if not process or node.stall > 0 then return end
  local what = random(12)
  if what <= 4 then
    self:deliver(process)
  elseif what <= 7 then
    self:handle(process)
  elseif what <= 11 then
    self.clock:run(process)
  elseif process.replica then
    flush(self, process, random(process.journal.written, process.journal.last))
  end
  check_index(process)
end

local function is_idle(self)
  for _, node in ipairs(self.nodes) do
    local process = node.process
    if process and (#process.ready > 0 or #process.queue > 0) then return false end
    if process and process.ring and process.at < #process.ring.log then return false end
  end
  return true
end

local function work_at(self, process)
  flush(self, process)
  while self:deliver(process) do end
  self:handle(process)
  while self.clock:run(process) do end
end

local function work_all(self)
  for _, node in ipairs(self.nodes) do
    if node.process then work_at(self, node.process) end
  end
end

-- Much is under way when a ring breaks.
local function crowd(self)
  for _, node in ipairs(self.nodes) do
    local process = node.process
    if process then
      for _ = 1, random(0, 6) do self:submit(process) end
      for _ = 1, random(0, 20) do self.clock:run(process) end
    end
  end
end

local function disturb(self)
  if random(3) > 1 then
    for _ = 1, random(60) do
      work_all(self)
      self.clock:go_on(0.1)
    end
    crowd(self)
  end
  if random(8) == 1 then
    for _, one in ipairs(self.nodes) do one.stall = random(2) == 1 and random(400) or 0 end
  end
  local node, what = pick(self.nodes), random(10)
  if not node.is_up then
    node.is_up = true
    self:form_randomly()
  elseif not node.process then
    self:start(node)
  elseif what <= 6 then
    self:form_randomly()
  elseif what <= 8 then
    self:crash(node)
    if random(2) == 1 then self:kill(node) end
    self:form_randomly()
  else
    self:kill(node)
  end
end

-- Strangers come, say something, and go.
local function meddle(self)
  local node = pick(self.nodes)
  local what = random(40)
  if not node.stranger then
    if what == 1 and node.ring then self:invite(node) end
  elseif what == 1 then
    self:dismiss(node)
  else
    local bytes = liar.lie(node.stranger)
    if bytes then self:say(node.stranger, bytes) end
  end
end

local function is_settled(self)
  for _, node in ipairs(self.nodes) do
    local process = node.process
    if not process or not process.replica then return false end
    local status = process.replica:status()
    if status.state ~= "synced" or process.journal.written < status.index then return false end
  end
  return is_idle(self)
end

local function settle(self)
  for _, node in ipairs(self.nodes) do
    if node.stranger then self:dismiss(node) end
  end
  for _, node in ipairs(self.nodes) do node.is_up = true end
  self:form_randomly(true)
  for _, node in ipairs(self.nodes) do
    if not node.process then self:start(node) end
  end
  for _ = 1, SETTLING do
    if is_settled(self) then return end
    work_all(self)
    if is_idle(self) then self.clock:go_on(1) end
  end
  local list = {}
  for i, node in ipairs(self.nodes) do
    local process = node.process
    local status = process.replica and process.replica:status() or {}
    list[i] = ("node %d: %s, %d records, %s written, %d tasks, %d events%s"):format(i, status.state,
      status.index or 0, status.written, #process.ready, #process.queue,
      process.is_busy and ", busy" or "")
  end
  error("no common state:\n" .. table.concat(list, "\n"), 0)
end

local function check_states(self)
  local first
  for _, node in ipairs(self.nodes) do
    local list = node.process.replica:read(function(state) return table.concat(state, " ") end)
    first = first or list
    if list ~= first then
      error(("states differ:\n%s\n%s"):format(first, list), 0)
    end
  end
  local there = {}
  for command in first:gmatch("%S+") do
    if there[command] then error(command .. " was applied twice", 0) end
    there[command] = true
  end
  for command, index in pairs(self.acknowledged) do
    if not there[command] then
      error(("%s was acknowledged as record %d, and is lost"):format(command, index), 0)
    end
  end
  for command, why in pairs(self.applied) do
    if not there[command] then error(("%s is lost, though %s"):format(command, why), 0) end
  end
  for command, why in pairs(self.never) do
    if there[command] then error(("%s is there, though %s"):format(command, why), 0) end
  end
end

local function play(self, has_strangers)
  self:form_randomly(true)
  for _, node in ipairs(self.nodes) do self:start(node) end
  for _ = 1, 20 do work_all(self) end
  for _ = 1, 4 do
    local rate, load = pick({ 0.001, 0.002, 0.005 }), pick({ 0.02, 0.1 })
    for _ = 1, STEPS do
      if random() < rate then disturb(self) end
      if has_strangers and random() < 0.1 then meddle(self) end
      local process = pick(self.nodes).process
      if process and random() < load then self:submit(process) end
      work(self)
      if is_idle(self) then self.clock:go_on(1) end
    end
  end
  settle(self)
  check_states(self)
  local count = 0
  for _ in pairs(self.acknowledged) do count = count + 1 end
  self:submit(self.nodes[1].process)
  for _ = 1, 1000 do
    work_all(self)
    if is_idle(self) then self.clock:go_on(1) end
  end
  check_states(self)
  if not self.acknowledged["c" .. self.submitted] then error("nothing is acknowledged", 0) end
  return count
end

local function with(self, fn, ...)
  local undo = self:take_over()
  local ok, result = xpcall(fn, function(why)
    return type(why) == "string" and why or debug.traceback(tostring(why))
  end, self, ...)
  undo()
  return ok, result
end

-- One tells that it has a record, and its daemon dies before it has read that it
-- was proven; the one who submitted is cut off, and the third one lacks the record.
local function lose_daemon(self)
  self:form_randomly(true)
  for _, node in ipairs(self.nodes) do self:start(node) end
  settle(self)
  local a, b = self.nodes[1].process, self.nodes[2].process
  self:submit(a)
  repeat
    for _ = 1, 20 do work_at(self, a) end
    if not self.acknowledged.c1 and self:deliver(b) then
      while #b.queue > 0 do
        self:handle(b)
        while self.clock:run(b) do end
      end
      flush(self, b)
      while self.clock:run(b) do end
    end
    self.clock:go_on(0.01)
  until self.acknowledged.c1
  self.holes = 1
  self:crash(self.nodes[1])
  self:crash(self.nodes[2])
  self:form({ { self.nodes[3] } })
  for _ = 1, 20 do work_all(self) end
  self.nodes[2].is_up = true
  self:form({ { self.nodes[2], self.nodes[3] } })
  for _ = 1, 1000 do
    work_all(self)
    self.clock:go_on(0.1)
  end
  settle(self)
  check_states(self)
end

-- What goes on at a process while nothing comes to its disk.
local function work_in_memory(self, process)
  self:deliver(process)
  self:handle(process)
  return self.clock:run(process)
end

-- One submits, and its daemon dies before the command has come back; another one has
-- it on its disk. The first one begins a term without that one, and its daemon dies
-- again before anybody else is in it. So the log with the command is back.
local function lose_term(self)
  self:form_randomly(true)
  for _, node in ipairs(self.nodes) do self:start(node) end
  settle(self)
  local a, b, c = self.nodes[1].process, self.nodes[2].process, self.nodes[3].process
  self:submit(a)
  while self.clock:run(a) do end
  for _ = 1, 20 do work_at(self, b) end
  self:crash(self.nodes[1])
  self:kill(self.nodes[2])
  self:form({ { self.nodes[3] } })
  for _ = 1, 20 do work_all(self) end
  self.nodes[1].is_up, self.nodes[2].is_up = true, false
  self:form({ { self.nodes[1], self.nodes[3] } })
  repeat
    work_in_memory(self, a)
    if not a.replica.member.recovery.decided then work_in_memory(self, c) end
    self.clock:go_on(0.001)
  until a.replica:status().state == "synced"
  self:crash(self.nodes[1])
  for _ = 1, 20 do work_in_memory(self, a) end
  settle(self)
  check_states(self)
  assert(a.replica:read(function(state) return state[1] end) == "c1")
end

-- A ring is to be entered, and before its task runs the connection is gone.
local function prepare_in_vain(self)
  self:form_randomly(true)
  for _, node in ipairs(self.nodes) do self:start(node) end
  settle(self)
  local a = self.nodes[1].process
  local round = self.nodes[1].disk.round
  self.clock:spawn(a, function()
    a.replica.member:meet_again()
    a.replica.member:down()
  end)
  for _ = 1, 20 do
    while self.clock:run(a) do end
    self.clock:go_on(1)
  end
  assert(a.replica:status().state == "down")
  assert(self.nodes[1].disk.round == round)
end

describe("replica, on a model of corosync", function()
  it("tells of no record as written that goes when its daemon dies", function()
    math.randomseed(1)
    local ok, why = with(world.new(3, "majority"), lose_daemon)
    assert(ok, why)
  end)

  it("says of no command that no log has it while a log with it may win", function()
    math.randomseed(1)
    local ok, why = with(world.new(3, "majority"), lose_term)
    assert(ok, why)
  end)

  it("prepares for no ring once its connection has gone", function()
    math.randomseed(1)
    local ok, why = with(world.new(3, "majority"), prepare_in_vain)
    assert(ok, why)
  end)

  local function play_many(level, has_strangers)
    local acknowledged = 0
    for seed = SEED, SEED + HISTORIES - 1 do
      math.randomseed(seed)
      local self = world.new(pick({ 3, 3, 5 }), level)
      local ok, result = with(self, play, has_strangers)
      assert(ok, ("REPLICA_SEED=%d: %s"):format(seed, tostring(result)))
      acknowledged = acknowledged + result
    end
    print(("seeds %d to %d, %d acknowledged"):format(SEED, SEED + HISTORIES - 1, acknowledged))
    assert(acknowledged > HISTORIES)
  end

  for _, level in ipairs({ "majority", "all" }) do
    it("keeps what was acknowledged as durable as \"" .. level .. "\"", function()
      play_many(level, false)
    end)
  end

  it("does so whatever strangers say", function() play_many("majority", true) end)
end)
