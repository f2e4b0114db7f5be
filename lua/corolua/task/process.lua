--- A program that runs in a process group of its own, and holds up nobody. What
--- it started ends with it, but for what made a session of its own. All of it
--- ends with our program, however that ends: a guard kills the group.

local feed = require("corolua.task.feed")
local loop = require("corolua.loop")
local scheduler = require("corolua.task.scheduler")
local sys = require("corolua.sys")

---@class corolua.ProcessOptions
---@field net userdata? the network it runs in; the program's own unless told
---@field env string[]? as `sys.spawn` takes it
---@field cwd string? the folder it runs in; the program's own unless told
---@field guard corolua.Guard? one for the whole program unless told
---@field takes_input boolean? through `input`; else it reads /dev/null
---@field list table<corolua.Process, true>? in which it stands while it runs

---@class corolua.ProcessEvents
---@field output fun(bytes: string) both its output and its errors
---@field ended fun(process: corolua.Process)

---@class corolua.Process
---@field pid integer
---@field ended { kind: "exit"|"signal"|"unknown", status: integer? }?
---@field input corolua.Feed? its standard input, if it takes any
local methods = {}
local process_mt = { __name = "corolua.process", __index = methods }

local process = {}

-- A pipe holds at the most so much. Who writes into it for ever, in a session of
-- its own, is not read for ever.
local PIPE_MAX = 1 << 20

-- A process that is killed is gone in a moment, unless it waits for a disk.
local KILL_TIMEOUT = 1

local own_guard = false

-- What is in the pipe once the program has ended. What it left behind may hold
-- the pipe open, so the end is not waited for.
local function drain(self)
  local rest = PIPE_MAX
  repeat
    local bytes = self.pipe:read()
    if bytes and #bytes > 0 then self.on_output(bytes) end
    rest = rest - #(bytes or "")
  until not bytes or #bytes == 0 or rest <= 0
  self.reading:cancel()
  self.pipe:close()
end

local function has_ended(self, kind, status)
  self.ended = { kind = kind, status = status }
  self.watch, self.list[self] = nil, nil
  sys.kill_group(self.pid, "KILL")
  self.guard:forget(self.pid)
  if self.input then self.input:close() end
  drain(self)
  self.on_end(self)
end

local function read(self)
  local bytes = self.pipe:read()
  if bytes and #bytes > 0 then return self.on_output(bytes) end
  if bytes then self.reading:cancel() end
end

local function spawn(command, options, guard, ends)
  return sys.spawn(command, {
    net = options.net, env = options.env, cwd = options.cwd, guard = guard,
    stdin = ends.reading, stdout = ends.writing, stderr = ends.writing,
  })
end

local function make_guard()
  local why, code
  own_guard, why, code = sys.guard()
  return own_guard, why, code
end

-- Somebody may have killed our guard.
local function spawn_guarded(command, options, ends)
  if options.guard then return options.guard, spawn(command, options, options.guard, ends) end
  local guard, why, code = own_guard or nil, nil, nil
  if not guard then guard, why, code = make_guard() end
  if not guard then return nil, nil, why, code end
  local pid
  pid, why, code = spawn(command, options, guard, ends)
  if code ~= "EPIPE" then return guard, pid, why, code end
  guard:close()
  guard, why, code = make_guard()
  if not guard then return nil, nil, why, code end
  return guard, spawn(command, options, guard, ends)
end

-- The pipes, of which the program has the ends `reading`, if it takes input, and
-- `writing`.
local function open_pipes(takes_input)
  local reading, input, why, code
  if takes_input then
    reading, input, code = sys.pipe()
    if not reading then return nil, input, code end
  end
  local output, writing
  output, writing, code = sys.pipe()
  if output then return { reading = reading, input = input, output = output, writing = writing } end
  why = writing
  if reading then
    reading:close()
    input:close()
  end
  return nil, why, code
end

local function close_ends(ends, ...)
  for _, name in ipairs({ ... }) do
    if ends[name] then ends[name]:close() end
  end
end

-- A program that cannot be watched, for want of a descriptor, must not run.
local function watch(self)
  local why, code
  self.pipe:nonblocking()
  self.reading, why, code = loop.fd(self.pipe:fileno(), "r", function() read(self) end)
  if not self.reading then return nil, why, code end
  self.watch, why, code = loop.child(self.pid, function(...) has_ended(self, ...) end)
  if not self.watch then self.reading:cancel() end
  return self.watch, why, code
end

