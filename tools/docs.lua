-- Fills the code blocks of documents that name an example (see tools/docs).
local blocks = dofile("tools/blocks.lua")
local program = arg[-1]

local function fill(language, what)
  if language ~= "text" then return blocks.read(what) end
  local output, ok = blocks.run(program, what)
  assert(ok, what .. " failed:\n" .. output)
  return output
end

for _, document in ipairs(arg) do
  local text = blocks.replace(blocks.read(document), fill)
  local file <close> = assert(io.open(document, "w"))
  assert(file:write(text))
end
