-- Votes changed at run time: setvotes gives a node more, setexpected says how many there are.
local corolua = require("corolua")
local loop = require("corolua.loop")
local votequorum = require("corosync.votequorum")

local expected
local votes <close> = assert(votequorum.initialize({
  expectedvotes = function(_, now) expected = now end,
}))
assert(votes:trackstart("changes_only"))
local watch = loop.fd(votes:fd_get(), "r", function() votes:dispatch("all") end)

local room <close> = corolua.group("votes")
assert(room:join())
local nodes = #assert(corolua.quorum()).nodes
assert(corolua.wait(function() return #room.members == nodes end, 10))

local function change(what, to, ...)
  if room.me.nodeid == 1 then assert(votes[what](votes, ...)) end
  assert(corolua.wait(function() return expected == to end, 10))
  local info = assert(votes:getinfo(0))
  print(what, ("%d votes, %d expected, quorum at %d"):format(
    info.total_votes, info.highest_expected, info.quorum))
end
change("setvotes", nodes + 2, 1, 3) -- raises what is expected along
if room.me.nodeid == 1 then
  assert(votes:setvotes(1, 1)) -- does not lower it
  repeat local info = assert(votes:getinfo(1)) until info.node_votes == 1
end
change("setexpected", nodes, nodes)
watch:cancel()
