-- How long after the old leader's `deposed` another member's `elected` is told,
-- fault by fault, as the table of docs/election.md; below zero is how long two
-- led at a time: corolua bench/election.lua [rounds]

local corolua = require("corolua")
local election = require("corolua.election")
local lab = require("corolua.lab")

local rounds = math.tointeger(arg[1] or 7)
local NODES, PAUSE, LEASE, PATIENCE = 3, 1.5, 0.3, 20

local cluster <close> = assert(lab.start({ nodes = NODES }))

local function others_of(node)
  local list = {}
  for i = 1, NODES do
    if i ~= node then table.insert(list, i) end
  end
  return list
end

local function heal() assert(cluster:heal()) end
local function start(node) assert(cluster[node]:start()) end

-- Each with what breaks the leader's node, and what mends it.
local FAULTS = {
  { "the leader leaves", function(_, boss) assert(boss:close()) end },
  { "its corosync is stopped", function(node) assert(cluster[node]:stop()) end, start },
  { "its corosync is killed", function(node) assert(cluster[node]:kill()) end, start },
  { "its node is isolated", function(node) assert(cluster:isolate(node)) end, heal },
  { "its cable is pulled", function(node) assert(cluster[node]:unplug()) end, heal },
  { "it is not heard", function(node) assert(cluster:block(node, others_of(node))) end, heal },
  { "it hears nobody", function(node) assert(cluster:block(others_of(node), node)) end, heal },
  { "its corosync hangs for 1.5 s", function(node)
    assert(cluster[node]:pause())
    corolua.after(PAUSE, function() assert(cluster[node]:resume()) end)
  end },
}

-- A member that notes when it was elected, and when it was deposed.
local function join(node, lease)
  local boss = assert(election.open("measured", { node = cluster[node], lease = lease }))
  local member = { boss = boss, elected = {}, deposed = {} }
  function boss.on.elected(term) member.elected[term] = corolua.now() end
  function boss.on.deposed(term) member.deposed[term] = corolua.now() end
  return member
end

local function wait(condition) return (assert(corolua.wait(condition, PATIENCE))) end

local function leader_of(members)
  local leader = members[1].boss.leader
  for _, member in ipairs(members) do
    local boss = member.boss
    if not leader or boss.leader ~= leader or #boss:line() ~= NODES then return nil end
  end
  return members[leader.nodeid].boss:is_leader() and leader.nodeid
end

-- The first reign of another member that began after a point of time.
local function next_reign(members, old, since)
  local first
  for node, member in ipairs(members) do
    for _, at in pairs(node ~= old and member.elected or {}) do
      if at > since and (not first or at < first) then first = at end
    end
  end
  return first
end

-- The end of the last reign of the old leader that began before the next one.
local function end_of(member, before)
  local last
  for term, at in pairs(member.elected) do
    if at < before and (not last or at > member.elected[last]) then last = term end
  end
  return member.deposed[last]
end

local function measure(members, fault, lease)
  local node = wait(function() return leader_of(members) end)
  local member, since = members[node], corolua.now()
  fault[2](node, member.boss)
  local elected = wait(function() return next_reign(members, node, since) end)
  local deposed = wait(function() return end_of(member, elected) end)
  if fault[3] then fault[3](node) end
  if member.boss.group:stats().state == "left" then members[node] = join(node, lease) end
  assert(cluster:settle())
  return elected - deposed
end

local function figures(list)
  table.sort(list)
  local function milliseconds(seconds) return ("%.1f"):format(seconds * 1000) end
  return ("%s (%s to %s)"):format(milliseconds(list[(#list + 1) // 2]), milliseconds(list[1]),
    milliseconds(list[#list]))
end

local function measure_all(lease)
  local members, results = {}, {}
  for node = 1, NODES do members[node] = join(node, lease) end
  for i, fault in ipairs(FAULTS) do
    local gaps = {}
    for round = 1, rounds do gaps[round] = measure(members, fault, lease) end
    results[i] = figures(gaps)
  end
  for _, member in ipairs(members) do assert(member.boss:close()) end
  return results
end

local plain, leased = measure_all(nil), measure_all(LEASE)
print(("| what happens | no lease | lease = %g |"):format(LEASE))
print("| --- | --- | --- |")
for i, fault in ipairs(FAULTS) do
  print(("| %s | %s | %s |"):format(fault[1], plain[i], leased[i]))
end
