-- Replicas on five nodes, each a process of its own with its log on the disk,
-- while faults come and go and processes are killed; then everything is killed at
-- once. What replicas promise is checked:
-- corolua bench/replica_soak.lua [seed [seconds [nodes]]]

local corolua = require("corolua")
local lfs = require("lfs")

local here = arg[0]:match("^(.*)/[^/]*$")
package.path = here .. "/?.lua;" .. package.path

local replica_history = require("replica_history")
local soak_lab = require("soak_lab")

local seed = math.tointeger(arg[1] or 1)
local seconds, nodes = tonumber(arg[2] or 60), math.tointeger(arg[3] or 5)
local KINDS = { "majority", "all" }
local FAULTS = { kill = 1, pause = 1, partition = 1, block = 1, unplug = 1 }
local KILL_EVERY, DEAD_FOR = { 0.5, 3 }, { 0.1, 1.5 } -- seconds
local DISASTERS, BETWEEN, DARK = 3, 2, { 0, 1 } -- how often everything is killed; seconds
local BACK_IN = 40 -- seconds

math.randomseed(seed)

local folder = os.tmpname()
os.remove(folder)
assert(lfs.mkdir(folder))

local cluster <close> = soak_lab.start(nodes)
local histories = {}
for _, kind in ipairs(KINDS) do histories[kind] = replica_history.new(kind) end
local counts = { kills = 0, disasters = 0, starts = 0, unsynced = 0 }
local wrong = {}
local members = {}

local function note(...) table.insert(wrong, string.format(...)) end

local function between(range) return range[1] + math.random() * (range[2] - range[1]) end

local function hear(member, line)
  local words = {}
  for word in line:gmatch("%S+") do table.insert(words, word) end
  local mark, kind = words[1], words[2]
  if mark == "s" and #words == 5 then
    local before = member.status[kind]
    member.status[kind] = { state = words[3], index = words[4], open = words[5] }
    local has_lost = before and before.state == "synced" and words[3] ~= "synced"
    if has_lost then counts.unsynced = counts.unsynced + 1 end
  elseif #mark == 1 and histories[kind] then
    histories[kind]:take(mark, table.unpack(words, 3))
  else
    note("node %d printed: %s", member.id, line)
  end
end

-- A process that ends by itself before it was told to is wrong.
local function has_ended(member, process, status)
  if member.process == process then member.process = nil end
  if process == member.killed or member.is_dumping and status == 0 then return end
  note("the process of node %d ended with status %d", member.id, status)
end

local function start(member)
  member.life = member.life + 1
  member.status = {}
  counts.starts = counts.starts + 1
  local process = assert(cluster[member.id]:run(here .. "/replica_client.lua", member.folder,
    tostring(member.id), tostring(member.life), tostring(seed)))
  member.process = process
  process.on.line = function(line)
    if line:find("%S") then hear(member, line) end
  end
  process.on.exit = function(status) has_ended(member, process, status) end
end

local function kill(member)
  local process = member.process
  if not process then return end
  member.killed, member.process = process, nil
  assert(process:kill("KILL"))
  assert(process:wait(10))
end

local function each_at_once(list, fn)
  local tasks = {}
  for i, one in ipairs(list) do tasks[i] = corolua.spawn(fn, one) end
  for _, task in ipairs(tasks) do task:wait() end
end

