-- A group on three private nodes: members, one order, quorum and votes.
local corolua = require("corolua")
local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local votequorum = require("corosync.votequorum")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local handles, received, members = {}, { {}, {}, {} }, { {}, {}, {} }

local function dispatch_until(condition)
  repeat
    for node = 1, 3 do assert(handles[node]:dispatch("all")) end
  until condition() or not corolua.sleep(0.01)
end

for node = 1, 3 do
  handles[node] = cluster[node]:enter(function()
    return assert(cpg.initialize({
      deliver = function(_, _, payload) table.insert(received[node], payload) end,
      confchg = function(_, _, list) members[node] = list end,
    }))
  end)
  assert(handles[node]:join("hello"))
end
dispatch_until(function() return #members[1] + #members[2] + #members[3] == 9 end)

for node = 1, 3 do
  assert(handles[node]:mcast_joined("hello from " .. node))
  dispatch_until(function() return #received[1] + #received[2] + #received[3] == 3 * node end)
end
for node = 1, 3 do
  print("node " .. node, #members[node] .. " members", table.concat(received[node], ", "))
end

local votes = cluster[1]:enter(function() return assert(votequorum.initialize()) end)
assert(votes:setvotes(2, 3))
local info = assert(votes:getinfo(2))
print(info.flags.quorate and "quorate" or "inquorate", info.node_votes .. " votes of node 2")
