-- A member that sends all the time, writes down what its handlers are told and
-- under which quorum, and prints it at the message "end": support/delayed.lua
-- <group>. A line is: kind, seq of the ring, quorate, when or payload.
local corolua = require("corolua")

local name = ...
local room = corolua.group(name, { quorum = "ignore" })
local lines = {}

local function note(kind, ring, what)
  local view = room.view
  assert(ring.seq == view.ring.seq)
  table.insert(lines, ("%s %d %s %s"):format(kind, ring.seq, tostring(view.quorate), what))
end

function room.on.members(view) note("members", view.ring, corolua.now()) end
function room.on.quorum(state)
  assert(state.quorate == room.view.quorate)
  note("quorum", state.ring, corolua.now())
end
function room.on.message(payload, _, info)
  note("message", info.ring, payload)
  if payload == "end" then
    print(table.concat(lines, "\n"))
    corolua.stop()
  end
end

assert(room:join())
local number = 0
while corolua.sleep(0.005) do
  number = number + 1
  assert(room:send("child:" .. number))
end
