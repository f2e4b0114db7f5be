--- What keeps a slip in a name from being silent: an object of ours raises where a
--- script reads or writes what it does not have, and names what was meant. It
--- hangs behind the methods, and costs nothing for what is there.

local lists = require("corolua.base.lists")
local names = require("corolua.base.names")

local guard = {}

-- The event that somebody means who writes `object.on_message`, or `object.message`.
local function event_of(key, events)
  local event = key:match("^on_?(.*)$") or key
  return events[event] and event
end

local function refuse(what, key, events, known)
  local event = type(key) == "string" and event_of(key, events)
  if event then
    error(("%s has no '%s': its handler is set as object.on.%s = function")
      :format(what, key, event), 3)
  end
  local hint = names.hint(key, known)
  if hint == "" then hint = ": a script's own fields are not kept in it" end
  error(("%s has no '%s'%s"):format(what, tostring(key), hint), 3)
end

--- Guards the objects of a metatable whose `__index` is their methods. All that
--- they have stands in them, but for what may be nil.
---@param mt table
---@param what string one of them: "a group"
---@param fields { always: string[], sometimes: string[]?, events: string[]? } for scripts:
--- those that are never nil, those that may be, and the events whose handlers are set in `on`
function guard.names(mt, what, fields)
  local methods, events = mt.__index, lists.set(fields.events or {})
  local sometimes = lists.set(fields.sometimes or {})
  local known = lists.set(fields.always)
  for name in pairs(sometimes) do known[name] = true end
  for name in pairs(methods) do known[name] = true end
  setmetatable(methods, { __index = function(_, key)
    if sometimes[key] or type(key) ~= "string" then return nil end
    refuse(what, key, events, known)
  end })
  function mt.__newindex(object, key, value)
    if sometimes[key] then return rawset(object, key, value) end
    refuse(what, key, events, known)
  end
end

--- Raises unless what a method was called on is one of the metatable's objects.
---@param object any
---@param mt table
---@param what string "a group"
---@param method string
---@param level integer whose line is to blame, as in `error`
function guard.self(object, mt, what, method, level)
  if getmetatable(object) == mt then return end
  error(("%s: call it with a colon, on %s: object:%s(...)"):format(method, what, method), level + 1)
end

return guard
