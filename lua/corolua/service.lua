--- What `corolua.rpc`, `corolua.election` and `corolua.replica` are made of: a
--- group whose handlers they own, and events of their own.

local args = require("corolua.base.args")
local describe = require("corolua.base.describe")
local events = require("corolua.task.events")
local group = require("corolua.group")
local inspect = require("corolua.base.inspect")
local quorum = require("corolua.daemon.quorum")

local service = {}

---@class corolua.ServiceOptions
---@field timeout number? seconds to join in, 30 unless told
---@field group corolua.GroupOptions? further options of the group; only with a name
---@field node corolua.lab.Node? of a lab, on which it is opened; only with a name

---@class corolua.ServiceStatus
---@field state "new"|"joining"|"joined"|"down"|"leaving"|"left" of the group
---@field quorate boolean
---@field ring corosync.Ring? of the view
---@field members corosync.Member[]

local JOIN_TIMEOUT, CLOSE_TIMEOUT = 30, 5

local function metatable_name(value)
  local mt = getmetatable(value)
  return type(mt) == "table" and mt.__name
end

local function is_node(value)
  return metatable_name(value) == "corolua.lab.node", "a node of a lab"
end

--- The list of a service's options: behind its own those that all of them have.
---@param own corolua.OptionList
---@return corolua.OptionList
function service.options(own)
  table.insert(own, { "timeout", args.seconds(), JOIN_TIMEOUT })
  table.insert(own, { "group", args.table("a table of options of a group") })
  table.insert(own, { "node", is_node })
  return own
end

-- How a group says which form it has.
local forms = {
  { "packed", true, function(room) return room.is_packed end },
  { "fragment", true, function(room) return room.max_message > 0 end },
  { "codec", "string", function(room) return not room.codec end },
  { "quorum", "required", function(room) return room.requires_quorum end },
}

local function show(form) return ("%s = %s"):format(form[1], inspect.text(form[2])) end

-- All that keeps a group that was made before from being that of a service.
local function problems(room, needed, checked)
  local list, kinds = {}, {}
  if room.state ~= "new" then list[1] = "must not have been joined before" end
  for kind in pairs(room.handlers) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do
    list[#list + 1] = ("must have no handler of '%s'"):format(kind)
  end
  for _, form in ipairs(forms) do
    if needed[form[1]] and not form[3](room) then list[#list + 1] = "must have " .. show(form) end
  end
  for _, name in ipairs({ "group", "node" }) do
    if checked[name] then list[#list + 1] = ("goes without the option '%s'"):format(name) end
  end
  return list
end

local function check_group(room, what, needed, checked, level)
  if metatable_name(room) ~= "corolua.group" then
    error(("%s: a group or its name was expected, got %s"):format(what, type(room)), level + 1)
  end
  local list = problems(room, needed, checked)
  if #list == 0 then return end
  error(("%s: %s %s"):format(what, tostring(room), table.concat(list, ", ")), level + 1)
end

-- The options of a group that is made here.
local function merge(further, needed, what, level)
  local merged = {}
  for key, value in next, further or {} do merged[key] = value end
  for _, form in ipairs(forms) do
    local name, value = form[1], form[2]
    if needed[name] then
      if merged[name] ~= nil and merged[name] ~= value then
        args.refuse(what, ("option 'group'.%s"):format(name), inspect.text(value), merged[name],
          level + 1)
      end
      merged[name] = value
    end
  end
  return merged
end

--- The group of a service: one of that name, or the one given.
---@param given string|corolua.Group
---@param what string whose: "rpc.open"
---@param needed table<string, true> the options of a group in which it has no choice
---@param checked corolua.ServiceOptions
---@param level integer whose line is to blame, as in `error`
---@return corolua.Group
function service.group(given, what, needed, checked, level)
  if type(given) ~= "string" then
    check_group(given, what, needed, checked, level + 1)
    return given
  end
  local merged = merge(checked.group, needed, what, level + 1)
  local made
  if checked.node then
    made = checked.node:make_group(given, merged, level + 1)
  else
    made = group.new(quorum.HERE, given, merged, level + 1)
  end
  return made -- no tail call: it would hide the caller's line
end

--- Joins the group of a service. What the caller did wrong raises at its line.
---@param room corolua.Group
---@param what string whose: "rpc.open"
---@param timeout number in seconds
---@param level integer whose line is to blame, as in `error`
---@param undo function? called where it has not joined
---@return true? joined, string? message, string? code
function service.join(room, what, timeout, level, undo)
  local done, joined, message, code = pcall(room.join, room, { timeout = timeout })
  if undo and not (done and joined) then undo() end
  if not done then error(("%s: %s"):format(what, describe(joined)), level + 1) end
  return joined, message, code
end

--- The metatable of a service's objects.
---@param kind string "rpc"
---@param methods table
---@return table
function service.metatable(kind, methods)
  return {
    __name = "corolua." .. kind, __index = methods,
    __tostring = function(self) return ("%s '%s'"):format(kind, self.group.name) end,
    __close = function(self) self:close() end,
  }
end

--- The seconds that closing may take.
---@param given { timeout: number }?
---@param level integer whose line is to blame, as in `error`
---@return number
function service.close_timeout(given, level)
  local timeout = args.timeout(given, CLOSE_TIMEOUT, "close", level + 1)
  return timeout -- no tail call: it would hide the caller's line
end

--- How things stand with the group of a service.
---@param room corolua.Group
---@return corolua.ServiceStatus
function service.status(room)
  local view, state = room.view, room:stats().state
  return inspect.readable({
    state = state, quorate = state == "joined" and view ~= nil and view.quorate,
    ring = view and view.ring, members = { table.unpack(view and view.members or {}) },
  })
end

--- The events of a service.
---@param name string what an error names: "election 'lock'"
---@param kinds string[]
---@return corolua.Events
service.events = events.new

return service
