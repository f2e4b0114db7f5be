-- What a program leaves behind: the processes that carry a mark in their
-- environment, which what it started has inherited, and those in the network
-- namespaces that it told of, which keep these.
local lfs = require("lfs")
local sandbox = require("corolua.lab.sandbox")
local scheduler = require("corolua.task.scheduler")
local sys = require("corolua.sys")
local loop = require("corolua.loop")

local traces = {}

local last_mark = 0

local function slurp(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

local function is_zombie(pid)
  return slurp("/proc/" .. pid .. "/stat"):match("^.*%) (%a)") == "Z"
end

-- The network namespaces in the program's lines of "spaces 4026532 4026533".
local function spaces_of(program)
  local spaces = {}
  for line in program.output:gmatch("spaces ([%d ]+)") do
    for inode in line:gmatch("%d+") do spaces["net:[" .. inode .. "]"] = true end
  end
  return spaces
end

local function is_traced(pid, mark, spaces)
  return slurp("/proc/" .. pid .. "/environ"):find(mark, 1, true)
    or spaces[lfs.symlinkattributes("/proc/" .. pid .. "/ns/net", "target")]
end

--- The processes of the program that are not zombies, those that forgot their
--- environment included.
function traces.processes(program)
  local found, spaces = {}, spaces_of(program)
  for pid in lfs.dir("/proc") do
    if pid:match("^%d+$") and not is_zombie(pid) and is_traced(pid, program.mark, spaces) then
      found[#found + 1] = pid .. " " .. slurp("/proc/" .. pid .. "/comm"):gsub("\n", "")
    end
  end
  return found
end

--- The mounts where a lab makes its own, and libqb's files there, as one text to
--- compare. All else comes and goes with other programs.
function traces.places()
  local found = {}
  for mount in slurp("/proc/self/mounts"):gmatch("[^\n]+") do
    if mount:match("^%S+ (%S+)") == sandbox.folder then found[#found + 1] = mount end
  end
  for name in lfs.dir(sandbox.folder) do
    if name:find("^qb%-") then found[#found + 1] = name end
  end
  table.sort(found)
  return table.concat(found, "\n")
end

--- Waits for something outside of the program, which no event tells of.
---@return any # what the condition returned last
function traces.eventually(condition, timeout)
  local deadline = scheduler.now() + timeout
  while true do
    local result = condition()
    if result or scheduler.now() > deadline then return result end
    scheduler.sleep(0.01)
  end
end

--- Starts a program with a mark; `program.output` grows, `program.ended` is
--- set with its status.
---@param command string[]
---@param ... string more of its environment, "SHELL=/bin/sh"
function traces.start(command, ...)
  last_mark = last_mark + 1
  local program = {
    mark = ("COROLUA_MARK=%d_%d."):format(sys.id().pid, last_mark), output = "",
  }
  local reading, writing = assert(sys.pipe())
  program.pid = assert(sys.spawn(command, {
    stdout = writing, stderr = writing, env = { program.mark, ... },
  }))
  writing:close()
  reading:nonblocking()
  local function read()
    local bytes = reading:read()
    if bytes then program.output = program.output .. bytes end
    return bytes
  end
  program.reading = assert(loop.fd(reading:fileno(), "r", function()
    if read() == "" then program.reading:cancel() end
  end))
  assert(loop.child(program.pid, function(kind, status)
    program.ended = kind .. " " .. status
  end))
  return program
end

--- Waits until the program has ended and nothing of it is left.
function traces.assert_none(program, timeout)
  assert(scheduler.wait(function() return program.ended end, 10))
  local left
  traces.eventually(function()
    left = traces.processes(program)
    return #left == 0
  end, timeout or 2)
  assert(#left == 0, "left behind: " .. table.concat(left, ", "))
end

return traces
