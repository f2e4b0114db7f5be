-- Fills the code blocks of documents that name an example, and writes
-- docs/reference.md (see tools/docs).
local blocks = dofile("tools/blocks.lua")
local reference = dofile("tools/reference.lua")
local program = arg[-1]

local function fill(language, what)
  if language ~= "text" then return blocks.read(what) end
  local output, ok = blocks.run(program, what)
  assert(ok, what .. " failed:\n" .. output)
  return output
end

for _, document in ipairs(arg) do
  local is_reference = document:find("docs/reference.md", 1, true)
  local text = is_reference and (reference.text())
    or blocks.replace(blocks.read(document), fill)
  local file <close> = assert(io.open(document, "w"))
  assert(file:write(text))
end
