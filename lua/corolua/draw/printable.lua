--- Texts of others as they can be shown: names, notes and payloads of a trace. What
--- would not be seen, or would change how the text around it is seen, is spelled.

local printable = {}

-- Ranges of characters that nobody sees, that change the direction of what stands
-- around them, or that end a line.
local UNSEEN = {
  { 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x115f, 0x1160 },
  { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
  { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xd800, 0xf8ff }, { 0xfe00, 0xfe0f },
  { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff },
  { 0xe0000, 0x10ffff },
}

local function is_unseen(code)
  for _, range in ipairs(UNSEEN) do
    if code <= range[2] then return code >= range[1] end
  end
  return false
end

local function spelled_byte(byte) return ("\\x%02x"):format(byte:byte()) end

local function spelled(text)
  local parts = {}
  for _, code in utf8.codes(text) do
    if code < 0x80 and is_unseen(code) then
      parts[#parts + 1] = ("\\x%02x"):format(code)
    else
      parts[#parts + 1] = is_unseen(code) and ("\\u{%x}"):format(code) or utf8.char(code)
    end
  end
  return table.concat(parts)
end

--- A text that can be shown: what is no UTF-8 is spelled byte by byte.
---@param text string
---@return string
function printable.text(text)
  if not text:find("[^\32-\126]") then return text end
  if not utf8.len(text) then return (text:gsub("[^\32-\126]", spelled_byte)) end
  return spelled(text)
end

--- A preview of a payload: each of its characters is a byte.
---@param preview string as it stands in the trace
---@return string
function printable.payload(preview)
  if not preview:find("[^\32-\126]") then return preview end
  local bytes = {}
  for _, code in utf8.codes(preview) do
    if code > 0xff then return printable.text(preview) end
    bytes[#bytes + 1] = string.char(code)
  end
  return printable.text(table.concat(bytes))
end

return printable
