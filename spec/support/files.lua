-- Reading the project's own files, for specs that compare what they say.
local lfs = require("lfs")

local files = {}

--- The text of a file.
---@param path string
---@return string
function files.read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

--- Writes a file.
---@param path string
---@param text string
function files.write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

--- Its lines.
---@param path string
---@return string[]
function files.lines(path)
  local lines = {}
  for line in io.lines(path) do table.insert(lines, line) end
  return lines
end

local function collect(folder, prefix, list)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if lfs.attributes(path, "mode") == "file" then
      table.insert(list, prefix .. name)
    elseif not name:match("^%.") then
      collect(path, prefix .. name .. "/", list)
    end
  end
  return list
end

--- The files in a folder and in those below, from it on, sorted.
---@param folder string
---@return string[]
function files.below(folder)
  local list = collect(folder, "", {})
  table.sort(list)
  return list
end

return files
