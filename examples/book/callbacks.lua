-- When which callback is called: a process on node 1 listens to everything there is.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local here = cluster[1]
local called = {} -- since the last line of the table

local function note(column, value)
  called[column] = value or "x"
end

local cpg = assert(here:thin("cpg", {
  deliver = function(_, _, payload) note(payload == "mark" and "mark" or "deliver") end,
  confchg = function(_, _, _, left, joined)
    for _, change in ipairs(#left > 0 and left or joined) do note("confchg", change.reason) end
  end,
  totem_confchg = function() note("totem") end,
}, { deliver_initial_totem_conf = true }))
local quorum = assert(here:thin("quorum", {
  nodelist = function() note("q.nodes") end,
  quorum = function(_, quorate) note("q.quorum", quorate and "yes" or "no") end,
}))
local votes = assert(here:thin("votequorum", {
  nodelist = function() note("v.nodes") end,
  quorum = function(_, quorate) note("v.quorum", quorate and "yes" or "no") end,
  expectedvotes = function(_, expected) note("v.expected", expected) end,
}))
local map = assert(here:thin("cmap", "icmap"))
local cfg = assert(here:thin("cfg", {
  shutdown = function(handle, flags)
    note("shutdown", flags)
    assert(handle:replyto_shutdown("no"))
  end,
}))

local function dispatch()
  for _, handle in ipairs({ cpg, quorum, votes, map, cfg }) do
    repeat local _, more = assert(handle:dispatch("all")) until not more
  end
end

local function await(condition)
  local deadline = corolua.now() + 20
  while not condition() do
    assert(corolua.now() < deadline, "what was waited for did not come")
    dispatch()
    corolua.sleep(0.002)
  end
end

local COLUMNS = {
  "deliver", "confchg", "totem", "q.nodes", "q.quorum", "v.nodes", "v.quorum", "v.expected",
  "cmap", "shutdown",
}
local FORMAT = "%-28s %-7s %-8s %-5s %-7s %-8s %-7s %-8s %-10s %-4s %s"
print((FORMAT:format("", table.unpack(COLUMNS))))

-- A message of ours comes behind all that was in the order before it.
local function line(what)
  if cpg:state() == "joined" then
    assert(cpg:mcast_joined("mark"))
    await(function() return called.mark end)
  end
  dispatch()
  local cells = {}
  for i, column in ipairs(COLUMNS) do cells[i] = called[column] or "." end
  print((FORMAT:format(what, table.unpack(cells))))
  called = {}
end

assert(map:track_add("runtime.members.", { "add", "delete", "modify", "prefix" }, function()
  note("cmap")
end))
assert(cfg:trackstart())
assert(quorum:trackstart("changes"))
assert(votes:trackstart("changes"))
await(function() return called["q.quorum"] and called["v.quorum"] end)
line("trackstart")
assert(cpg:join("tea"))
await(function() return called.totem end)
line("we join")
assert(cpg:mcast_joined("hello"))
await(function() return called.deliver end)
line("we send")

local other = assert(cluster[2]:thin("cpg"))
assert(other:join("tea"))
await(function() return called.confchg end)
line("a process on node 2 joins")
assert(other:mcast_joined("hello"))
await(function() return called.deliver end)
line("it sends")
assert(other:leave())
await(function() return called.confchg end)
line("it leaves")
local victim = assert(cluster[2]:run("examples/book/sleeper.lua"))
await(function() return called.confchg end)
called = {}
assert(victim:kill())
await(function() return called.confchg end)
line("another one is killed")

assert(votes:setvotes(2, 3))
await(function() return called["v.expected"] end)
line("node 2 gets three votes")
assert(votes:setvotes(2, 1))
repeat local info = assert(votes:getinfo(2)) until info.node_votes == 1
line("node 2 has one again")
assert(votes:setexpected(3))
await(function() return called["v.expected"] end)
line("three votes are expected")

local function change(what, fault)
  assert(fault())
  assert(cluster:settle())
  await(function() return called["v.quorum"] and called["q.quorum"] end)
  line(what)
end

change("node 3, no member, dies", function() return cluster[3]:kill() end)
change("node 3 is back", function() return cluster[3]:start() end)
assert(cluster[2]:run("examples/book/sleeper.lua"))
await(function() return called.confchg end)
called = {}
change("node 2, a member, is cut off", function() return cluster:isolate(2) end)
change("node 2 is back", function() return cluster:heal() end)
change("we are cut off", function() return cluster:isolate(1) end)
change("we are back", function() return cluster:heal() end)

local asked = corolua.spawn(function() return here:tool("corosync-cfgtool", "-H") end)
await(function() return asked:is_done() end)
line("somebody asks for a shutdown")
assert(cpg:leave())
await(function() return called.confchg end)
line("we leave")
