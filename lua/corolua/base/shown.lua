--- How an error shows a value that it is about: strings in quotes, and what looks
--- like a number and is a string is called one.

local shown = {}

--- A string in quotes, on one line; what is not UTF-8 byte by byte.
---@param text string
---@return string
function shown.quoted(text)
  local quoted = ("%q"):format(text):gsub("\\\n", "\\n")
  if utf8.len(text) then return quoted end
  return (quoted:gsub("[\x80-\xff]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

--- What a value says of itself: a table by its `__tostring`, a userdata by that
--- or by the name of its type. Nil if there is nothing, or it fails.
---@param value any
---@return string?
function shown.own_text(value)
  local mt = getmetatable(value)
  local has_own = type(mt) == "table" and not mt.is_plain and mt.__tostring
  if type(value) ~= "userdata" and not has_own then return nil end
  local ok, text = pcall(tostring, value)
  if not ok then return nil end
  if type(value) == "table" then return text end
  return (text:gsub(": 0x%x+$", ""):gsub(" %(0x%x+%)$", ""))
end

---@param value any
---@return string
function shown.value(value)
  local kind = type(value)
  if kind == "string" then
    return shown.quoted(value) .. (tonumber(value) and " (a string)" or "")
  end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  return shown.own_text(value) or "a " .. kind
end

return shown
