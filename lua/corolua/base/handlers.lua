--- The handlers of an object, which a script sets as `object.on.<event> = fn`.

local args = require("corolua.base.args")
local lists = require("corolua.base.lists")
local names = require("corolua.base.names")
local shown = require("corolua.base.shown")

local handlers = {}

-- Nil takes the handler away.
local function check(kind, handler, level)
  if handler == nil or args.callable(handler) then return end
  error(("the handler of '%s' must be a function, got %s"):format(kind, shown.value(handler)),
    level + 1)
end

--- The table that a script writes into, and the one to look up handlers in.
---@param kinds string[] the events
---@param has_set (fun(kind: string, handler: function?))? told of each that is set
---@return table<string, function> on
---@return table<string, function> set
function handlers.new(kinds, has_set)
  local set, known = {}, lists.set(kinds)
  local on = setmetatable({}, {
    __index = function(_, kind)
      names.check(kind, known, "event", 2)
      return set[kind]
    end,
    __newindex = function(_, kind, handler)
      names.check(kind, known, "event", 2)
      check(kind, handler, 2)
      set[kind] = handler
      if has_set then has_set(kind, handler) end
    end,
    __call = function(_, _, kind)
      error(("'on' is no function: set object.on.%s = function"):format(
        type(kind) == "string" and kind or "<event>"), 2)
    end,
  })
  return on, set
end

return handlers
