--- Whether a group may send: joined, and quorate both at the event that is
--- being handled and at the newest state that was read. `room.watch_refusal` is
--- called, where it is set, at the moment when that changes; it must not wait.

local gate = {}

local NOT_JOINED = { "the group is not joined", "ERR_NOT_EXIST" }
local NOT_QUORATE = { "not quorate", "ERR_NOT_QUORATE" }
local DOWN = { "no connection to corosync; the group looks for a new one", "ERR_LIBRARY" }

local function refusal_of(room)
  if room.state == "down" then return DOWN end
  if room.state ~= "joined" then return NOT_JOINED end
  if room.requires_quorum and not (room.is_quorate and room.is_newest_quorate) then
    return NOT_QUORATE
  end
  return false
end

-- Kept up to date rather than computed, since every send looks at it.
local function update(room)
  local refusal = refusal_of(room)
  local before = room.refusal
  room.refusal = refusal
  if refusal == before then return end
  if refusal then room.window:refuse(refusal[1], refusal[2]) end
  if room.watch_refusal then room.watch_refusal(refusal) end
end

--- The group's state: "new", "joining", "joined", "down", "leaving" or "left".
---@param room table
---@param state string
function gate.set_state(room, state)
  room.state = state
  update(room)
end

--- Whether no more is to come, unless the group joins again.
---@param room table
---@return boolean
function gate.is_over(room) return room.state == "left" or room.state == "new" end

--- Handling has come to a view.
---@param room table
---@param is_quorate boolean
function gate.set_quorate(room, is_quorate)
  if room.is_quorate == is_quorate then return end
  room.is_quorate = is_quorate
  update(room)
end

--- Reading has come to a state.
---@param room table
---@param is_quorate boolean
function gate.set_newest_quorate(room, is_quorate)
  if room.is_newest_quorate == is_quorate then return end
  room.is_newest_quorate = is_quorate
  update(room)
end

return gate
