--- What a group does when its connection goes: it tells what is unknown, and
--- looks for a daemon to join again.

local form = require("corolua.group.form")
local gate = require("corolua.group.gate")
local handling = require("corolua.group.handling")
local life = require("corolua.group.life")
local registry = require("corolua.group.registry")
local scheduler = require("corolua.scheduler")

local reconnecting = {}

local PAUSE_MIN, PAUSE_MAX = 0.05, 1
local ATTEMPT_TIMEOUT = 30

-- What was accepted and not read back is unknown here: others may have it.
local function tell_down(room, message, code)
  room.held:add("down", { message = message, code = code, unconfirmed = form.unconfirmed(room) })
  handling.wake(room)
end

local function give_up(room, seconds)
  tell_down(room, ("no daemon to join within %g s"):format(seconds), "ERR_TIMEOUT")
  registry.release(room)
end

local function is_wanted(room) return room.state == "down" end

local function rejoin(room)
  local deadline = type(room.reconnect) == "number" and scheduler.now() + room.reconnect
  local pause = PAUSE_MIN
  while is_wanted(room) do
    local left = deadline and math.max(0, deadline - scheduler.now()) or math.huge
    if left == 0 then return give_up(room, room.reconnect) end
    if not scheduler.sleep(math.min(pause, left)) or not is_wanted(room) then return end
    room.life = life.new(room, room.intake)
    if room.life:start(math.min(ATTEMPT_TIMEOUT, left)) then return end
    pause = math.min(PAUSE_MAX, pause * 2)
  end
end

--- The connection of the group is gone.
---@param room table
---@param message string
---@param code string
function reconnecting.lost(room, message, code)
  if room.state ~= "joined" then return end
  gate.set_state(room, "down")
  tell_down(room, message, code)
  if room.reconnect then
    scheduler.spawn(rejoin, room)
  else
    registry.release(room)
  end
end

--- More has been read than the script handles: the group leaves.
---@param room table
function reconnecting.overload(room)
  gate.set_state(room, "leaving")
  room.life:read_no_more()
  scheduler.spawn(function()
    room.life:leave(ATTEMPT_TIMEOUT)
    tell_down(room, ("%d bytes were read and not handled"):format(room.held.bytes), "ERR_OVERLOAD")
    registry.release(room)
  end)
end

return reconnecting
