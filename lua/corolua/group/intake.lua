--- What a group does when its connection has joined, has read, or is gone. It is
--- called as that is read, and never waits. A connection that is not the
--- group's any more has no say: it is told so by `is_current`, once, here.

local gate = require("corolua.group.state")
local handling = require("corolua.group.handling")
local reconnect = require("corolua.group.reconnect")

local intake = {}

local function is_current(life)
  local room = life.room
  return room.life == life and room.session == life.session
end

--- The own join and the state of its ring have been read.
---@param life corolua.group.Life
function intake.has_joined(life)
  if not is_current(life) then return end
  life.room.me = life.me
  gate.set_state(life.room, "joined")
end

-- A group that leaves reads on, to see its own last messages and its leave.
local function check_overload(life)
  local room = life.room
  if life.inbox.bytes <= room.max_held or life.is_choked or room.state ~= "joined" then return end
  if room.overload == "stop_reading" then
    life.is_choked = true
    life:read_no_more()
  else
    reconnect.overload(life)
  end
end

--- All that the library had has been read.
---@param life corolua.group.Life
function intake.has_read(life)
  if not is_current(life) then return end
  check_overload(life)
  handling.wake(life)
end

--- The quorum connection has read a state.
---@param life corolua.group.Life
---@param state corolua.QuorumState
function intake.has_read_quorum(life, state)
  if not is_current(life) then return end
  gate.set_newest_quorate(life, state.quorate)
  handling.wake(life)
end

--- The connection is over, without having been asked to.
---@param life corolua.group.Life
function intake.has_lost(life)
  if not is_current(life) then return end
  if life.room.state == "joined" then reconnect.lost(life) end
  handling.wake(life)
end

return intake
