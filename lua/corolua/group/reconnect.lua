--- What a group does when its connection goes: it tells what is unknown, and
--- looks for a daemon to join again.

local inbox = require("corolua.group.inbox")
local inspect = require("corolua.base.inspect")
local scheduler = require("corolua.task.scheduler")
local state = require("corolua.group.state")

local reconnect = {}

local PAUSE_MIN, PAUSE_MAX = 0.05, 1
local ATTEMPT_TIMEOUT = 30

--- Tells the group of the end of a connection, behind all that it has read. What
--- was accepted and not read back is unknown here: others may have it.
---@param ended corolua.group.Connection
---@param message string
---@param code string
---@param unconfirmed corolua.Unconfirmed[]
function reconnect.tell_down(ended, message, code, unconfirmed)
  local why = inspect.readable({ message = message, code = code, unconfirmed = unconfirmed })
  inbox.add(ended.held, "down", why)
  ended.room.inbox:wake(ended)
end

local function give_up(room, session)
  local message = ("no daemon to join within %g s"):format(room.reconnect)
  reconnect.tell_down(room.connection, message, "ERR_TIMEOUT", {})
  state.release(room, session)
end

local function is_wanted(room, session)
  return room.session == session and room.state == "down"
end

-- Until the group has joined again, or seconds are over.
local function look_for_daemon(room, session)
  local deadline = type(room.reconnect) == "number" and scheduler.now() + room.reconnect
  local pause = PAUSE_MIN
  while is_wanted(room, session) do
    local left = deadline and scheduler.left_until(deadline) or math.huge
    if left == 0 then return give_up(room, session) end
    if not scheduler.sleep(math.min(pause, left)) or not is_wanted(room, session) then return end
    if room.connection:successor():start(math.min(ATTEMPT_TIMEOUT, left)) then return end
    pause = math.min(PAUSE_MAX, pause * 2)
  end
end

-- The one loop of a session. A connection that it has found may be lost again
-- before it comes to look.
local function run(room, session)
  repeat
    look_for_daemon(room, session)
  until scheduler.is_stopping() or not is_wanted(room, session)
  session.is_reconnecting = false
end

--- The connection of the group, which had joined, is gone.
---@param ended corolua.group.Connection
function reconnect.lost(ended)
  local room, session = ended.room, ended.session
  state.set(room, "down")
  reconnect.tell_down(ended, ended.why, ended.code, ended:take_unconfirmed())
  if not room.reconnect then
    state.release(room, session)
  elseif not session.is_reconnecting then
    session.is_reconnecting = true
    scheduler.spawn(run, room, session)
  end
end

--- More has been read than the script handles: the group leaves.
---@param choked corolua.group.Connection
function reconnect.overload(choked)
  local room, bytes = choked.room, choked.held.bytes
  state.set(room, "leaving")
  choked:read_no_more()
  scheduler.spawn(function()
    choked:leave(ATTEMPT_TIMEOUT)
    if room.session ~= choked.session then return end
    reconnect.tell_down(choked, ("%d bytes were read and not handled"):format(bytes),
      "ERR_OVERLOAD", choked:take_unconfirmed())
    state.release(room, choked.session)
  end)
end

return reconnect
