-- A group on three private nodes: members, one order, quorum and votes.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms = assert(cluster:groups("hello"))

for node, room in ipairs(rooms) do
  assert(room:send("hello from " .. node))
  assert(corolua.wait(function() return room:stats().in_flight == 0 end, 5)) -- it is back
end
for node, room in ipairs(rooms) do
  local heard = {}
  for i = 1, 3 do heard[i] = assert(room:next("message", 5)) end
  print("node " .. node, #room.members .. " members", table.concat(heard, ", "))
end

local votes <close> = assert(cluster[1]:thin("votequorum"))
assert(votes:setvotes(2, 3))
repeat local info = assert(votes:getinfo(2)) until info.node_votes == 3
print(rooms[1].view.quorate and "quorate" or "inquorate", "3 votes of node 2")
