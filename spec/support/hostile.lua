--- Members of all kinds on three nodes, hostile ones among them, and what must hold:
--- nothing ends, hangs or grows while these are there, and once they have left all
--- are alike, in sync, electing and acknowledging, with their own as promised.
local corolua = require("corolua")
local election = require("corolua.election")
local replica = require("corolua.replica")
local rpc = require("corolua.rpc")
local sys = require("corolua.sys")

local hostile = {}

local SCRIPT = "spec/support/hostile_member.lua"
local FORM = { packed = true, fragment = true }
local NAMES = { packed = "packed", store = "packed-store", calls = "calls", boss = "boss" }
local GROWTH = 32 * 1024 -- KiB
local RATE = 1000
local BACK_IN = 20 -- seconds

---@class support.Siege
local methods = {}
local mt = { __index = methods }

local function note(self, ...) table.insert(self.wrong, string.format(...)) end

-- What a process has for itself: the buffers of a connection are shared, and gone
-- with it.
local function resident(pid)
  local file <close> = io.open(("/proc/%d/status"):format(pid))
  local text = file and file:read("a")
  return text and tonumber(text:match("RssAnon:%s*(%d+)"))
end

local function processes(self)
  local list = { { "this process", sys.id().pid } }
  for i, node in ipairs(self.cluster) do list[i + 1] = { "daemon " .. i, node.daemon.pid } end
  return list
end

-- Honest members number what they say, and hear of each other all of it.
local function open_packed(self, i)
  local room = self.cluster[i]:group(NAMES.packed, FORM)
  local heard = {}
  function room.on.message(payload, from)
    if not self.is_ours[from] then return end
    local number = tonumber(payload)
    if number ~= (heard[from] or 0) + 1 then
      note(self, "node %d heard %s of node %d behind %s", i, payload, from.nodeid, heard[from])
    end
    heard[from] = number
  end
  function room.on.malformed() self.malformed.packed = self.malformed.packed + 1 end
  function room.on.down(why) note(self, "node %d: the packed group is down: %s", i, why.message) end
  assert(room:join())
  self.is_ours[room.me] = true
  self.packed[i] = { room = room, heard = heard, sent = 0 }
end

local function apply(state, command, meta)
  local key = ("%d/%d %s"):format(meta.nodeid, meta.pid, command)
  if meta.pid ~= state.pid then
    state.foreign = state.foreign + 1
    return state.foreign
  end
  state.seen[key] = (state.seen[key] or 0) + 1
  return state.seen[key]
end

local function open_store(self, i)
  local one = assert(replica.open(NAMES.store, { node = self.cluster[i],
    dir = ("%s/%d"):format(self.folder, i), apply = apply, durable = "majority",
    initial = { seen = { first = 0 }, foreign = 0, pid = sys.id().pid },
    snapshot_after = 1 << 16,
  }))
  function one.on.failed(message, code) note(self, "replica %d failed: %s %s", i, code, message) end
  self.stores[i] = one
end

local function open_boss(self, i)
  local boss = assert(election.open(NAMES.boss, { node = self.cluster[i] }))
  function boss.on.elected(term)
    local before = self.terms[term]
    if before and before ~= i then note(self, "nodes %d and %d led in term %d", before, i, term) end
    self.terms[term] = i
  end
  self.bosses[i] = boss
end

local function open_calls(self, i)
  self.calls[i] = assert(rpc.open(NAMES.calls, {
    echo = function(value) return value end,
  }, { node = self.cluster[i], call_timeout = 5 }))
end

--- Opens the members on all nodes, and waits until they work.
---@param cluster corolua.lab.Cluster of three nodes
---@param folder string for logs
---@param seed integer
---@return support.Siege
function hostile.open(cluster, folder, seed)
  local self = setmetatable({
    cluster = cluster, folder = folder, seed = seed, wrong = {}, is_ours = {}, terms = {},
    packed = {}, stores = {}, bosses = {}, calls = {}, acked = {}, never = {},
    malformed = { packed = 0 }, counts = { acked = 0, refused = 0, calls = 0, strangers = 0 },
  }, mt)
  os.execute("mkdir -p '" .. folder .. "'")
  for i = 1, #cluster do
    open_packed(self, i)
    open_store(self, i)
    open_boss(self, i)
    open_calls(self, i)
  end
  self:wait_well("the start")
  return self
end

local function send_numbers(self, one)
  while self.is_running do
    if one.room:send(tostring(one.sent + 1)) then one.sent = one.sent + 1 end
    corolua.sleep(0.01)
  end
end

local function submit(self, i)
  local one, n = self.stores[i], 0
  local me = one.group.me
  while self.is_running do
    n = n + 1
    local command = ("%d.%d"):format(i, n)
    local key = ("%d/%d %s"):format(me.nodeid, me.pid, command)
    local result, _, _, fate = one:submit(command, { timeout = 10 })
    if result then
      self.acked[key], self.counts.acked = true, self.counts.acked + 1
    else
      self.counts.refused = self.counts.refused + 1
      if fate == "never" then self.never[key] = true end
    end
    corolua.sleep(0.01)
  end
end