local function kill_unwatched(self, ends)
  sys.kill_group(self.pid, "KILL")
  sys.reap(self.pid)
  self.guard:forget(self.pid)
  close_ends(ends, "input", "output")
end

--- Starts a program.
---@param command string[] the program and its arguments
---@param options corolua.ProcessOptions
---@param on corolua.ProcessEvents
---@return corolua.Process? process, string? message, string? code
function process.start(command, options, on)
  local ends, why, code = open_pipes(options.takes_input)
  if not ends then return nil, why, code end
  local guard, pid
  guard, pid, why, code = spawn_guarded(command, options, ends)
  close_ends(ends, "reading", "writing")
  if not pid then
    close_ends(ends, "input", "output")
    return nil, why, code
  end
  local self = setmetatable({ pid = pid, guard = guard, pipe = ends.output }, process_mt)
  self.on_output, self.on_end, self.list = on.output, on.ended, options.list or {}
  local is_watched
  is_watched, why, code = watch(self)
  if not is_watched then
    kill_unwatched(self, ends)
    return nil, why, code
  end
  self.input, self.list[self] = ends.input and feed.new(ends.input), true
  return self
end

--- The exit status as a shell gives it: 128 and the number for a signal. Nil
--- while it runs, and if somebody else has taken it from the system.
---@return integer?
function methods:status()
  local ended = self.ended
  if not ended or ended.kind == "unknown" then return nil end
  return ended.kind == "exit" and ended.status or 128 + ended.status
end

--- Sends a signal to the program and its children.
---@param signal string? "KILL" unless told
---@return true? sent, string? message, string? code
function methods:kill(signal)
  if self.ended then return nil, "the program has ended", "ESRCH" end
  return sys.kill_group(self.pid, signal or "KILL")
end

--- Kills it with its children, and returns when it has ended.
function methods:close()
  if self.ended then return end
  self.watch:cancel()
  sys.kill_group(self.pid, "KILL")
  has_ended(self, sys.reap(self.pid))
end

-- It ends in a moment, which the program does not wait for if it ends itself.
local function abandon(self)
  if self.ended then return end
  self:kill()
  if self.input then self.input:close() end
  self.watch:unref()
  self.reading:unref()
end

-- What comes of a run: its output, as long as it is not too much.
local function new_run(name, most)
  local run = { name = name, output = {}, size = 0, most = most, resume = false }
  function run.take(bytes)
    run.size = run.size + #bytes
    if run.size <= run.most then
      run.output[#run.output + 1] = bytes
    else
      run.process:kill()
    end
  end
  function run.ended()
    if run.resume then run.resume(true) end
  end
  return run
end

local function begin(run, command, options, input)
  local why, code
  run.process, why, code = process.start(command, options, {
    output = run.take, ended = run.ended,
  })
  if not run.process then
    run.resume(nil, why, code)
    return nil
  end
  if input then
    run.process.input:write(input)
    run.process.input:finish()
  end
  return function() abandon(run.process) end
end

local function result_of(run)
  local self = run.process
  if run.size > run.most then
    return nil, ("%s: more than %d bytes of output"):format(run.name, run.most), "ERR_TOO_BIG"
  end
  local status = self:status()
  if not status then
    return nil, run.name .. ": somebody else took its exit status", "ECHILD"
  end
  return {
    status = status, output = table.concat(run.output),
    signal = self.ended.kind == "signal" and self.ended.status or nil,
  }
end

---@class corolua.RunOptions: corolua.ProcessOptions
---@field timeout number? in seconds
---@field input string? its standard input
---@field max_output integer? bytes; no limit unless told

--- Runs a program to its end, in a task. If the wait is over before, the program
--- is killed with what it started, and has ended when this returns.
---@param command string[] the program and its arguments
---@param options corolua.RunOptions
---@return { status: integer, output: string, signal: integer? }? result
---@return string? message, string? code
function process.run(command, options)
  local run = new_run(command[1], options.max_output or math.huge)
  options.takes_input = options.input ~= nil
  local _, why, code = scheduler.await(function(resume)
    run.resume = resume
    return begin(run, command, options, options.input)
  end, options.timeout)
  if not code then return result_of(run) end
  if run.process and not run.process.ended then
    scheduler.await(function(resume) run.resume = resume end, KILL_TIMEOUT,
      { interruptible = false })
  end
  if code == "ERR_TIMEOUT" then why = ("%s: %s"):format(run.name, why) end
  return nil, why, code
end

return process
