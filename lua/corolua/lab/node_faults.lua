--- What can be done to a node: its corosync ends, starts, pauses, goes on; its
--- cables are pulled.

local faults = require("corolua.lab.faults")
local scheduler = require("corolua.task.scheduler")
local tell = require("corolua.trace.tell")
local world = require("corolua.lab.world")

---@class corolua.lab.Node
local methods = {}

local node_faults = { methods = methods }

-- A clean stop ends in milliseconds, a start in less than a second; more than
-- this means that corosync hangs.
local STOP_TIMEOUT = 10
local START_TIMEOUT = 30
local PAUSE_TIMEOUT = 2
local PAUSE_POLL = 0.001

local function check_open(self, name)
  if self.cluster.closed then error(name .. ": the cluster is closed", 3) end
end

local function not_running(self)
  return nil, ("corosync does not run on node %d"):format(self.nodeid), "ERR_NOT_EXIST"
end

local mending = { start = true, resume = true, plug = true }

---@return corolua.lab.Deed
local function deed_of(self, op, text)
  return {
    op = op, args = { self.nodeid }, text = ("%s node %d"):format(text or op, self.nodeid),
    mends = mending[op],
  }
end

local function in_force(self, kind, op, text)
  self.fault = kind and { kind = kind, since = scheduler.now() }
  faults.record(self.cluster, deed_of(self, op, text))
  return true
end

-- As `nil, why, code`, and told.
local function refused(self, op, _, why, code)
  return faults.refuse(deed_of(self, op), why, code)
end

local function tell_process(self, what)
  tell.line("proc", false, "n", self.nodeid, "what", what, "pid", self.daemon.pid)
end

--- Notes that corosync ended without being told to.
---@param self corolua.lab.Node
function node_faults.has_crashed(self)
  in_force(self, "crashed", "crash", ("corosync ended with %s on"):format(self.daemon.ended))
end

--- Why a call that needs the node's corosync would never return, or nil.
---@private
---@return string? message, string? code
function methods:obstacle()
  if self.paused then
    return ("node %d is paused: resume it first"):format(self.nodeid), "ERR_BUSY"
  end
end

--- Kills corosync on the spot, as a crash of the node.
---@return true? in_force, string? message, string? code
function methods:kill()
  check_open(self, "kill")
  if not self:is_running() then return refused(self, "kill", not_running(self)) end
  self.daemon:kill()
  return in_force(self, "killed", "kill")
end

--- Ends corosync cleanly, and waits until it has ended.
---@return true? in_force, string? message, string? code
function methods:stop()
  check_open(self, "stop")
  if not self:is_running() then return refused(self, "stop", not_running(self)) end
  local why, code = self:obstacle()
  if why then return refused(self, "stop", nil, why, code) end
  self.daemon:terminate()
  local ok
  ok, why, code = scheduler.wait(function() return not self:is_running() end, STOP_TIMEOUT)
  if not ok then return refused(self, "stop", nil, why, code) end
  return in_force(self, "stopped", "stop")
end

local function started(self)
  if not self:is_running() then return "failed" end
  if self.tracker.lacks_space then return "full" end
  return self.tracker.view and "started"
end

--- Starts corosync, and waits until it is in a ring and says whether that has
--- quorum.
---@return true? in_force, string? message, string? code
function methods:start()
  check_open(self, "start")
  if self:is_running() then
    return refused(self, "start", nil, ("corosync runs on node %d already"):format(self.nodeid),
      "ERR_EXIST")
  end
  local ok, why, code = self:launch(1)
  if not ok then return refused(self, "start", nil, why, code) end
  local what
  what, why, code = scheduler.wait(function() return started(self) end, START_TIMEOUT)
  if what == "started" then return in_force(self, nil, "start") end
  if what == "failed" then return refused(self, "start", self.daemon:last_words()) end
  if what == "full" then why, code = world.sandbox.NO_SPACE, "ENOSPC" end
  return refused(self, "start", nil, why, code)
end

--- Stops corosync cleanly if it runs, and starts it.
---@return true? in_force, string? message, string? code
function methods:restart()
  check_open(self, "restart")
  if self:is_running() then
    local ok, why, code = self:stop()
    if not ok then return nil, why, code end
  end
  return self:start()
end

--- Stops corosync in its tracks (SIGSTOP), as a node that hangs. Whatever asks
--- this node's corosync for something waits until it is resumed.
---@return true? in_force, string? message, string? code
function methods:pause()
  check_open(self, "pause")
  if not self:is_running() then return refused(self, "pause", not_running(self)) end
  if self.paused then
    return refused(self, "pause", nil, ("node %d is paused already"):format(self.nodeid),
      "ERR_EXIST")
  end
  local pid = self.daemon.pid
  self.paused = true
  self.daemon:signal("STOP")
  local deadline = scheduler.now() + PAUSE_TIMEOUT
  while self.daemon.pid == pid and not self.daemon:is_stopped() and scheduler.now() < deadline do
    scheduler.sleep(PAUSE_POLL)
  end
  if self.daemon.pid ~= pid then return refused(self, "pause", not_running(self)) end
  tell_process(self, "pause")
  return in_force(self, "paused", "pause")
end

--- Lets a paused corosync go on.
---@return true? in_force, string? message, string? code
function methods:resume()
  check_open(self, "resume")
  if not self.paused then
    return refused(self, "resume", nil, ("node %d is not paused"):format(self.nodeid),
      "ERR_NOT_EXIST")
  end
  self.paused = false
  self.daemon:signal("CONT")
  tell_process(self, "resume")
  return in_force(self, nil, "resume")
end

local function set_plugged(self, plugged, op)
  local cluster = self.cluster
  local ok, why, code = cluster.network:set_plugged(self.nodeid, plugged)
  if not ok then return refused(self, op, nil, why, code) end
  cluster.cuts.unplugged[self.nodeid] = not plugged and scheduler.now() or nil
  faults.record(cluster, deed_of(self, op))
  return true
end

--- Pulls all cables of the node.
---@return true? in_force, string? message, string? code
function methods:unplug()
  check_open(self, "unplug")
  if self.cluster.cuts.unplugged[self.nodeid] then
    return refused(self, "unplug", nil, ("node %d is unplugged already"):format(self.nodeid),
      "ERR_EXIST")
  end
  return set_plugged(self, false, "unplug")
end

--- Plugs the cables in again.
---@return true? in_force, string? message, string? code
function methods:plug()
  check_open(self, "plug")
  if not self.cluster.cuts.unplugged[self.nodeid] then
    return refused(self, "plug", nil, ("node %d is not unplugged"):format(self.nodeid),
      "ERR_NOT_EXIST")
  end
  return set_plugged(self, true, "plug")
end

return node_faults
