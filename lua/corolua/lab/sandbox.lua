--- Where the program stands while it has labs: namespaces of its own, with a
--- /dev/shm that nobody else sees. All labs of a program share it. Who
--- may leave it leaves it with the last lab; an ordinary user stays in it for
--- good, since its rights are those of the user namespace only.

local lfs = require("lfs")
local explain = require("corolua.lab.explain")
local sys = require("corolua.sys")

local sandbox = {}

--- The folder for what the labs keep in memory: gone with the program.
sandbox.folder = "/dev/shm"

--- What to do when corosync finds no room in it.
sandbox.NO_SPACE = explain.NO_SPACE

local users = 0 -- labs that are open
local settled = false -- in a user namespace, for good
local home -- the namespaces and the folder to go back to

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return file:close()
end

-- Maps the user to root; without it nothing in the namespace could be owned.
local function become_root(id)
  local ok, why = pcall(function()
    write("/proc/self/setgroups", "deny")
    assert(write("/proc/self/uid_map", ("0 %d 1"):format(id.uid)))
    assert(write("/proc/self/gid_map", ("0 %d 1"):format(id.gid)))
  end)
  if not ok then return explain.explain_map(why) end
  settled = true
  return true
end

local function unshare_as_user()
  if sys.handles() > 0 then
    return nil, "without root the lab needs a user namespace of its own, which handles opened "
      .. "before do not survive: call lab.start before opening them", "ERR_BUSY"
  end
  local id = sys.id()
  local ok, why, code = sys.unshare("user", "net", "mnt")
  if not ok then return explain.explain("a user namespace", why, code) end
  return become_root(id)
end

local function unshare()
  if settled then return true end
  local way = {
    net = sys.namespace("net"), mnt = sys.namespace("mnt"), root = sys.root(),
    folder = lfs.currentdir(),
  }
  local ok, why, code = sys.unshare("net", "mnt")
  if ok then
    home = way
    return true
  end
  if code == "EPERM" then return unshare_as_user() end
  return explain.explain("a network namespace", why, code)
end

local function make_private()
  return sys.mount(nil, "/", nil, nil, "recursive", "private")
end

-- Changes to mounts, the own ones included, leave a chroot: this goes back.
local function enter_mounts(mounts, root, folder)
  local ok, why, code = sys.setns(mounts)
  if not ok then return nil, why, code end
  return function()
    assert(sys.chroot(root))
    assert(lfs.chdir(folder))
  end
end

-- In a chroot "/" is no mount, and the one that it stands in has no name: so
-- it is done from the outside.
local function make_private_around()
  local root <close> = assert(sys.root())
  local own <close> = assert(sys.namespace("mnt"))
  local back, why, code = enter_mounts(own, root, lfs.currentdir())
  if not back then return nil, why, code end
  local ok
  ok, why, code = make_private()
  back()
  return ok, why, code
end

local function mount()
  local ok, why, code = make_private()
  if code == "EINVAL" then ok, why, code = make_private_around() end
  if ok then
    ok, why, code = sys.mount("tmpfs", sandbox.folder, "tmpfs", "mode=1777", "nosuid", "nodev")
  end
  if ok then return true end
  local hint = code == "ENOENT" and " (`mkdir -m 1777 " .. sandbox.folder .. "` as root)" or ""
  return nil, "cannot mount a private " .. sandbox.folder .. ": " .. why .. hint, code
end

-- A lab goes into networks and back all the time. There are sandboxes that let a
-- program make namespaces and never enter one.
local function try_setns()
  local own <close> = assert(sys.namespace("net"))
  local ok, why, code = sys.setns(own)
  if ok then return true end
  return explain.explain_setns(why, code)
end

local function go_home()
  if not home then return sys.unmount(sandbox.folder) end
  local back = enter_mounts(home.mnt, home.root, home.folder)
  if back then
    back()
  else -- a program with threads cannot change its mounts back
    sys.unmount(sandbox.folder)
  end
  sys.setns(home.net)
  home.mnt:close()
  home.net:close()
  home.root:close()
  home = nil
end

local function close_guard()
  if sandbox.guard then sandbox.guard:close() end
  sandbox.guard = nil
end

--- Enters the sandbox, for one lab.
---@param nodes integer that it has
---@return true? entered, string? message, string? code
function sandbox.enter(nodes)
  local ok, why, code = explain.check_descriptors(nodes)
  if not ok then return nil, why, code end
  if users > 0 then
    users = users + 1
    return true
  end
  ok, why, code = unshare()
  if not ok then return nil, why, code end
  ok, why, code = mount()
  if ok then ok, why, code = try_setns() end
  if ok then sandbox.guard, why, code = sys.guard() end
  if not sandbox.guard then
    go_home()
    return nil, why, code
  end
  users = 1
  return true
end

--- Whether the program stands in a user namespace that it made.
---@return boolean
function sandbox.is_user() return settled end

--- One lab less needs the sandbox.
function sandbox.leave()
  users = users - 1
  if users > 0 then return end
  close_guard()
  go_home()
end

--- Makes a network namespace and runs the function in it.
---@param build fun(namespace): boolean?, string?, string?
---@return userdata? namespace, string? message, string? code
function sandbox.make_network(build)
  local base <close> = assert(sys.namespace("net"))
  local ok, why, code = sys.unshare("net")
  if not ok then return explain.explain("a network namespace", why, code) end
  local made = assert(sys.namespace("net"))
  local passed, built
  passed, built, why, code = pcall(build, made)
  assert(sys.setns(base))
  sandbox.guard:watch(made:inode()) -- which ends whoever is in it, the program too
  if not passed then error(built, 0) end
  if built then return made end
  return nil, why, code
end

--- Runs the function in the network of a namespace and returns its results;
--- whatever happens in it, the program is back afterwards.
---@param namespace userdata
---@param fn function
---@return any ...
function sandbox.run_in(namespace, fn, ...) return sys.call(namespace, fn, ...) end

--- Ends every process that is left in these networks, and lets them go.
---@param namespaces userdata[]
function sandbox.release(namespaces)
  local inodes = {}
  for i, namespace in ipairs(namespaces) do inodes[i] = namespace:inode() end
  sys.sweep(inodes)
  for i, namespace in ipairs(namespaces) do
    if sandbox.guard then sandbox.guard:unwatch(inodes[i]) end
    namespace:close()
  end
end

return sandbox