-- Kills up to a minority of the processes at once, again and again.
local function keep_killing(state)
  while state.killing do
    corolua.sleep(between(KILL_EVERY))
    local victims, first = {}, math.random(nodes)
    for i = 1, math.random((nodes - 1) // 2) do
      victims[i] = members[(first + i * 2) % nodes + 1]
    end
    each_at_once(victims, kill)
    counts.kills = counts.kills + #victims
    corolua.sleep(between(DEAD_FOR))
    for _, member in ipairs(victims) do start(member) end
  end
end

local function create(name)
  for _, member in ipairs(members) do
    assert(io.open(member.folder .. "/" .. name, "w")):close()
  end
end

-- Whether all are in sync; with `at_rest`, also as far as each other and without
-- a command that is open.
local function is_in_sync(at_rest)
  for _, kind in ipairs(KINDS) do
    local first = members[1].status[kind]
    for _, member in ipairs(members) do
      local status = member.status[kind]
      if not status or status.state ~= "synced" then return false end
      if at_rest and (status.open ~= "0" or status.index ~= first.index) then return false end
    end
  end
  return true
end

local function describe_members()
  local lines = {}
  for _, member in ipairs(members) do
    for _, kind in ipairs(KINDS) do
      local status = member.status[kind] or {}
      table.insert(lines, ("  node %d, %s: %s, index %s, open %s"):format(member.id, kind,
        status.state, status.index, status.open))
    end
  end
  return table.concat(lines, "\n")
end

local function await_sync(when, at_rest)
  if corolua.wait(function() return is_in_sync(at_rest) end, BACK_IN) then return true end
  note("not in sync %g s after %s:\n%s", BACK_IN, when, describe_members())
  return false
end

-- All daemons and all processes at once, in the middle of their work. They come
-- back one after the other, in any order.
local function disaster()
  local nodes_dead = corolua.spawn(each_at_once, { table.unpack(cluster) }, function(node)
    assert(node:kill())
  end)
  each_at_once(members, kill)
  nodes_dead:wait()
  counts.disasters = counts.disasters + 1
  each_at_once(members, function(member)
    corolua.sleep(between(DARK))
    assert(cluster[member.id]:start())
    corolua.sleep(between(DARK))
    start(member)
  end)
  return await_sync("everything was killed")
end

local function read_sequence(path)
  local file = io.open(path)
  if not file then return nil end
  local sequence = {}
  for id in file:lines() do
    if id ~= "" then table.insert(sequence, id) end
  end
  file:close()
  return sequence
end

local function check(kind)
  local sequences = {}
  for _, member in ipairs(members) do
    local sequence = read_sequence(("%s/%s.sequence"):format(member.folder, kind))
    if not sequence then note("node %d left no sequence of %s", member.id, kind) end
    sequences[member.id] = sequence
  end
  histories[kind]:check(sequences)
end

for id = 1, nodes do
  members[id] = { id = id, folder = ("%s/%d"):format(folder, id), life = 0, status = {} }
  assert(lfs.mkdir(members[id].folder))
  start(members[id])
end

local is_good = await_sync("the start")
local chaos = { killing = true }
local killer = corolua.spawn(keep_killing, chaos)
local nemesis = cluster:nemesis({ lasting = seconds, seed = seed, faults = FAULTS })
assert(nemesis:wait())
chaos.killing = false
killer:wait()
is_good = await_sync("the faults") and is_good
for _ = 1, DISASTERS do
  corolua.sleep(BETWEEN)
  is_good = is_good and disaster()
end
corolua.sleep(BETWEEN)
create("stop")
is_good = await_sync("the last command", true) and is_good
for _, member in ipairs(members) do member.is_dumping = true end
create("dump")
corolua.wait(function()
  for _, member in ipairs(members) do
    if member.process then return false end
  end
  return true
end, 20)

local function describe_codes(history)
  local parts = {}
  for code, count in pairs(history.codes) do table.insert(parts, code .. " " .. count) end
  table.sort(parts)
  return #parts > 0 and " (" .. table.concat(parts, ", ") .. ")" or ""
end

print(("replica, %d nodes, seed %d: %s"):format(nodes, seed, nemesis))
for _, failure in ipairs(nemesis.failed) do
  print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
end
print(("processes killed %d, everything killed %d, processes started %d, frames disturbed %d, "
  .. "out of sync %d times"):format(counts.kills, counts.disasters, counts.starts,
  nemesis:disturbed(), counts.unsynced))
for _, kind in ipairs(KINDS) do
  local history = histories[kind]
  check(kind)
  print(("%s: submitted %d, acknowledged %d, unknown %d%s, in the log %d, registers %d")
    :format(kind, history.called, history.acked, history.failed, describe_codes(history),
      history.length, history.registers))
  for _, text in ipairs(history.notes) do note("%s", text) end
end

local LINES = 30
for i = 1, math.min(#wrong, LINES) do print(wrong[i]) end
if #wrong > LINES then print(("and %d more"):format(#wrong - LINES)) end
local has_effect = nemesis.total > 0 and counts.unsynced > 0 and counts.kills > 0
  and counts.disasters == DISASTERS and histories.majority.acked > 0 and histories.all.acked > 0
if not has_effect then print("no fault took effect, or nothing was acknowledged") end
local has_passed = is_good and #wrong == 0 and has_effect
if has_passed then
  os.execute(("rm -r '%s'"):format(folder))
else
  print("the logs are in " .. folder)
end
print(has_passed and "passed" or "failed")
os.exit(has_passed)
