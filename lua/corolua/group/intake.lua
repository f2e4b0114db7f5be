--- What a group's connection tells it, as it is read: it only puts events into
--- the queue of what is to be handled, and never waits.

local form = require("corolua.group.form")
local gate = require("corolua.group.gate")
local handling = require("corolua.group.handling")
local reconnecting = require("corolua.group.reconnecting")

local intake = {}

local methods = {}
local intake_mt = { __index = methods }

---@param room table the group
function intake.new(room) return setmetatable({ room = room }, intake_mt) end

--- A view comes out of the fence, with another list or without.
function methods:view(view, changed)
  local room = self.room
  room.newest_view = view
  room.held:add(changed and "members" or "ring", view)
end

--- A quorum state comes out of the fence.
function methods:quorum(state, view)
  local room = self.room
  if view ~= room.newest_view then self:view(view, false) end
  room.held:add("quorum", state)
end

--- A message comes out of the fence.
function methods:message(payload, from) self.room.held:message(payload, from) end

--- A ring is complete; at the first one the group has joined.
function methods:entered()
  local room = self.room
  local life = room.life
  if life.is_ready then return end
  life.is_ready = true
  room.me = life.me
  room.window:open(life.handle)
  form.set_ring(room, room.newest_view.ring)
  room.is_quorate = room.newest_view.quorate
  local newest = life.tracker.newest
  room.is_newest_quorate = life.tracker.free or (newest ~= nil and newest.quorate)
  room.held:add("up", room.state == "down")
  gate.set_state(room, "joined")
end

local function check_overload(room)
  if room.held.bytes <= room.max_held or room.is_choked then return end
  if room.overload == "stop_reading" then
    room.is_choked = true
    room.life:read_no_more()
  elseif room.state == "joined" then
    reconnecting.overload(room)
  end
end

--- All that the library had has been read.
function methods:has_read()
  check_overload(self.room)
  handling.wake(self.room)
end

--- The quorum connection has read a state.
function methods:has_read_quorum(state)
  gate.set_newest_quorate(self.room, state.quorate)
  handling.wake(self.room)
end

--- The connection is gone.
function methods:has_lost(message, code)
  reconnecting.lost(self.room, message, code)
  handling.wake(self.room)
end

return intake
