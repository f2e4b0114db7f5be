--- One node of a lab: a place to be a member of the cluster.

local checks = require("corolua.lab.fault_checks")
local group = require("corolua.group")
local guard = require("corolua.base.guard")
local node_faults = require("corolua.lab.node_faults")
local quorum_tracker = require("corolua.daemon.quorum_tracker")
local script = require("corolua.lab.script")
local thin_handles = require("corolua.lab.thin_handles")
local tracing = require("corolua.lab.tracing")
local world = require("corolua.lab.world")

local sandbox = world.sandbox

---@class corolua.lab.Node
---@field nodeid integer
---@field private space userdata the node's network namespace
---@field paused boolean whether corosync is stopped by `pause`
local methods = {}
for _, part in ipairs({ node_faults, thin_handles }) do
  for name, method in pairs(part.methods) do methods[name] = method end
end
local node_mt = {
  __name = "corolua.lab.node",
  __index = methods,
  __tostring = function(self) return "node " .. self.nodeid end,
}

local node = {}

--- A node whose corosync does not run yet.
---@param cluster corolua.lab.Cluster
---@param id integer
---@return corolua.lab.Node
function node.new(cluster, id)
  local space = cluster.network.spaces[id]
  local self = thin_handles.begin({
    nodeid = id, space = space, paused = false, fault = false, cluster = cluster, processes = {},
    daemon = world.daemon.new(id, cluster.folder, cluster.config, space),
    tracker = quorum_tracker.new(function(fn) return sandbox.run_in(space, fn) end),
  })
  setmetatable(self, node_mt)
  tracing.add_node(self)
  self.daemon.on_end = function(is_meant)
    self.paused, self.fault = false, false
    self.tracker:close()
    if not is_meant then node_faults.has_crashed(self) end
  end
  return self
end

--- Starts corosync, and follows it once it listens; does not wait for that.
---@private
---@param count integer how many nodes start together
---@return true? started, string? message, string? code
function methods:launch(count)
  local ok, why, code = self.daemon:start()
  if not ok then return nil, why, code end
  local pid = self.daemon.pid
  self.tracker:start(count, function()
    if self.daemon.pid ~= pid then return nil end
    return not self.paused
  end)
  return true
end

--- Whether corosync runs on the node, paused or not.
---@return boolean
function methods:is_running() return self.daemon.pid ~= nil end

local CANNOT_WAIT = { "attempt to yield across a C%-call boundary", "cannot wait here" }

-- The sentence for a function that tried to wait, or nil for another problem.
local function explain(self, problem)
  if type(problem) ~= "string" then return nil end
  for _, sign in ipairs(CANNOT_WAIT) do
    if problem:find(sign) then
      return ("cluster[%d]:enter: the function may not wait, for other tasks would then run in "
        .. "the node's network; connect inside, wait outside"):format(self.nodeid)
    end
  end
end

--- Runs the function in the node's network, where corosync's libraries connect
--- to the node's corosync, and returns its results. A connection stays where
--- it was made, so only making it has to happen here.
---@param fn function must not wait
---@param ... any its arguments
---@return any ...
function methods:enter(fn, ...)
  if type(fn) ~= "function" then
    error("enter takes a function, got " .. type(fn), 2)
  end
  checks.open(self.cluster, "enter")
  local results = table.pack(pcall(sandbox.run_in, self.space, fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local sentence = explain(self, results[2])
  if sentence then error(sentence, 2) end
  error(results[2], 0)
end

--- A group that is joined on this node, in this very process.
---@param name string
---@param options corolua.GroupOptions?
---@return corolua.Group
function methods:group(name, options)
  local made = self:make_group(name, options, 2)
  return made
end

--- For services: a group, made at the line that `level` tells, as in `error`.
---@private
---@param name string
---@param options corolua.GroupOptions?
---@param level integer
---@return corolua.Group
function methods:make_group(name, options, level)
  checks.open(self.cluster, "group", level + 1)
  local made = group.on_node(self, name, options, level + 1)
  return made -- no tail call: it would hide the caller's line
end

local function command_of(name, program, ...)
  local command = { program, ... }
  for i = 1, select("#", ...) + 1 do
    local word = command[i]
    if type(word) == "number" then command[i] = tostring(word) word = command[i] end
    if type(word) ~= "string" then
      error(("%s takes strings, argument %d is a %s"):format(name, i, type(word)), 3)
    end
  end
  return command
end

--- Runs a program on the node to its end, and waits for it: corosync's own
--- tools see this node there.
---@param program string
---@param ... string its arguments
---@return corolua.ExecResult? result, string? message, string? code
function methods:tool(program, ...)
  local command = command_of("tool", program, ...)
  checks.open(self.cluster, "tool")
  if not program:find("/") then
    local path, why, code = world.files.find(program)
    if not path then return nil, why, code end
    command[1] = path
  end
  return world.process.run(self.space, command,
    { list = self.processes, env = tracing.settings(self.space) })
end

--- Starts a corolua script on the node, as a process of its own; it ends with
--- the cluster.
---@param name string the script's file, or an option such as "-e"
---@param ... string its arguments
---@return corolua.lab.Script? script, string? message, string? code
function methods:run(name, ...)
  local command = command_of("run", name, ...)
  checks.open(self.cluster, "run")
  return script.start(self.space, command, self.processes)
end

--- Lets go of what was opened on the node, while its corosync still runs.
---@private
function methods:release()
  group.close_node(self)
  thin_handles.close(self)
  if not self.paused then self.tracker:close() end
end

--- Ends what runs on the node, the oldest first, and then the connections to it that
--- are left.
---@private
function methods:close()
  local running = {}
  for process in pairs(self.processes) do running[#running + 1] = process end
  table.sort(running, function(a, b) return a.pid < b.pid end)
  for _, process in ipairs(running) do process:close() end
  self.daemon:kill()
  self.tracker:close()
  self.paused = false
  thin_handles.close(self)
end

guard.names(node_mt, "a node", { always = { "nodeid", "paused" } })

return node
