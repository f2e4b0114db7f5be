-- Votes changed at run time: setvotes gives a node more, setexpected says how many there are.
local corolua = require("corolua")
local loop = require("corolua.loop")
local votequorum = require("corosync.votequorum")

local told = 0
local votes <close> = assert(votequorum.initialize({
  expectedvotes = function(_, expected)
    told = told + 1
    print("told of expected votes", expected)
  end,
}))
assert(votes:trackstart("changes_only"))
local watch = loop.fd(votes:fd_get(), "r", function() votes:dispatch("all") end)

-- Nobody changes anything before all listen, and all stay until all were told.
local room <close> = corolua.group("votes")
local done = 0
function room.on.message() done = done + 1 end
assert(room:join())
local nodes = #assert(corolua.quorum()).nodes
assert(corolua.wait(function() return #room.members == nodes end, 10))

local function await_told(times)
  assert(corolua.wait(function() return told == times end, 10))
end

local function show(what)
  local info = assert(votes:getinfo(0))
  print(what, ("%d votes, %d expected, %d needed"):format(info.total_votes,
    info.highest_expected, info.quorum))
end

if room.me.nodeid == 1 then
  assert(votes:setvotes(1, 3)) -- raises what is expected along
  await_told(1)
  show("setvotes")
  assert(votes:setvotes(1, 1)) -- does not lower it, so nobody is told
  repeat local info = assert(votes:getinfo(1)) until info.node_votes == 1
  show("setvotes")
  assert(votes:setexpected(nodes))
  await_told(2)
  show("setexpected")
end
await_told(2)
assert(room:send("done"))
assert(corolua.wait(function() return done == nodes end, 10))
watch:cancel()
