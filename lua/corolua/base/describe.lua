--- What a person reads of any value as an error: a string as it is, what has
--- `__tostring` by it, and a short dump of other tables.

local inspect = require("corolua.base.inspect")
local shown = require("corolua.base.shown")

local FIELDS_MAX = 8

---@param value any
---@return string
local function describe(value)
  if type(value) == "string" then return value end
  if type(value) ~= "table" then return "error object " .. tostring(value) end
  return shown.own_text(value) or "error object " .. inspect.line(value, FIELDS_MAX)
end

return describe