local function call(self, i)
  local n = 0
  while self.is_running do
    n = n + 1
    local to = self.calls[n % #self.calls + 1].group.me
    local result, message = self.calls[i]:call("echo", n, { to = to })
    if result ~= n then note(self, "call %d of node %d: %s, %s", n, i, result, message) end
    self.counts.calls = self.counts.calls + 1
    corolua.sleep(0.02)
  end
end

-- One stranger after the other, each of which leaves or is killed.
local function send_strangers(self, stop)
  while corolua.now() < stop do
    local node = self.cluster[math.random(#self.cluster)]
    local life = math.min(0.5 + math.random() * 2.5, math.max(0.3, stop - corolua.now()))
    local process = assert(node:run(SCRIPT, tostring(math.random(1 << 30)), tostring(life),
      tostring(RATE), NAMES.packed, NAMES.store, NAMES.calls, NAMES.boss))
    self.counts.strangers = self.counts.strangers + 1
    process.on.line = function(line)
      if line ~= "joined" then note(self, "a stranger says: %s", line) end
    end
    if math.random(3) == 1 then
      corolua.sleep(life * math.random())
      process:kill("KILL")
    end
    assert(process:wait(life + 20))
  end
end

local function watch_memory(self, before)
  while self.is_running do
    for i, process in ipairs(processes(self)) do
      local now = resident(process[2])
      if not now then
        note(self, "%s has ended", process[1])
        return
      end
      self.growth[i] = math.max(self.growth[i] or 0, now - before[i])
    end
    corolua.sleep(0.2)
  end
end

--- Has strangers come and go while the members work.
---@param seconds number
---@param side_by_side integer strangers at a time
function methods:attack(seconds, side_by_side)
  math.randomseed(self.seed)
  self.is_running, self.growth = true, {}
  collectgarbage()
  local before = {}
  for i, process in ipairs(processes(self)) do before[i] = resident(process[2]) end
  local tasks = { corolua.spawn(watch_memory, self, before) }
  for i = 1, #self.cluster do
    table.insert(tasks, corolua.spawn(send_numbers, self, self.packed[i]))
    table.insert(tasks, corolua.spawn(submit, self, i))
    table.insert(tasks, corolua.spawn(call, self, i))
  end
  local strangers, stop = {}, corolua.now() + seconds
  for i = 1, side_by_side do strangers[i] = corolua.spawn(send_strangers, self, stop) end
  for _, task in ipairs(strangers) do task:wait() end
  self:wait_well("the strangers")
  self.is_running = false
  for _, task in ipairs(tasks) do task:wait() end
  for i, process in ipairs(processes(self)) do
    if self.growth[i] > GROWTH then note(self, "%s grew by %d KiB", process[1], self.growth[i]) end
  end
end

local function is_agreed(self)
  local first = self.bosses[1]
  for _, boss in ipairs(self.bosses) do
    local is_same = boss.leader and boss.leader == first.leader and boss.term == first.term
    if not is_same or #boss:line() ~= #self.bosses then return false end
  end
  return true
end

local function are_synced(self)
  for _, one in ipairs(self.stores) do
    local status = one:status()
    if status.state ~= "synced" or #status.members ~= #self.stores then return false end
  end
  return true
end

local function describe(self)
  local parts = {}
  for i, one in ipairs(self.stores) do
    local status, boss = one:status(), self.bosses[i]
    parts[i] = ("node %d: replica %s, index %d, %d members; leader %s, term %d, line %d, "
      .. "missing %d"):format(i, status.state, status.index, #status.members,
      tostring(boss.leader), boss.term, #boss:line(), #boss:missing())
  end
  return table.concat(parts, "\n")
end

--- Waits until all are in sync and have elected; what does not come is wrong.
---@param when string
function methods:wait_well(when)
  local function is_well() return are_synced(self) and is_agreed(self) end
  if not corolua.wait(is_well, BACK_IN) then
    note(self, "not well %d s after %s:\n%s", BACK_IN, when, describe(self))
  end
end

local function check_store(self)
  local function is_even()
    for _, one in ipairs(self.stores) do
      if one:status().index ~= self.stores[1]:status().index then return false end
    end
    return true
  end
  if not corolua.wait(is_even, BACK_IN) then
    return note(self, "not at one index:\n%s", describe(self))
  end
  local seen = self.stores[1]:read(function(state) return state.seen end)
  for i, one in ipairs(self.stores) do
    local other = one:read(function(state) return state.seen end)
    for key, count in pairs(other) do
      if key ~= "first" and seen[key] ~= count then note(self, "node %d differs in %s", i, key) end
    end
    local _, message, code = one:submit("last", { timeout = 10 })
    if code then note(self, "node %d acknowledges nothing: %s", i, message) end
  end
  for key in pairs(self.acked) do
    if seen[key] ~= 1 then note(self, "acknowledged, and there %s times: %s", seen[key], key) end
  end
  for key in pairs(self.never) do
    if seen[key] then note(self, "%s was said never to come and is there", key) end
  end
end

local function check_packed(self)
  corolua.wait(function()
    for _, one in ipairs(self.packed) do
      for _, other in ipairs(self.packed) do
        if one.heard[other.room.me] ~= other.sent then return false end
      end
    end
    return true
  end, 10)
  for i, one in ipairs(self.packed) do
    for j, other in ipairs(self.packed) do
      local heard = one.heard[other.room.me]
      if heard ~= other.sent then
        note(self, "node %d heard %s of %d messages of node %d", i, heard, other.sent, j)
      end
    end
  end
end

local function check_told(self)
  local function sum(list)
    local count = 0
    for _, one in ipairs(list) do count = count + one:stats().malformed end
    return count
  end
  self.malformed.store, self.malformed.calls = sum(self.stores), sum(self.calls)
  self.malformed.boss = sum(self.bosses)
  for kind, count in pairs(self.malformed) do
    if count == 0 then note(self, "nobody was told of what strangers sent to '%s'", kind) end
  end
end

--- Checks what must hold at the end.
---@return string[] wrong
function methods:check()
  check_packed(self)
  check_store(self)
  check_told(self)
  for i = 1, #self.cluster do
    local parts = self.calls[i]:call("echo", i, { to = "all" })
    if not parts or #parts ~= #self.cluster then note(self, "node %d cannot call all", i) end
  end
  if self.counts.acked == 0 then note(self, "nothing was acknowledged") end
  return self.wrong
end

return hostile
