-- What the specs share: waiting for conditions on thin handles, and the
-- program that runs them.
local features = require("corolua.lab.features")
local lfs = require("lfs")
local loop = require("corolua.loop")
local files = require("corolua.lab.files")
local scheduler = require("corolua.task.scheduler")

local support = {}

--- The corolua program that runs the specs, and the folder it was built in.
support.program = lfs.symlinkattributes("/proc/self/exe", "target")
support.build = support.program:match("^(.*)/")

-- A sanitizer's runtime has to come before all other libraries.
local function find_sanitizer()
  local maps <close> = assert(io.open("/proc/self/maps"))
  return maps:read("a"):match("/%S+/libasan%S+")
end

local sanitizer = find_sanitizer()

--- The setting of the environment that puts a stub in front of the libraries.
---@param name string? "stub" unless told; "delay", "disk" or "fork"
---@return string
function support.preload_stub(name)
  local stub = ("%s/spec/%s.so"):format(support.build, name or "stub")
  return "LD_PRELOAD=" .. (sanitizer and sanitizer .. ":" or "") .. stub
end

local CHROOT = "In a chroot the kernel forbids it to all but root with CAP_SYS_ADMIN"

--- The transports of the installed corosync.
---@return string[]
function support.transports()
  local found = features.of(assert(files.find("corosync")))
  return found.udpu and { "udpu", "knet" } or { "knet" }
end

--- Describes what needs a user namespace. A chroot allows none, whoever asks:
--- there it is described that the program says so.
---@param name string
---@param define fun()
function support.describe_user(name, define)
  local busted = require("busted")
  if os.execute("unshare -U true 2>/dev/null") then return busted.describe(name, define) end
  busted.describe(name, function()
    busted.it("is refused in a chroot, and told so", function()
      local pipe <close> = assert(io.popen(
        ("setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin '%s' -e '%s' 2>&1"):format(
          support.program, "print(require([[corolua.lab]]).start())")))
      local output = pipe:read("a")
      assert(output:find(CHROOT, 1, true), output)
    end)
  end)
end

--- Whether a process has ended, or waits to be reaped.
---@param pid integer|string
---@return boolean
function support.is_gone(pid)
  local file <close> = io.open("/proc/" .. pid .. "/stat")
  local text = file and file:read("a") -- nil of one that ends meanwhile
  local state = text and text:match("^.*%) (%a)")
  return not state or state == "Z" or state == "X"
end

--- Waits until a condition holds that no event tells of; fails after timeout.
---@param condition fun(): any
---@param timeout? number seconds, 5 if not given
function support.eventually(condition, timeout)
  local deadline = scheduler.now() + (timeout or 5)
  while not condition() do
    assert(scheduler.now() < deadline, "the condition did not come true in time")
    scheduler.sleep(0.002)
  end
end

--- Waits until a condition holds that an event brings about; fails after timeout.
---@param condition fun(): any
---@param timeout? number seconds, 10 if not given
function support.comes(condition, timeout)
  assert(scheduler.wait(condition, timeout or 10))
end

--- A test that draws from math.random. When it fails it says what draws the same
--- again: the setting of the environment that gives it its seed.
---@param test fun(seed: integer)
---@return fun() test
function support.draws(test)
  return function()
    local seed = math.tointeger(tonumber(os.getenv("COROLUA_SEED"))) or os.time()
    math.randomseed(seed)
    local ok, problem = pcall(test, seed)
    if ok then return end
    io.stderr:write(("\nCOROLUA_SEED=%d draws the same again\n"):format(seed))
    error(problem, 0)
  end
end

--- Waits until a descriptor is readable.
---@param fd integer
---@param timeout number seconds
---@return boolean|nil, string|nil, string|nil
function support.readable(fd, timeout)
  return scheduler.await(function(resume)
    local watch
    watch = assert(loop.fd(fd, "r", function()
      watch:cancel()
      resume(true)
    end))
    return function()
      watch:cancel()
    end
  end, timeout)
end

--- Dispatches a thin handle until the condition holds; fails after timeout.
---@param handle table
---@param condition fun(): any
---@param timeout? number seconds, 5 if not given
function support.dispatch_until(handle, condition, timeout)
  local deadline = scheduler.now() + (timeout or 5)
  local fd = assert(handle:fd_get())
  while not condition() do
    local _, more = assert(handle:dispatch("all"))
    if not more and not condition() then
      support.await(fd, deadline)
    end
  end
end

function support.await(fd, deadline)
  local left = deadline - scheduler.now()
  assert(left > 0 and support.readable(fd, left), "the condition did not come true in time")
end

--- Dispatches a thin handle on a node of a lab for as long as the cluster lives.
---@param node corolua.lab.Node
---@param handle table
---@return table handle
function support.follow(node, handle)
  local watch
  watch = assert(loop.fd(assert(handle:fd_get()), "r", function()
    local ok, more
    repeat ok, more = handle:dispatch("all") until not ok or not more
    if not ok then watch:cancel() end
  end))
  watch:unref()
  node:at_close(function() watch:cancel() end)
  return handle
end

--- How many descriptors this process has open.
---@return integer
function support.descriptors()
  local count = 0
  for _ in lfs.dir("/proc/self/fd") do
    count = count + 1
  end
  return count
end

--- Fails unless the function raises at a line of a spec, with a message that
--- matches the pattern.
---@param pattern string
---@param fn function
function support.raises(pattern, fn)
  local ok, message = pcall(fn)
  assert(not ok, "no error was raised")
  assert(tostring(message):match("^%.?/?spec/[%w_/]+%.lua:%d+: .*" .. pattern),
    "the error does not match '" .. pattern .. "': " .. tostring(message))
end

--- Wraps a function: counts its calls, and runs a full collection after each.
---@param fn? function
---@return function wrapped, fun(): integer calls
function support.counted(fn)
  local calls = 0
  return function(...)
    calls = calls + 1
    if fn then
      fn(...)
    end
    collectgarbage()
  end, function()
    return calls
  end
end

return support
