-- What the specs of the journal share: a folder for each test, and programs
-- that use a journal.
local lfs = require("lfs")
local support = require("spec.support")

local journals = {}

--- The path of a folder that is not there yet; in memory, where it is fast.
---@return string
function journals.folder()
  local path = os.tmpname()
  os.remove(path)
  return "/dev/shm/" .. path:match("[^/]+$")
end

--- Removes the folder and its files.
---@param path string
function journals.remove(path)
  if not lfs.attributes(path) then return end
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then os.remove(path .. "/" .. name) end
  end
  assert(lfs.rmdir(path))
end

--- The records by number.
---@param book corolua.Journal
---@return table<integer, string>
function journals.collect(book)
  local list = {}
  for index, bytes in book:records() do list[index] = bytes end
  return list
end

--- From now on its file is neither marked nor sealed, so that it is as long after
--- the last write as right behind it.
---@param book corolua.Journal
function journals.keep_open(book)
  local log = book.writer.log
  function log.mark() return true end
  log.seal = log.mark
end

--- The bytes of a file.
---@param path string
---@return string
function journals.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- Makes the file hold the bytes and nothing else.
---@param path string
---@param bytes string
function journals.write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
end

--- Runs a script with the folder as its argument, and gives its output, errors
--- included. `before` comes in front of the program: settings, another program.
---@param before string
---@param script string
---@param folder string
---@return string
function journals.run(before, script, folder)
  local path = os.tmpname()
  journals.write(path, script)
  local pipe = assert(io.popen(("%s %s %s %s 2>&1"):format(before, support.program, path, folder)))
  local output = pipe:read("a")
  pipe:close()
  os.remove(path)
  return output
end

return journals
