-- A chat: what is typed on one node is printed on all of them, in the same order.
-- Where nobody can type, each says hello, and leaves when all have spoken.
local corolua = require("corolua")
local loop = require("corolua.loop")

local room, heard = corolua.group("chat"), 0
function room.on.members(view)
  for _, change in ipairs(view.joined) do print(change.member, "is here") end
  for _, change in ipairs(view.left) do print(change.member, "is gone") end
end
function room.on.message(text, from) heard = heard + 1 print(from, text) end
assert(room:join())
io.stdin:setvbuf("no") -- so that what Lua has read ahead is never waited for
local typing = loop.fd(0, "r", function()
  local line = io.read()
  if not line then return corolua.stop() end
  local sent, why = room:try_send(line)
  if not sent then print("not sent: " .. why) end
end)
if typing then return end
local nodes = #assert(corolua.quorum()).nodes
assert(room:wait_members(nodes, 10))
assert(room:send("hello from node " .. room.me.nodeid))
assert(corolua.wait(function() return heard == nodes end, 10))
assert(room:leave())
