--- A group's state, and whether it may send: joined, `down` of the connection
--- before handled, and quorate both at the event that is being handled and at the
--- newest state that was read.
---
--- The room's connection alone counts: what is handled of one before it, or
--- read by one that is not the room's any more, changes nothing here.

local gate = {}

local NOT_JOINED = { "the group is not joined", "ERR_NOT_EXIST" }
local NOT_QUORATE = { "not quorate", "ERR_NOT_QUORATE" }
local DOWN = { "no connection to corosync; the group looks for a new one", "ERR_LIBRARY" }
local UNTOLD = { "the end of the connection before has not been handled yet", "ERR_LIBRARY" }

local function refusal_of(room)
  local state, life = room.state, room.life
  if state == "down" then return DOWN end
  if state ~= "joined" then return NOT_JOINED end
  if room.lives[1] and room.lives[1] ~= life then return UNTOLD end
  if room.requires_quorum and not (life.is_quorate and life.is_newest_quorate) then
    return NOT_QUORATE
  end
  return false
end

--- What stands here has changed. Kept up to date rather than computed, since
--- every send looks at it.
---@param room corolua.Group
function gate.update(room)
  local refusal = refusal_of(room)
  local before = room.refusal
  room.refusal = refusal
  if refusal == before then return end
  if refusal and room.window then room.window:refuse(refusal[1], refusal[2]) end
  if room.watch_refusal then room.watch_refusal(refusal) end
end

--- The group's state: "new", "joining", "joined", "down", "leaving" or "left".
---@param room corolua.Group
---@param state string
function gate.set_state(room, state)
  room.state = state
  gate.update(room)
  room.changed:notify()
end

--- Whether no more is to come, unless the group joins again.
---@param room corolua.Group
---@return boolean
function gate.is_over(room) return room.state == "left" or room.state == "new" end

local function set(life, field, is_quorate)
  if life[field] == is_quorate then return end
  life[field] = is_quorate
  if life.room.life == life then gate.update(life.room) end
end

--- Handling has come to a view of the connection.
---@param life corolua.group.Life
---@param is_quorate boolean
function gate.set_quorate(life, is_quorate) set(life, "is_quorate", is_quorate) end

--- Reading has come to a state of the connection's node.
---@param life corolua.group.Life
---@param is_quorate boolean
function gate.set_newest_quorate(life, is_quorate) set(life, "is_newest_quorate", is_quorate) end

return gate
