--- What a group does when its connection goes: it tells what is unknown, and
--- looks for a daemon to join again.

local state = require("corolua.group.state")
local handling = require("corolua.group.handling")
local connection = require("corolua.group.connection")
local registry = require("corolua.group.registry")
local scheduler = require("corolua.task.scheduler")

local reconnecting = {}

local PAUSE_MIN, PAUSE_MAX = 0.05, 1
local ATTEMPT_TIMEOUT = 30

--- Tells the group of the end of a connection, behind all that it has read. What
--- was accepted and not read back is unknown here: others may have it.
---@param ended corolua.group.Life
---@param message string
---@param code string
---@param unconfirmed { payload: any, sent: boolean }[]
function reconnecting.tell_down(ended, message, code, unconfirmed)
  ended.inbox:add("down", { message = message, code = code, unconfirmed = unconfirmed })
  handling.wake(ended)
end

local function give_up(room, session)
  local message = ("no daemon to join within %g s"):format(room.reconnect)
  reconnecting.tell_down(room.life, message, "ERR_TIMEOUT", {})
  registry.release(room, session)
end

local function is_wanted(room, session)
  return room.session == session and room.state == "down"
end

-- Until the group has joined again, or seconds are over.
local function look_for_daemon(room, session)
  local deadline = type(room.reconnect) == "number" and scheduler.now() + room.reconnect
  local pause = PAUSE_MIN
  while is_wanted(room, session) do
    local left = deadline and math.max(0, deadline - scheduler.now()) or math.huge
    if left == 0 then return give_up(room, session) end
    if not scheduler.sleep(math.min(pause, left)) or not is_wanted(room, session) then return end
    if connection.begin(room, session):start(math.min(ATTEMPT_TIMEOUT, left)) then return end
    pause = math.min(PAUSE_MAX, pause * 2)
  end
end

-- The one loop of a session. A connection that it has found may be lost again
-- before it comes to look.
local function reconnect(room, session)
  repeat
    look_for_daemon(room, session)
  until scheduler.is_stopping() or not is_wanted(room, session)
  session.is_reconnecting = false
end

--- The connection of the group, which had joined, is gone.
---@param ended corolua.group.Life
function reconnecting.lost(ended)
  local room, session = ended.room, ended.session
  state.set_state(room, "down")
  reconnecting.tell_down(ended, ended.why, ended.code, ended:take_unconfirmed())
  if not room.reconnect then
    registry.release(room, session)
  elseif not session.is_reconnecting then
    session.is_reconnecting = true
    scheduler.spawn(reconnect, room, session)
  end
end

--- More has been read than the script handles: the group leaves.
---@param choked corolua.group.Life
function reconnecting.overload(choked)
  local room, bytes = choked.room, choked.inbox.bytes
  state.set_state(room, "leaving")
  choked:read_no_more()
  scheduler.spawn(function()
    choked:leave(ATTEMPT_TIMEOUT)
    if room.session ~= choked.session then return end
    reconnecting.tell_down(choked, ("%d bytes were read and not handled"):format(bytes),
      "ERR_OVERLOAD", choked:take_unconfirmed())
    registry.release(room, choked.session)
  end)
end

return reconnecting
