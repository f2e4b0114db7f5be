-- Two elections with a member on each node, one of them with a lease, while faults
-- come and go and members leave and join, and what they promise checked:
-- corolua bench/election_soak.lua [seed [seconds [nodes]]]

local corolua = require("corolua")
local election = require("corolua.election")

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path

local election_log = require("election_log")
local quorum_witness = require("quorum_witness")
local soak_lab = require("soak_lab")

local seed = math.tointeger(arg[1] or 1)
local seconds, nodes = tonumber(arg[2] or 60), math.tointeger(arg[3] or 5)

local FAULTS = {
  partition = 2, isolate = 2, block = 2, unplug = 1, kill = 2, stop = 1, restart = 1, pause = 3,
  ring = 1, bridge_node = 1, loss = 1, delay = 1, duplicate = 1, reorder = 1,
}

local WRITE = 0.005 -- seconds between two looks at who may write
local STAY_MIN, STAY_MAX = 0.5, 4 -- seconds until a member leaves, to join again
local TERM_BITS = 38

-- Less than the 0.36 s (1.2 times the token of 0.3 s) in which corosync agrees to
-- go on without a node.
local LEASE = 0.3

local function seq_of(term) return term >> TERM_BITS end

local cluster <close> = soak_lab.start(nodes)
local running = true
math.randomseed(seed)

local kinds = {
  { name = "plain", log = election_log.new(seq_of), bosses = {}, joins = 0 },
  { name = "leased", log = election_log.new(seq_of), bosses = {}, joins = 0, lease = LEASE },
}

local function keep_writing(kind, i)
  while running do
    if kind.bosses[i] then kind.log:write(kind.bosses[i], i) end
    corolua.sleep(WRITE)
  end
end

-- Joins, and tries again where the daemon is away.
local function join(kind, i)
  while true do
    local options = { node = cluster[i], timeout = 5, lease = kind.lease }
    local boss = election.open(kind.name, options)
    if boss then
      kind.joins = kind.joins + 1
      kind.log:follow(boss, i)
      return boss
    end
    corolua.sleep(0.05)
  end
end

local function come_and_go(kind, i)
  while running do
    kind.bosses[i] = kind.bosses[i] or join(kind, i)
    corolua.sleep(STAY_MIN + math.random() * (STAY_MAX - STAY_MIN))
    if running and math.random() < 0.5 then
      local boss = kind.bosses[i]
      kind.bosses[i] = nil
      boss:close()
    end
  end
end

local witnesses = {}
for i, node in ipairs(cluster) do witnesses[i] = quorum_witness.start(node) end
assert(corolua.wait(function()
  for _, witness in ipairs(witnesses) do
    if not witness.is_ready then return false end
  end
  return true
end, 10))

local tasks = {}
for _, kind in ipairs(kinds) do
  for i = 1, nodes do
    kind.bosses[i] = join(kind, i)
    table.insert(tasks, corolua.spawn(come_and_go, kind, i))
    corolua.spawn(keep_writing, kind, i)
  end
end

local nemesis = cluster:nemesis({
  faults = FAULTS, lasting = seconds, pause = { 0.3, 1.5 }, seed = seed,
})
assert(nemesis:wait())
running = false
for _, task in ipairs(tasks) do task:wait() end

-- Whether all are in line behind one and the same leader.
local function is_agreed(bosses)
  local leader = bosses[1].leader
  for i = 1, nodes do
    local boss = bosses[i]
    if not leader or boss.leader ~= leader or #boss:line() ~= nodes then return false end
  end
  return true
end

-- The order is the same everywhere.
local function check_order(log, bosses)
  local order = bosses[1]:line()
  for i = 2, nodes do
    for place, member in ipairs(bosses[i]:line()) do
      if order[place] ~= member then return log:blame("another line at node", i) end
    end
  end
end

local function check_end(kind)
  local bosses, log = kind.bosses, kind.log
  for i = 1, nodes do bosses[i] = bosses[i] or join(kind, i) end
  if not corolua.wait(function() return is_agreed(bosses) end, 15) then
    log:blame("no common leader at the end")
  end
  check_order(log, bosses)
  log:check_quorum(witnesses)
  for i = 1, nodes do assert(bosses[i]:close()) end
end

print(("election, %d nodes, seed %d: %s"):format(nodes, seed, nemesis))
for _, failure in ipairs(nemesis.failed) do
  print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
end
print(("frames disturbed %d, storms calmed %d"):format(nemesis:disturbed(), nemesis.storms))

local WRONG = {
  "two leaders in one term", "a term that falls", "elected twice", "deposed of another term",
  "a leader without quorum", "no common leader at the end", "another line at node",
}

local function report(kind)
  local log = kind.log
  local leaders, successions = log:successions()
  local overlaps, longest = log:overlaps()
  print(("%s: joins %d, terms %d, leaders %d, successions %d, changed %d, elected late %d"):format(
    kind.name, kind.joins, #log.reigns, leaders, successions, log.changed, log.late))
  print(("  two leaders at a time, in different terms: %d times, at most %.3f s"):format(
    overlaps, longest))
  print(("  writes %d, refused for an old term %d"):format(log.written, log.refused))
  local parts = {}
  for i, what in ipairs(WRONG) do parts[i] = ("%s %d"):format(what, log.wrong[what] or 0) end
  print("  " .. table.concat(parts, ", "))
  for _, note in ipairs(log.notes) do print("  " .. note) end
  if leaders < 2 or successions < 2 then print("  no leader changed: this proves nothing") end
  return #log.notes == 0 and leaders > 1 and successions > 1
end

local has_passed = nemesis.total > 0 and nemesis:disturbed() > 0
if not has_passed then print("no fault took effect: this proves nothing") end
for _, kind in ipairs(kinds) do
  check_end(kind)
  has_passed = report(kind) and has_passed
end
for _, witness in ipairs(witnesses) do witness.running = false end
print(has_passed and "passed" or "failed")
os.exit(has_passed)
