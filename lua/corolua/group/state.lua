--- A group's state, whether it may send, and its session: from `take` to
--- `release` a group has one, and a program has one group of a name on a node.
--- Whatever began in a session and finds another one, or none, has no more say.
---
--- A group may send while it is joined, `down` of the connection before is
--- handled, and there is quorum both at the event that is being handled and at
--- the newest state that was read. The room's connection alone counts: what is
--- handled of one before it changes nothing here.

local lists = require("corolua.base.lists")

---@class corolua.group.Session one join of a group, until it is over
---@field has_entered boolean the own join has been handled; written by corolua.group.inbox
---@field is_reconnecting boolean written by corolua.group.reconnect
---@field exit corolua.AtExit|false leaves at the end of the program; written by corolua.group

local state = {}

--- Why nothing is sent, or comes.
state.NOT_JOINED = { "the group is not joined", "ERR_NOT_EXIST" }
state.LEFT = { "the group has been left", "ERR_NOT_EXIST" }

local NOT_QUORATE = { "not quorate", "ERR_NOT_QUORATE" }
local DOWN = { "no connection to corosync; the group looks for a new one", "ERR_LIBRARY" }
local UNTOLD = { "the end of the connection before has not been handled yet", "ERR_LIBRARY" }

local taken = {} -- groups that have a session, by place and name

-- Groups that were never joined, by place and name, so that a program which
-- makes many keeps few.
local made = {}

local function refusal_of(room)
  local now, connection = room.state, room.connection
  if now == "down" then return DOWN end
  if now ~= "joined" then return state.NOT_JOINED end
  if room.inbox:is_behind(connection) then return UNTOLD end
  if room.requires_quorum and not (connection.is_quorate and connection.is_newest_quorate) then
    return NOT_QUORATE
  end
  return false
end

--- What stands here has changed. Kept up to date rather than computed, since
--- every send looks at it.
---@param room corolua.Group
function state.update(room)
  local refusal = refusal_of(room)
  if refusal == room.refusal then return end
  room.refusal = refusal
  if refusal and room.window then room.window:refuse(refusal[1], refusal[2]) end
  if room.watcher then room.watcher(refusal) end
end

--- Has a function called whenever why nothing may be sent changes, with that. It
--- must not wait. One for each group.
---@param room corolua.Group
---@param watcher fun(refusal: { [1]: string, [2]: string }|false)
function state.watch(room, watcher) room.watcher = watcher end

--- The group's state.
---@param room corolua.Group
---@param new_state "joining"|"joined"|"down"|"leaving"|"left"
function state.set(room, new_state)
  room.state = new_state
  state.update(room)
  room.changed:notify()
end

--- Whether no more is to come, unless the group joins again.
---@param room corolua.Group
---@return boolean
function state.is_over(room) return room.state == "left" or room.state == "new" end

--- Handling has come to a view of the connection, or reading to a state of its node.
---@param connection corolua.group.Connection
---@param field "is_quorate"|"is_newest_quorate"
---@param is_quorate boolean
function state.set_quorate(connection, field, is_quorate)
  if connection[field] == is_quorate then return end
  connection[field] = is_quorate
  local room = connection.room
  if room.connection == connection then state.update(room) end
end

local function key_of(room) return ("%s %s"):format(room.name, room.place.key) end

--- A group has been made.
---@param room corolua.Group
function state.note(room) made[key_of(room)] = { name = room.name, handlers = room.handlers } end

--- The names of groups that have handlers and were never joined: nothing will
--- ever call these, which is told when the program ends.
---@return string[] sorted
function state.forgotten()
  local names = {}
  for _, entry in pairs(made) do
    if next(entry.handlers) then names[#names + 1] = entry.name end
  end
  table.sort(names)
  return names
end

--- Takes the group's name for it, or raises.
---@param room corolua.Group
---@param level integer whose line is to blame, as in `error`
---@return corolua.group.Session
function state.take(room, level)
  for _, other in ipairs(taken) do
    if other.name == room.name and other.place.key == room.place.key then
      error(("%s is joined already on this node by this program"):format(tostring(room)),
        level + 1)
    end
  end
  taken[#taken + 1] = room
  made[key_of(room)] = nil
  room.session = { has_entered = false, is_reconnecting = false, exit = false }
  return room.session
end

--- The session is over, in whatever way, and its connection with it; the group
--- may join again. Harmless where that has happened already.
---@param room corolua.Group
---@param session corolua.group.Session
function state.release(room, session)
  if room.session ~= session then return end
  room.session = false
  if room.connection then room.connection:finish() end
  lists.remove(taken, room)
  if session.exit then session.exit:cancel() end
  state.set(room, "left")
  room.inbox:finish()
end

--- The groups of a place, in the order they joined.
---@param place corolua.Place
---@return corolua.Group[]
function state.at(place)
  local list = {}
  for _, room in ipairs(taken) do
    if room.place.key == place.key then list[#list + 1] = room end
  end
  return list
end

return state
