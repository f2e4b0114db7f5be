--- A corolua script that runs on a node as a process of its own; what it writes
--- comes in lines.

local fifo = require("corolua.base.fifo")
local guard = require("corolua.base.guard")
local handlers = require("corolua.base.handlers")
local scheduler = require("corolua.task.scheduler")
local condition = require("corolua.task.condition")
local tracing = require("corolua.lab.tracing")
local world = require("corolua.lab.world")

--- Called in a task, one at a time.
---@class corolua.lab.ScriptEvents
---@field line fun(line: string)?
---@field exit fun(status: integer, ended: { kind: "exit"|"signal", status: integer })?

---@class corolua.lab.Script
---@field pid integer
---@field on corolua.lab.ScriptEvents
---@field private input corolua.Feed? what it reads, if it takes any
local methods = {}
local script_mt = { __name = "corolua.lab.script", __index = methods }

local script = {}

-- Lines are handled one at a time, in order, and a handler may wait; then the
-- end of the script.
local function pump(self)
  local on = self.on
  while on.line and self.kept:peek() do on.line(self:take()) end
  self.pumping = false
  if self.process.ended and on.exit and not self.told then
    self.told = true
    on.exit(self.process:status(), self.process.ended)
  end
end

local function wake(self)
  self.changed:notify()
  if self.pumping or not (self.on.line or self.on.exit) then return end
  self.pumping = true
  scheduler.spawn(pump, self)
end

local function split(self, bytes)
  local text = self.rest .. bytes
  local start = 1
  for line, behind in text:gmatch("([^\n]*)\n()") do
    self.kept:add(line)
    start = behind
  end
  self.rest = text:sub(start)
  wake(self)
end

local function has_ended(self)
  if self.rest ~= "" then self.kept:add(self.rest) end
  self.rest = ""
  wake(self)
end

--- Starts a script.
---@param space userdata the node's network
---@param words string[] the script and its arguments
---@param list table in which the process stands while it runs
---@param takes_input boolean? through `input`; else it reads /dev/null
---@return corolua.lab.Script? script, string? message, string? code
function script.start(space, words, list, takes_input)
  local program, why, code = world.files.corolua()
  if not program then return nil, why, code end
  local self = setmetatable({
    on = handlers.new({ "line", "exit" }), changed = condition.new(), process = false,
    kept = fifo.new(), rest = "", pumping = false, told = false,
    pid = false, input = false,
  }, script_mt)
  self.process, why, code = world.process.start(space, { program, table.unpack(words) },
    { list = list, env = tracing.settings(space), takes_input = takes_input }, {
      output = function(bytes) split(self, bytes) end,
      ended = function() has_ended(self) end,
    })
  if not self.process then return nil, why, code end
  self.pid, self.input = self.process.pid, self.process.input or false
  return self
end

--- The oldest line that nobody has read, or nil.
---@return string?
function methods:take() return self.kept:take() end

--- Whether it has ended.
---@return boolean
function methods:has_ended() return self.process.ended ~= nil end

--- Waits for the next line; nil alone once the script has ended.
---@param timeout number? in seconds
---@return string? line, string? message, string? code
function methods:next(timeout)
  local _, why, code = condition.wait_until(self.changed, function()
    return self.kept:peek() or self.process.ended
  end, timeout)
  if code then return nil, why, code end
  return self:take()
end

--- Its lines, one after the other, until it has ended.
---@return fun(): string?
function methods:lines()
  return function() return (self:next()) end
end

--- Waits until the script has ended: its exit status, 128 + n after a signal n.
---@param timeout number? in seconds
---@return integer? status, string? message, string? code
function methods:wait(timeout)
  local ended, why, code =
    condition.wait_until(self.changed, function() return self.process.ended end, timeout)
  if not ended then return nil, why, code end
  return self.process:status()
end

--- Sends a signal to the script and its children.
---@param signal string? "KILL" unless told
---@return true? sent, string? message, string? code
function methods:kill(signal)
  local passed, sent, why, code = pcall(self.process.kill, self.process, signal)
  if not passed then error("kill: " .. (sent:match("%((.*)%)$") or sent), 2) end
  if not sent then return nil, why, code end
  return true
end

function script_mt:__tostring()
  return ("script of process %d, which %s")
    :format(self.pid, self:has_ended() and "has ended" or "runs")
end

guard.names(script_mt, "a script", { always = { "pid", "on" }, events = { "line", "exit" } })

return script
