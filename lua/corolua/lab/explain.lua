--- What to do when the kernel refuses a namespace, in one sentence. An error
--- number alone leads astray: the limits on namespaces give "No space left on
--- device".

local lfs = require("lfs")

local explain = {}

local KINDS = { "user", "net", "mnt" }

-- A node's network, and the connection that follows its corosync; besides,
-- what a lab has once, and what is open only while it starts.
local DESCRIPTORS_PER_NODE, DESCRIPTORS_BESIDES = 3, 24

-- Switches of distributions that forbid user namespaces to users, and the
-- value that allows them.
local SWITCHES = {
  { key = "kernel.unprivileged_userns_clone", forbids = "0", allow = "1" },
  { key = "kernel.apparmor_restrict_unprivileged_userns", forbids = "1", allow = "0" },
}

--- What to do when corosync finds no room for its logs and its connections.
explain.NO_SPACE = "The memory that the lab keeps its files in (/dev/shm, half of the machine's) "
  .. "is full: use fewer nodes, or end other programs."

--- The value of a kernel setting, or nil where this kernel has none.
---@param key string such as "user.max_user_namespaces"
---@return string?
function explain.sysctl(key)
  local file <close> = io.open("/proc/sys/" .. key:gsub("%.", "/"))
  return file and file:read("l")
end

-- Whether the program stands in a user namespace that is not the machine's own.
local function is_inside()
  local file <close> = io.open("/proc/self/uid_map")
  return not (file and file:read("a") or ""):match("^%s*0%s+0%s+4294967295%s*$")
end

local function refused_by_limit(what)
  for _, kind in ipairs(KINDS) do
    local key = "user.max_" .. kind .. "_namespaces"
    local value = tonumber(explain.sysctl(key))
    if value and value < 64 then
      return ("cannot make %s (limit %s is %d). Ask root for `sysctl -w %s=15000`, or run as root.")
        :format(what, key, value, key)
    end
  end
  if is_inside() then
    return ("cannot make %s: the sandbox or container around this program allows no more of them "
      .. "(bubblewrap's --disable-userns does so). Start the program without it, or outside.")
      :format(what)
  end
  return ("cannot make %s: a limit on namespaces is reached (user.max_net_namespaces, "
    .. "user.max_user_namespaces). End other labs, or ask root to raise it."):format(what)
end

local function refused_by_right(what)
  for _, switch in ipairs(SWITCHES) do
    if explain.sysctl(switch.key) == switch.forbids then
      return ("cannot make %s (%s is %s). Ask root for `sysctl -w %s=%s`, or run as root.")
        :format(what, switch.key, switch.forbids, switch.key, switch.allow)
    end
  end
  return ("cannot make %s: this user may not. In a container, its seccomp profile or missing "
    .. "capabilities forbid it: start it with --privileged or --cap-add SYS_ADMIN. In a chroot "
    .. "the kernel forbids it to all but root with CAP_SYS_ADMIN: run as root there."):format(what)
end

-- The kernel tells by this folder which kinds of namespaces it was built with.
local function refused_as_such(what)
  for _, kind in ipairs(KINDS) do
    if not lfs.symlinkattributes("/proc/self/ns/" .. kind, "mode") then
      return ("cannot make %s: this kernel has none (it was built without CONFIG_%s_NS). %s")
        :format(what, kind:upper(), kind == "user" and "Run as root." or "Use another kernel.")
    end
  end
  return ("cannot make %s: the program has several threads already. Start the lab before anything "
    .. "else."):format(what)
end

--- Turns the failure to make namespaces into what to do about it.
---@param what string "a network namespace"
---@param message string of the failed call
---@param code string "ENOSPC", "EPERM" …
---@return nil, string message, string code
function explain.explain(what, message, code)
  if code == "ENOSPC" or code == "EUSERS" then return nil, refused_by_limit(what), code end
  if code == "EPERM" or code == "EACCES" then return nil, refused_by_right(what), code end
  if code == "EINVAL" or code == "ENOSYS" then return nil, refused_as_such(what), code end
  return nil, ("cannot make %s: %s"):format(what, message), code
end

--- The failure to enter a network that the program made itself.
---@param message string of the failed call
---@param code string "EPERM" …
---@return nil, string message, string code
function explain.explain_setns(message, code)
  return nil, ("cannot enter a network namespace of its own (%s): a sandbox or container forbids "
    .. "it. Start that with a seccomp profile that allows setns, or the program outside of it.")
    :format(message), code
end

local function open_descriptors()
  local count = 0
  for _ in lfs.dir("/proc/self/fd") do count = count + 1 end
  return count
end

local function most_descriptors()
  local file <close> = io.open("/proc/self/limits")
  return tonumber((file and file:read("a") or ""):match("Max open files%s+(%d+)")) or math.huge
end

--- Whether the program may open as many files as a lab needs: without them it
--- would fail in the middle, in words that do not help.
---@param nodes integer
---@return true? enough, string? message, string? code
function explain.check_descriptors(nodes)
  local needed = open_descriptors() + DESCRIPTORS_PER_NODE * nodes + DESCRIPTORS_BESIDES
  local most = most_descriptors()
  if needed <= most then return true end
  return nil, ("a lab of %d nodes needs %d open files, and the limit is %d: `ulimit -n 1024` in "
    .. "the shell before it"):format(nodes, needed, most), "EMFILE"
end

--- The failure to start a process, with what to do about it.
---@param message string of the failed call
---@param code string "EAGAIN", "ENOSPC" …
---@return nil, string message, string code
function explain.explain_process(message, code)
  if code == "ENOSPC" then return explain.explain("a mount namespace", message, code) end
  if code ~= "EAGAIN" then return nil, message, code end
  return nil, ("cannot start a process: the limit on processes is reached (`ulimit -u`, or "
    .. "pids.max of the cgroup). End other programs, or raise it."), code
end

--- What to do when a user namespace is there, and its user cannot be mapped.
---@param message string of the failed write
---@return nil, string message, string code
function explain.explain_map(message)
  return nil, ("cannot map the user in its namespace (%s). Root without CAP_SETFCAP may not: "
    .. "run as an ordinary user, or give the container that capability.")
    :format(message:match("[^:]+$"):gsub("^ ", "")), "EPERM"
end

return explain
