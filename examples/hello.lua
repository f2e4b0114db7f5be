-- A group on three private nodes: members, one order, quorum and votes.
local corolua = require("corolua")
local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local votequorum = require("corosync.votequorum")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local handles, received, members = {}, { {}, {}, {} }, {}

for node = 1, 3 do
  handles[node] = cluster[node]:enter(function()
    return assert(cpg.initialize({
      deliver = function(_, _, payload)
        table.insert(received[node], payload)
      end,
      confchg = function(_, _, list)
        members[node] = list
      end,
    }))
  end)
  assert(handles[node]:join("hello"))
  assert(handles[node]:mcast_joined("hello from node " .. node))
end

repeat
  for node = 1, 3 do
    assert(handles[node]:dispatch("all"))
  end
until #received[1] + #received[2] + #received[3] == 6 or not corolua.sleep(0.01)

for node = 1, 3 do
  print("node " .. node, #members[node] .. " members", table.concat(received[node], ", "))
end

local votes = cluster[1]:enter(function() return assert(votequorum.initialize()) end)
assert(votes:setvotes(2, 3))
local info = assert(votes:getinfo(2))
print("quorum", info.flags.quorate and "quorate" or "not quorate", info.node_votes .. " votes of node 2")
