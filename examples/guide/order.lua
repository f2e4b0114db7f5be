-- Three members that all talk at once hear the same, in the same order.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms, heard = assert(cluster:groups("tea")), { {}, {}, {} }

for node, room in ipairs(rooms) do
  function room.on.message(payload) table.insert(heard[node], payload) end
  corolua.spawn(function()
    for n = 1, 100 do assert(room:send(node .. ":" .. n)) end
  end)
end
assert(corolua.wait(function() return #heard[1] + #heard[2] + #heard[3] == 900 end, 10))

local first = table.concat(heard[1], " ")
print("node 2 heard what node 1 heard:", table.concat(heard[2], " ") == first)
print("node 3 heard what node 1 heard:", table.concat(heard[3], " ") == first)
