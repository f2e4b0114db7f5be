-- Votes changed at run time: setvotes gives a node more, setexpected says how many there are.
-- Longer than 25 lines: three changes, and what is told of each.
local corolua = require("corolua")
local votequorum = require("corosync.votequorum")

local votes <close> = assert(votequorum.initialize({
  expectedvotes = function(_, expected) print("told of expected votes", expected) end,
}))
assert(votes:trackstart("changes_only"))
local room <close> = corolua.group("votes")
assert(room:join()) -- so that all listen before the first change
local nodes = #assert(corolua.quorum()).nodes
assert(room:wait_members(nodes, 10))

-- Node 1 changes something, all are told of it, and node 1 shows when it is in force.
local function change(what, is_told, sum, ...)
  local is_first = room.me.nodeid == 1
  if is_first then assert(votes[what](votes, ...)) end
  if is_told then assert(votes:dispatch("one")) end
  if not is_first then return end
  local info
  repeat info = assert(votes:getinfo(0)) until info.total_votes == sum
  print(what, ("%d votes, %d expected, %d needed"):format(sum, info.highest_expected, info.quorum))
end
change("setvotes", true, nodes + 2, 1, 3) -- raises what is expected along
change("setvotes", false, nodes, 1, 1) -- does not lower it, so nobody is told
change("setexpected", true, nodes, nodes)
assert(room:send("done"))
for _ = 1, nodes do assert(room:next("message", 10)) end
