-- Puts text between two marks of docs/performance.md: <!-- MARK --> and the
-- <!-- end --> that follows.
--
--   corolua bench/document.lua MARK <text

local document = {}

local PATH = arg[0]:match("^(.*)/[^/]*$") .. "/../docs/performance.md"

local function read()
  local file <close> = assert(io.open(PATH))
  return file:read("a")
end

--- Replaces what stands between the marks.
---@param mark string such as "lab"
---@param text string
function document.put(mark, text)
  local old, opening = read(), ("<!-- %s -->\n"):format(mark)
  local _, first = assert(old:find(opening, 1, true))
  local last = assert(old:find("<!-- end -->", first, true))
  local file <close> = assert(io.open(PATH, "w"))
  assert(file:write(old:sub(1, first), text, "\n", old:sub(last)))
end

if arg and arg[0]:match("/document%.lua$") then
  document.put(arg[1], (io.read("a"):gsub("%s+$", "")))
end

return document
