--- The handlers of an object, which a script sets as `object.on.<event> = fn`.

local names = require("corolua.base.names")
local shown = require("corolua.base.shown")

local handlers = {}

--- Raises unless it can be called, or is nil, which takes the handler away.
---@param kind string
---@param handler any
---@param level integer whose line is to blame, as in `error`
function handlers.check(kind, handler, level)
  if handler == nil or type(handler) == "function" then return end
  local mt = getmetatable(handler)
  if type(mt) == "table" and mt.__call then return end
  error(("the handler of '%s' must be a function, got %s"):format(kind, shown.value(handler)),
    level + 1)
end

--- The table that a script writes into, and the one to look up handlers in.
---@param kinds string[] the events
---@param has_set (fun(kind: string, handler: function?))? told of each that is set
---@return table<string, function> on
---@return table<string, function> set
---@return table<string, true> known
function handlers.new(kinds, has_set)
  local set, known = {}, {}
  for _, kind in ipairs(kinds) do known[kind] = true end
  local on = setmetatable({}, {
    __index = function(_, kind)
      names.check(kind, known, "event", 2)
      return set[kind]
    end,
    __newindex = function(_, kind, handler)
      names.check(kind, known, "event", 2)
      handlers.check(kind, handler, 2)
      set[kind] = handler
      if has_set then has_set(kind, handler) end
    end,
    __call = function(_, _, kind)
      error(("'on' is no function: set object.on.%s = function"):format(
        type(kind) == "string" and kind or "<event>"), 2)
    end,
  })
  return on, set, known
end

return handlers
