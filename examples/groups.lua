-- Several groups in one process: each has its own members, messages and handlers.
local corolua = require("corolua")

local heard = {}

local function open(name)
  local room = corolua.group(name)
  heard[name] = {}
  function room.on.message(_, from) table.insert(heard[name], from.nodeid) end
  assert(room:join())
  return room
end

-- Waits for so many members, then for a message from each of them.
local function talk(room, count)
  assert(corolua.wait(function() return #room.members == count end, 10))
  assert(room:send("hello"))
  assert(corolua.wait(function() return #heard[room.name] == count end, 10))
  table.sort(heard[room.name])
  print(room.name, "messages from nodes " .. table.concat(heard[room.name], " "))
end

local all <close> = open("all")
local half <close> = open(all.me.nodeid % 2 == 0 and "even" or "odd")
local nodes = #assert(corolua.quorum()).nodes
talk(all, nodes)
talk(half, half.name == "even" and nodes // 2 or nodes - nodes // 2)
