-- A group on three private nodes: members, one order, quorum and votes.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms, heard = {}, { {}, {}, {} }

for node = 1, 3 do
  local room = cluster[node]:group("hello")
  rooms[node] = room
  function room.on.message(payload) table.insert(heard[node], payload) end
  assert(room:join())
end

for node, room in ipairs(rooms) do
  assert(corolua.wait(function() return #room.members == 3 end, 5))
  assert(room:send("hello from " .. node))
  assert(corolua.wait(function() return #heard[1] + #heard[2] + #heard[3] == 3 * node end, 5))
end
for node, room in ipairs(rooms) do
  print("node " .. node, #room.members .. " members", table.concat(heard[node], ", "))
end

local votes <close> = assert(cluster[1]:votequorum())
assert(votes:setvotes(2, 3))
local info
repeat info = assert(votes:getinfo(2)) until info.node_votes == 3
print(rooms[1].view.quorate and "quorate" or "inquorate", info.node_votes .. " votes of node 2")
