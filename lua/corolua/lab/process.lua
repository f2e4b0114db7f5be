--- A program that runs on a node, in a process group of its own.

local feed = require("corolua.lab.feed")
local limits = require("corolua.lab.limits")
local loop = require("corolua.loop")
local place = require("corolua.lab.place")
local programs = require("corolua.lab.programs")
local scheduler = require("corolua.scheduler")
local sys = require("corolua.sys")

---@class corolua.lab.ProcessEvents
---@field output fun(bytes: string)
---@field ended fun(process: corolua.lab.Process)
---@field takes_input boolean? through `input`; else it reads /dev/null

---@class corolua.lab.Process
---@field pid integer
---@field ended { kind: string, status: integer }?
---@field input corolua.lab.Feed? its standard input, if it takes any
local methods = {}
local process_mt = { __name = "corolua.lab.process", __index = methods }

local process = {}

-- What is in the pipe once the program has ended. A child that it left behind
-- may hold the pipe open, so the end is not waited for.
local function drain(self)
  repeat
    local bytes = self.pipe:read()
    if bytes and #bytes > 0 then self.on_output(bytes) end
  until not bytes or #bytes == 0
  self.reading:cancel()
  self.pipe:close()
end

-- Its children end with it.
local function has_ended(self, kind, status)
  self.ended = { kind = kind, status = status }
  self.watch = nil
  sys.kill_group(self.pid, "KILL")
  place.guard:forget(self.pid)
  if self.input then self.input:close() end
  drain(self)
  self.on_end(self)
end

local function read(self)
  local bytes = self.pipe:read()
  if bytes and #bytes > 0 then return self.on_output(bytes) end
  if bytes then self.reading:cancel() end
end

-- The two ends of what the program reads: /dev/null, unless it takes input.
local function make_input(takes_input)
  if not takes_input then return nil, nil end
  local reading, writing = assert(sys.pipe())
  return reading, feed.new(writing)
end

--- Starts a program on a node; both its output and its errors are told of.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param on corolua.lab.ProcessEvents
---@return corolua.lab.Process? process, string? message, string? code
function process.start(space, command, on)
  local pipe, writing = assert(sys.pipe())
  local reading, input = make_input(on.takes_input)
  local pid, why, code = sys.spawn(command, {
    net = space, stdin = reading, stdout = writing, stderr = writing, guard = place.guard,
    env = programs.environment(),
  })
  writing:close()
  if reading then reading:close() end
  if not pid then
    pipe:close()
    if input then input:close() end
    return limits.explain_process(why, code)
  end
  pipe:nonblocking()
  local self = setmetatable({ pid = pid, pipe = pipe, input = input }, process_mt)
  self.on_output, self.on_end = on.output, on.ended
  self.reading = loop.fd(pipe:fileno(), "r", function() read(self) end)
  self.watch = loop.child(pid, function(...) has_ended(self, ...) end)
  return self
end

--- The exit status as a shell gives it: 128 and the number for a signal.
---@return integer?
function methods:status()
  local ended = self.ended
  if not ended then return nil end
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

--- Runs a program to its end.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param list table<corolua.lab.Process, true> in which it stands while it runs
---@return { status: integer, output: string }? result, string? message, string? code
function process.run(space, command, list)
  local output = {}
  local wake
  local self, why, code = process.start(space, command, {
    output = function(bytes) output[#output + 1] = bytes end,
    ended = function(ended)
      list[ended] = nil
      if wake then wake(true) end
    end,
  })
  if not self then return nil, why, code end
  list[self] = true
  local _
  _, why, code = scheduler.await(function(resume)
    wake = resume
    return function() self:close() end
  end)
  if code then return nil, why, code end
  return { status = self:status(), output = table.concat(output) }
end

return process
