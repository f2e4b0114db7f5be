--- The handlers of an object, which a script sets as `object.on.<event> = fn`.

local options = require("corolua.group.options")

local handlers = {}

--- The table that a script writes into, and the one to look up handlers in.
---@param kinds string[] the events
---@return table<string, function> on
---@return table<string, function> set
---@return table<string, true> known
function handlers.new(kinds)
  local set, known = {}, {}
  for _, kind in ipairs(kinds) do known[kind] = true end
  local on = setmetatable({}, {
    __index = function(_, kind)
      options.check_kind(kind, known, 2)
      return set[kind]
    end,
    __newindex = function(_, kind, handler)
      options.check_kind(kind, known, 2)
      options.check_handler(kind, handler, 2)
      set[kind] = handler
    end,
    __call = function(_, _, kind)
      error(("'on' is no function: set object.on.%s = function"):format(
        type(kind) == "string" and kind or "<event>"), 2)
    end,
  })
  return on, set, known
end

return handlers
