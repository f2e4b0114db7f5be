-- Members count messages while faults come and go, and check what corosync keeps: one order
-- for all, nothing twice, one's own messages come back while one's daemon lives, and members
-- that go on together have the same messages but for what corosync is known to lose.
-- Longer than 25 lines: it is the soak of thin handles as well, and judges what it has seen.
-- corolua examples/chaos.lua [nodes [seconds [seed [trace file]]]]
local corolua = require("corolua")
local lab = require("corolua.lab")
local total_order = require("corolua.check.total_order")
local virtual_synchrony = require("corolua.check.virtual_synchrony")

local nodes, seconds = math.tointeger(arg[1] or 3), tonumber(arg[2] or 4)
local seed, trace = math.tointeger(arg[3] or 30), arg[4]
local WINDOW, PAUSE = 32, 0.01

local cluster <close> = assert(lab.start({ nodes = nodes }))
local logs, sending, running = {}, true, true

-- A log is what one handle saw, in order. A message is a number: which log of the cluster it
-- was sent from, and the how manieth it is there.
local function new_log(node)
  local log = { node = node, sent = 0, own = 0, alive = true }
  log.history = virtual_synchrony.history(node)
  table.insert(logs, log)
  log.id = #logs
  return log
end

local function log_of(message) return logs[message >> 32] end

local function callbacks(log)
  local history = log.history
  return {
    deliver = function(_, _, payload, from)
      local message = string.unpack("<I8", payload)
      history:deliver(message)
      if log_of(message) == log then log.own = log.own + 1 end
      assert(log_of(message).node == from.nodeid)
    end,
    confchg = function(_, _, _, left) history:confchg(left) end,
    totem_confchg = function(_, ring) history:totem_confchg(ring) end,
  }
end

local function join(node, log)
  local handle = node:thin("cpg", callbacks(log), { deliver_initial_totem_conf = true })
  if handle and handle:join("chaos") then return handle end
  log.alive = false
end

local function send(handle, log)
  while sending and log.sent - log.own < WINDOW do
    if not handle:mcast_joined(string.pack("<I8", log.id << 32 | log.sent + 1)) then return end
    log.sent = log.sent + 1
  end
end

-- One daemon's life: until it dies, or nobody sends and all has come back.
local function live(node)
  local log = new_log(node.nodeid)
  local handle = join(node, log)
  while log.alive and running do
    if handle:dispatch("all") == nil then log.alive = false break end
    send(handle, log)
    corolua.sleep(PAUSE)
  end
  if handle then handle:finalize() end
end

for _, node in ipairs(cluster) do
  corolua.spawn(function()
    while running do
      if node:is_running() and not node.paused then live(node) end
      corolua.sleep(0.05)
    end
  end)
end

-- Own messages come back without a gap; what was on its way when the daemon died may be gone.
local function count_lost(log)
  local last, lost = 0, 0
  for _, message in ipairs(log.history.messages) do
    if message >> 32 == log.id then
      lost = lost + math.max(0, (message & 0xffffffff) - last - 1)
      last = message & 0xffffffff
    end
  end
  return lost + (log.alive and log.sent - last or 0)
end

-- Members that went from one ring to the next together have the same messages of the first.
-- Right after a merge, or where rings came and went untold, corosync may lose some on one side.
local function compare_sets()
  local histories = {}
  for i, log in ipairs(logs) do
    if log.alive then log.history:finish() end
    histories[i] = log.history
  end
  return virtual_synchrony.compare(histories, function(message)
    return log_of(message).history
  end)
end

local function check()
  local found = { misordered = 0, twice = 0, lost = 0, delivered = 0, views = 0 }
  for i, log in ipairs(logs) do
    local places, twice = total_order.places(log.history.messages)
    found.twice = found.twice + twice
    for j = i + 1, #logs do
      local others = logs[j].history.messages
      found.misordered = found.misordered + total_order.misordered(places, others)
    end
    found.lost = found.lost + count_lost(log)
    found.delivered = found.delivered + #log.history.messages
    found.views = found.views + #log.history.epochs
  end
  found.sets = compare_sets()
  return found
end

local function write_trace(nemesis, losses)
  local file <close> = assert(io.open(trace, "w"))
  file:write(tostring(nemesis.list))
  for _, loss in ipairs(losses) do file:write(virtual_synchrony.describe(loss), "\n") end
  for _, log in ipairs(logs) do
    file:write(("\nlog %d of node %d, %d sent\n"):format(log.id, log.node, log.sent))
    for _, epoch in ipairs(log.history.epochs) do
      file:write("ring ", epoch.key, "\n")
      for i = epoch.first, epoch.last or #log.history.messages do
        local message = log.history.messages[i]
        file:write(message >> 32, "-", message & 0xffffffff, "\n")
      end
    end
  end
end

local nemesis = cluster:nemesis({ lasting = seconds, pause = { 0.3, 1.5 }, seed = seed })
assert(nemesis:wait())
sending = false
corolua.wait(function()
  for _, log in ipairs(logs) do
    if log.alive and log.own < log.sent then return false end
  end
  return true
end, 10)
running = false

local found = check()
local sets = found.sets
print(("%d nodes, seed %d: %s"):format(nodes, seed, nemesis))
for _, failure in ipairs(nemesis.failed) do
  print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
end
print(("%.3f thousand messages delivered in %.3f thousand views, %.3f thousand frames disturbed")
  :format(found.delivered / 1e3, found.views / 1e3, nemesis:disturbed() / 1e3))
print(("order mismatches %d, duplicates %d, lost by their sender %d")
  :format(found.misordered, found.twice, found.lost))
print(("%.3f thousand pairs of views compared: %.3f thousand differ by a merge, %.3f thousand "
  .. "by hidden rings, %d unexplained"):format(sets.pairs / 1e3, sets.merge / 1e3,
  sets.hidden / 1e3, sets.unexplained))
print(("%.1f storms calmed"):format(nemesis.storms))

local bad = found.misordered > 0 or found.twice > 0 or found.lost > 0 or sets.unexplained > 0
if trace and (bad or sets.differing > 0) then write_trace(nemesis, sets.losses) end
local effect = nemesis.total > 0
  and (nemesis:disturbed() > 0 or #logs > nodes or found.views > nodes)
if not effect then print("no fault took effect: this proves nothing") end
print(not bad and effect and "passed" or "failed")
os.exit(not bad and effect)
