--- The groups that are joined or about to be: by place, then by name. A process
--- can be in a group of a daemon once.

local forgotten = require("corolua.group.forgotten")
local gate = require("corolua.group.gate")
local handling = require("corolua.group.handling")

local registry = {}

local taken = {}

--- Takes the group's name for it, or raises.
---@param room table the group
---@param level integer whose line is to blame, as in `error`
function registry.take(room, level)
  local key = room.place.key
  local here = taken[key] or {}
  taken[key] = here
  if here[room.name] then
    error(("%s is joined already on this node by this program"):format(tostring(room)), level + 1)
  end
  here[room.name] = room
  forgotten.clear(room)
end

--- The group is over, in whatever way; it may join again.
---@param room table the group
function registry.release(room)
  gate.set_state(room, "left")
  room.window:stop()
  local here = taken[room.place.key]
  if here and here[room.name] == room then here[room.name] = nil end
  room.newest_view = nil
  if room.exit then room.exit:cancel() end
  room.exit = nil
  handling.finish(room)
end

--- The groups of a place.
---@param place corolua.Place
---@return table[]
function registry.at(place)
  local list = {}
  for _, room in pairs(taken[place.key] or {}) do list[#list + 1] = room end
  return list
end

return registry
