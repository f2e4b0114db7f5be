--- What `corolua.rpc`, `corolua.election` and `corolua.replica` are made of: a
--- group whose handlers they own, and events of their own.

local describe = require("corolua.base.describe")
local events = require("corolua.task.events")
local group = require("corolua.group")
local quorum = require("corolua.daemon.quorum")

local service = {}

local function check_group(room, what, level)
  local mt = getmetatable(room)
  if type(mt) ~= "table" or mt.__name ~= "corolua.group" then
    error(("%s: a group or its name was expected, got %s"):format(what, type(room)), level + 1)
  elseif room.state ~= "new" then
    error(("%s: %s must not have been joined before"):format(what, tostring(room)), level + 1)
  end
  local kind = next(room.handlers)
  if kind then
    error(("%s: %s has a handler of '%s' already"):format(what, tostring(room), kind), level + 1)
  end
end

--- The group of a service: one of that name on the program's own node, or the
--- one given, which nobody has joined or set handlers of.
---@param given string|corolua.Group
---@param what string whose: "rpc.open"
---@param options corolua.GroupOptions? of a group that is made here
---@param level integer whose line is to blame, as in `error`
---@return corolua.Group
function service.room(given, what, options, level)
  if type(given) ~= "string" then
    check_group(given, what, level + 1)
    return given
  end
  local made = group.new(quorum.HERE, given, options, level + 1)
  return made -- no tail call: it would hide the caller's line
end

--- Joins the group of a service. What the caller did wrong raises at its line.
---@param room corolua.Group
---@param what string whose: "rpc.open"
---@param level integer whose line is to blame, as in `error`
---@param timeout number? in seconds, that of the group unless told
---@return true? joined, string? message, string? code
function service.join(room, what, level, timeout)
  local done, joined, message, code = pcall(room.join, room, { timeout = timeout })
  if not done then error(("%s: %s"):format(what, describe(joined)), level + 1) end
  return joined, message, code
end

--- The events of a service.
---@param name string what an error names: "election 'lock'"
---@param kinds string[]
---@return corolua.Events
service.events = events.new

return service
