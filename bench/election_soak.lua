-- An election with a member on each node while faults come and go and members
-- leave and join, and what it promises checked:
-- corolua bench/election_soak.lua [seed [seconds [nodes]]]

local corolua = require("corolua")
local election = require("corolua.election")
local lab = require("corolua.lab")

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path

local election_log = require("election_log")
local quorum_witness = require("quorum_witness")

local seed = math.tointeger(arg[1] or 1)
local seconds, nodes = tonumber(arg[2] or 60), math.tointeger(arg[3] or 5)

local FAULTS = {
  partition = 2, isolate = 2, block = 2, unplug = 1, kill = 2, stop = 1, restart = 1, pause = 3,
  ring = 1, bridge_node = 1, loss = 1, delay = 1, duplicate = 1, reorder = 1,
}

local WRITE = 0.005 -- seconds between two looks at who may write
local STAY_MIN, STAY_MAX = 0.5, 4 -- seconds until a member leaves, to join again
local TERM_BITS = 38

local cluster <close> = assert(lab.start({ nodes = nodes }))
local log = election_log.new(function(term) return term >> TERM_BITS end)
local bosses, running, joins = {}, true, 0

local function keep_writing(i)
  while running do
    if bosses[i] then log:write(bosses[i], i) end
    corolua.sleep(WRITE)
  end
end

-- Joins, and tries again where the daemon is away.
local function join(i)
  while true do
    local boss = election.join(cluster[i]:group("soak"), { timeout = 5 })
    if boss then
      joins = joins + 1
      log:follow(boss, i)
      return boss
    end
    corolua.sleep(0.05)
  end
end

local function come_and_go(i)
  while running do
    bosses[i] = bosses[i] or join(i)
    corolua.sleep(STAY_MIN + math.random() * (STAY_MAX - STAY_MIN))
    if running and math.random() < 0.5 then
      local boss = bosses[i]
      bosses[i] = nil
      boss:leave()
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
for i = 1, nodes do
  bosses[i] = join(i)
  table.insert(tasks, corolua.spawn(come_and_go, i))
  corolua.spawn(keep_writing, i)
end

local nemesis = cluster:nemesis({
  faults = FAULTS, lasting = seconds, pause = { 0.3, 1.5 }, seed = seed,
})
assert(nemesis:wait())
running = false
for _, task in ipairs(tasks) do task:wait() end

-- Whether all are in line behind one and the same leader.
local function is_agreed()
  local leader
  for i = 1, nodes do
    local boss = bosses[i] or bosses[1]
    leader = leader or boss.leader
    if not leader or boss.leader ~= leader or #boss:line() ~= nodes then return false end
  end
  return true
end

for i = 1, nodes do bosses[i] = bosses[i] or join(i) end
local is_one = corolua.wait(is_agreed, 15) == true
if not is_one then log:blame("no common leader at the end") end

-- The order is the same everywhere.
local function check_order()
  for i = 2, nodes do
    for place, member in ipairs(bosses[1]:line()) do
      if bosses[i]:line()[place] ~= member then return log:blame("another line at node", i) end
    end
  end
end

check_order()
for _, witness in ipairs(witnesses) do witness.running = false end
log:check_quorum(witnesses)
for i = 1, nodes do assert(bosses[i]:leave()) end

local leaders, successions = log:successions()
local overlaps, longest = log:overlaps()
print(("election, %d nodes, seed %d: %s"):format(nodes, seed, nemesis))
for _, failure in ipairs(nemesis.failed) do
  print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
end
print(("joins %d, terms %d, leaders %d, successions %d, changed %d, elected late %d"):format(
  joins, #log.reigns, leaders, successions, log.changed, log.late))
print(("two leaders at a time, in different terms: %d times, at most %.3f s"):format(
  overlaps, longest))
print(("writes %d, refused for an old term %d; frames disturbed %d, storms calmed %d"):format(
  log.written or 0, log.refused or 0, nemesis:disturbed(), nemesis.storms))

local WRONG = {
  "two leaders in one term", "a term that falls", "elected twice", "deposed of another term",
  "a leader without quorum", "no common leader at the end", "another line at node",
}
local parts = {}
for i, what in ipairs(WRONG) do parts[i] = ("%s %d"):format(what, log.wrong[what] or 0) end
print(table.concat(parts, ", "))
for _, note in ipairs(log.notes) do print(note) end

local has_effect = nemesis.total > 0 and nemesis:disturbed() > 0 and leaders > 1 and successions > 1
if not has_effect then print("no fault took effect, or no leader changed: this proves nothing") end
local has_passed = #log.notes == 0 and has_effect
print(has_passed and "passed" or "failed")
os.exit(has_passed)
