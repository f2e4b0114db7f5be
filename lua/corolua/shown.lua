--- A value as an error about an argument shows it: strings in quotes, and what
--- looks like a number and is a string is called one.
---@param value any
---@return string
local function shown(value)
  local kind = type(value)
  if kind == "string" then
    local text = (("%q"):format(value):gsub("\\\n", "\\n"))
    return tonumber(value) and text .. " (a string)" or text
  end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  local mt = getmetatable(value)
  if type(mt) == "table" and mt.__tostring then return tostring(value) end
  return "a " .. kind
end

return shown
