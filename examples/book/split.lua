-- One cut, five ways to count votes: which side may go on?
local corolua = require("corolua")
local lab = require("corolua.lab")

local function votes_of(node)
  local info = assert(node:thin("votequorum"):getinfo(0))
  local side = info.flags.quorate and "quorate" or "no quorum"
  return ("%-9s (%d of %d needed)"):format(side, info.total_votes, info.quorum)
end

-- Cuts a cluster in two and asks a node of each side.
local function cut(options, left, right)
  local cluster <close> = assert(lab.start(options))
  assert(cluster:partition({ left, right }))
  assert(cluster:settle())
  return ("{ %s } %s   { %s } %s"):format(table.concat(left, " "), votes_of(cluster[left[1]]),
    table.concat(right, " "), votes_of(cluster[right[1]]))
end

local CASES = {
  { "three nodes", { nodes = 3 }, { 1, 2 }, { 3 } },
  { "four nodes, halves", { nodes = 4 }, { 1, 2 }, { 3, 4 } },
  { "node 1 has two votes", { nodes = 4, votes = { [1] = 2 } }, { 1, 2 }, { 3, 4 } },
  { "auto_tie_breaker", { nodes = 4, auto_tie_breaker = true }, { 1, 2 }, { 3, 4 } },
  { "two_node", { nodes = 2, two_node = true }, { 1 }, { 2 } },
}

-- All at once, for each waits for corosync to notice; printed in their order.
for i, case in ipairs(CASES) do CASES[i].task = corolua.spawn(cut, table.unpack(case, 2)) end
for _, case in ipairs(CASES) do print(("%-20s  %s"):format(case[1], (case.task:wait()))) end
