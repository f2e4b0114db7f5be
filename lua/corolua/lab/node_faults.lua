--- What can be done to a node: its corosync ends, starts, pauses, goes on; its
--- cables are pulled.

local checks = require("corolua.lab.fault_checks")
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

-- Why something cannot be done to a node, by the state that it is in.
local REFUSALS = {
  stopped = { "corosync does not run on node %d", "ERR_NOT_EXIST" },
  running = { "corosync runs on node %d already", "ERR_EXIST" },
  paused = { "node %d is paused already", "ERR_EXIST" },
  awake = { "node %d is not paused", "ERR_NOT_EXIST" },
  unplugged = { "node %d is unplugged already", "ERR_EXIST" },
  plugged = { "node %d is not unplugged", "ERR_NOT_EXIST" },
}

local mending = { start = true, resume = true, plug = true }

---@return corolua.lab.Deed
local function deed_of(self, op, text)
  return {
    op = op, args = { self.nodeid }, text = ("%s node %d"):format(text or op, self.nodeid),
    mends = mending[op],
  }
end

local function in_force(self, kind, op, text)
  self.fault = kind and { kind = kind, since = scheduler.now() } or false
  faults.record(self.cluster, deed_of(self, op, text))
  return true
end

local function refused(self, op, why, code)
  return faults.refuse(deed_of(self, op), why, code)
end

local function refused_as(self, op, state)
  local message, code = table.unpack(REFUSALS[state])
  return refused(self, op, message:format(self.nodeid), code)
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
  checks.open(self.cluster, "kill")
  if not self:is_running() then return refused_as(self, "kill", "stopped") end
  self.daemon:kill()
  return in_force(self, "killed", "kill")
end

--- Ends corosync cleanly, and waits until it has ended.
---@return true? in_force, string? message, string? code
function methods:stop()
  checks.open(self.cluster, "stop")
  if not self:is_running() then return refused_as(self, "stop", "stopped") end
  local why, code = self:obstacle()
  if why then return refused(self, "stop", why, code) end
  self.daemon:terminate()
  local ok
  ok, why, code = scheduler.wait(function() return not self:is_running() end, STOP_TIMEOUT)
  if not ok then return refused(self, "stop", why, code) end
  return in_force(self, "stopped", "stop")
end

--- Waits until nodes that have been launched are up, or one of them cannot come up.
---@param nodes corolua.lab.Node[]
---@param are_up fun(): any
---@param timeout number in seconds
---@return true? up, string? message, string? code
function node_faults.wait_up(nodes, are_up, timeout)
  local failed
  local ok, why, code = scheduler.wait(function()
    for _, node in ipairs(nodes) do
      if not node:is_running() or node.tracker.lacks_space then failed = node end
    end
    return failed or are_up()
  end, timeout)
  if not ok then return nil, why, code end
  if not failed then return true end
  if failed:is_running() then return nil, world.sandbox.NO_SPACE, "ENOSPC" end
  return failed.daemon:last_words()
end

--- Starts corosync, and waits until it is in a ring and says whether that has
--- quorum.
---@return true? in_force, string? message, string? code
function methods:start()
  checks.open(self.cluster, "start")
  if self:is_running() then return refused_as(self, "start", "running") end
  local ok, why, code = self:launch(1)
  if ok then
    ok, why, code = node_faults.wait_up({ self }, function() return self.tracker.view end,
      START_TIMEOUT)
  end
  if not ok then return refused(self, "start", why, code) end
  return in_force(self, nil, "start")
end

--- Stops corosync cleanly if it runs, and starts it.
---@return true? in_force, string? message, string? code
function methods:restart()
  checks.open(self.cluster, "restart")
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
  checks.open(self.cluster, "pause")
  if not self:is_running() then return refused_as(self, "pause", "stopped") end
  if self.paused then return refused_as(self, "pause", "paused") end
  local pid = self.daemon.pid
  self.paused = true
  self.daemon:signal("STOP")
  local deadline = scheduler.now() + PAUSE_TIMEOUT
  while self.daemon.pid == pid and not self.daemon:is_stopped() and scheduler.now() < deadline do
    scheduler.sleep(PAUSE_POLL)
  end
  if self.daemon.pid ~= pid then return refused_as(self, "pause", "stopped") end
  tell_process(self, "pause")
  return in_force(self, "paused", "pause")
end

--- Lets a paused corosync go on.
---@return true? in_force, string? message, string? code
function methods:resume()
  checks.open(self.cluster, "resume")
  if not self.paused then return refused_as(self, "resume", "awake") end
  self.paused = false
  self.daemon:signal("CONT")
  tell_process(self, "resume")
  return in_force(self, nil, "resume")
end

local function is_unplugged(self)
  return self.cluster.reachability.unplugged[self.nodeid] ~= nil
end

local function set_plugged(self, plugged, op)
  local cluster = self.cluster
  local ok, why, code = cluster.network:set_plugged(self.nodeid, plugged)
  if not ok then return refused(self, op, why, code) end
  cluster.reachability.unplugged[self.nodeid] = not plugged and scheduler.now() or nil
  faults.record(cluster, deed_of(self, op))
  return true
end

--- Pulls all cables of the node.
---@return true? in_force, string? message, string? code
function methods:unplug()
  checks.open(self.cluster, "unplug")
  if is_unplugged(self) then return refused_as(self, "unplug", "unplugged") end
  return set_plugged(self, false, "unplug")
end

--- Plugs the cables in again.
---@return true? in_force, string? message, string? code
function methods:plug()
  checks.open(self.cluster, "plug")
  if not is_unplugged(self) then return refused_as(self, "plug", "plugged") end
  return set_plugged(self, true, "plug")
end

return node_faults
