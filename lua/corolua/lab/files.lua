--- Finding programs; making, copying and removing folders.

local lfs = require("lfs")

local files = {}

-- Where daemons are, which the PATH of an ordinary user often leaves out.
local EXTRA = "/usr/local/sbin:/usr/sbin:/sbin"

local function search_path() return (os.getenv("PATH") or "/usr/bin:/bin") .. ":" .. EXTRA end

--- How the environment of what runs on nodes differs from the program's own. A
--- service manager waits for word of the program, and not of a node's corosync.
---@param first string? a folder to find programs in before all others
---@return string[] env as `sys.spawn` takes it
function files.environment(first)
  return { "PATH=" .. (first and first .. ":" or "") .. search_path(), "NOTIFY_SOCKET" }
end

--- The full path of a program.
---@param name string
---@return string? path, string? message, string? code
function files.find(name)
  for folder in search_path():gmatch("[^:]+") do
    local path = folder .. "/" .. name
    if lfs.attributes(path, "mode") == "file" then return path end
  end
  return nil, ("%s is not installed, or not in %s: on Debian, `apt-get install %s`")
    :format(name, search_path(), name), "ENOENT"
end

local made = 0 -- paths

--- A path in the folder for such files; no other program makes one with its name.
---@param ending string
---@return string
function files.new_path(ending)
  made = made + 1
  local folder = os.getenv("TMPDIR") or ""
  if folder == "" then folder = "/tmp" end
  local file <close> = assert(io.open("/proc/self/stat"))
  return ("%s/corolua-%d-%d%s"):format(folder, file:read("n"), made, ending)
end

-- Read before a lab changes the mounts: in a chroot it names no file after it.
local own = lfs.symlinkattributes("/proc/self/exe", "target")

--- The corolua program: this very one, or the one in the PATH where a plain
--- Lua runs the script.
---@return string? path, string? message, string? code
function files.corolua()
  if own and own:match("/corolua$") then return own end
  return files.find("corolua")
end

--- Makes a folder, unless there is one.
---@param path string
---@return true? made, string? message, string? code
function files.make_folder(path)
  if lfs.attributes(path, "mode") == "directory" then return true end
  local ok, why = lfs.mkdir(path)
  if ok then return true end
  return nil, ("%s: %s"):format(path, why), "EIO"
end

--- Removes a file, or a folder with all that is in it.
---@param path string
function files.remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then files.remove(path .. "/" .. name) end
    end
  end
  os.remove(path)
end

--- Copies a folder with the files in it.
---@param from string
---@param to string
---@return true? copied, string? message
function files.copy(from, to)
  if lfs.attributes(from, "mode") == "directory" then
    lfs.mkdir(to)
    for name in lfs.dir(from) do
      if name ~= "." and name ~= ".." then files.copy(from .. "/" .. name, to .. "/" .. name) end
    end
    return true
  end
  local source <close> = assert(io.open(from, "rb"))
  local target <close>, why = io.open(to, "wb")
  if not target then return nil, why end
  target:write(source:read("a"))
  return true
end

return files
