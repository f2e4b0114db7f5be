--- The groups that are joined or about to be: by place, then by name. A process
--- can be in a group of a daemon once.
---
--- From `take` to `release` a group has one session: whatever began in it and
--- finds another one, or none, has no more say.

local forgotten = require("corolua.group.forgotten")
local state = require("corolua.group.state")
local handling = require("corolua.group.handling")

---@class corolua.group.Session one join of a group, until it is over
---@field has_entered boolean the own join has been handled; written by corolua.group.handling
---@field is_reconnecting boolean written by corolua.group.reconnecting
---@field exit corolua.AtExit|false leaves at the end of the program; written by corolua.group

local registry = {}

local taken = {}

--- Takes the group's name for it, or raises.
---@param room corolua.Group
---@param level integer whose line is to blame, as in `error`
---@return corolua.group.Session
function registry.take(room, level)
  local key = room.place.key
  local here = taken[key] or {}
  taken[key] = here
  if here[room.name] then
    error(("%s is joined already on this node by this program"):format(tostring(room)), level + 1)
  end
  here[room.name] = room
  forgotten.clear(room)
  room.session = { has_entered = false, is_reconnecting = false, exit = false }
  return room.session
end

--- The session is over, in whatever way, and its connection with it; the group
--- may join again. Harmless where that has happened already.
---@param room corolua.Group
---@param session corolua.group.Session
function registry.release(room, session)
  if room.session ~= session then return end
  room.session = false
  if room.life then room.life:finish() end
  local here = taken[room.place.key]
  here[room.name] = nil
  if not next(here) then taken[room.place.key] = nil end
  if session.exit then session.exit:cancel() end
  state.set_state(room, "left")
  handling.finish(room)
end

--- The groups of a place, by name.
---@param place corolua.Place
---@return corolua.Group[]
function registry.at(place)
  local list = {}
  for _, room in pairs(taken[place.key] or {}) do list[#list + 1] = room end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

return registry
