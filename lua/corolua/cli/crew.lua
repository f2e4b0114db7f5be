--- A script on every node of a lab, for `corolua lab`: what they print, how they
--- end, and how they are ended.

local command_line = require("corolua.cli.command_line")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")
local script = require("corolua.lab.script")

---@class corolua.lab.CrewOptions
---@field takes_input fun(id: integer): boolean whether that node's script reads what it is sent
---@field fail_fast boolean? whether `wait` ends as soon as one has failed
---@field complain fun(why: string) told why a script did not start

---@class corolua.lab.Crew
---@field scripts corolua.lab.Script[] by node
---@field status integer? the first that was not 0
local methods = {}
local crew_mt = { __name = "corolua.cli.crew", __index = methods }

local crew = {}

-- So long scripts have to leave their groups when they are told to stop, and so
-- long those take to end that are killed then.
local STOP_GRACE = 6
local KILL_GRACE = 2

-- Cyan, yellow, green, magenta, blue, red.
local COLOURS = { 36, 33, 32, 35, 34, 31 }

--- What stands before each line of a node.
---@param id integer
---@param has_colour boolean
---@return string
function crew.mark(id, has_colour)
  local mark = id .. "| "
  if not has_colour then return mark end
  return ("\27[%dm%s\27[0m"):format(COLOURS[(id - 1) % #COLOURS + 1], mark)
end

local function say(text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

-- The crew's wait is over: all have ended, or one has failed.
local function wake(self)
  local is_over = not next(self.running) or self.fail_fast and self.status
  if is_over and self.resume then self.resume(true) end
end

local function how(ended)
  if ended.kind == "signal" then return ("(killed by signal %d)"):format(ended.status) end
  return ("(exit status %d)"):format(ended.status)
end

local function follow(self, id, running)
  local mark = crew.mark(id, self.is_coloured)
  self.running[id] = running
  function running.on.line(text) say(mark .. text) end
  function running.on.exit(status, ended)
    self.running[id] = nil
    if status ~= 0 then
      say(mark .. how(ended))
      self.status = self.status or status
    end
    wake(self)
  end
end

--- Starts the script on every node.
---@param cluster corolua.lab.Cluster
---@param words string[] the script and its arguments
---@param options corolua.lab.CrewOptions
---@return corolua.lab.Crew
function crew.start(cluster, words, options)
  local self = setmetatable({
    scripts = {}, running = {}, is_coloured = command_line.is_coloured(),
    fail_fast = options.fail_fast,
  }, crew_mt)
  for id, node in ipairs(cluster) do
    local running, why = script.start(node.space, words, node.processes, options.takes_input(id))
    if running then
      self.scripts[id] = running
      follow(self, id, running)
    else
      options.complain(why)
      self.status = self.status or 1
    end
  end
  return self
end

--- Waits until all have ended, or, with `fail_fast`, until one has failed.
---@param timeout number? in seconds
---@param options { interruptible: boolean }? as in `scheduler.await`
---@return true? over, string? message, string? code
function methods:wait(timeout, options)
  if not next(self.running) or self.fail_fast and self.status then return true end
  return scheduler.await(function(resume)
    self.resume = resume
    return function() self.resume = nil end
  end, timeout, options)
end

local function end_all(self, signal, grace)
  for _, id in ipairs(lists.keys(self.running)) do self.running[id]:kill(signal) end
  self:wait(grace, { interruptible = false })
end

--- Asks those that run to stop, and kills those that do not.
function methods:stop()
  self.fail_fast = false
  end_all(self, "TERM", STOP_GRACE)
  end_all(self, "KILL", KILL_GRACE)
end

return crew
