--- A value as an error about an argument shows it: strings in quotes, and what
--- looks like a number and is a string is called one.

local inspect = require("corolua.base.inspect")

---@param value any
---@return string
local function shown(value)
  local kind = type(value)
  if kind == "string" then
    return inspect.quoted(value) .. (tonumber(value) and " (a string)" or "")
  end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  return inspect.own_text(value) or "a " .. kind
end

return shown
