-- Several groups in one process: each has its own members, messages and handlers.
local corolua = require("corolua")

local function open(name)
  local room, heard = corolua.group(name), {}
  function room.on.message(_, from) table.insert(heard, from.nodeid) end
  assert(room:join())
  return room, heard
end

-- Waits for so many members, then for a message from each of them.
local function talk(room, heard, count)
  assert(room:wait_members(count, 10))
  assert(room:send("hello"))
  assert(corolua.wait(function() return #heard == count end, 10))
  table.sort(heard)
  print(room.name, "messages from nodes " .. table.concat(heard, " "))
end

local all, from_all = open("all")
local half, from_half = open(all.me.nodeid % 2 == 0 and "even" or "odd")
local nodes = #assert(corolua.quorum()).nodes
talk(all, from_all, nodes)
talk(half, from_half, half.name == "even" and nodes // 2 or nodes - nodes // 2)
corolua.stop() -- leaves both
