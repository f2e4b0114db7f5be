--- A cluster of a lab: its nodes by nodeid, and what is done to all of them.

local args = require("corolua.base.args")
local checks = require("corolua.lab.fault_checks")
local faults = require("corolua.lab.faults")
local groups = require("corolua.lab.groups")
local guard = require("corolua.base.guard")
local inspect = require("corolua.base.inspect")
local nemesis = require("corolua.lab.nemesis")
local node = require("corolua.lab.node")
local reachability = require("corolua.lab.reachability")
local scheduler = require("corolua.task.scheduler")
local settle = require("corolua.lab.settle")
local status_text = require("corolua.lab.status_text")
local tracing = require("corolua.lab.tracing")
local world = require("corolua.lab.world")

---@class corolua.lab.Cluster
---@field closed boolean
---@field [integer] corolua.lab.Node by nodeid
---@field private config corolua.lab.Options the options, with what holds otherwise
---@field private network corolua.lab.Network|false until it is built
---@field private folder string|false until it is made
---@field private has_formed boolean it was handed out
---@field private exit corolua.AtExit
---@field private reachability corolua.lab.Reachability
---@field private log corolua.lab.Done[]
---@field private trace corolua.Trace|false the file that is written
---@field private is_recorded boolean
---@field private is_settled boolean at the end, for the trace
local methods = {}
for _, part in ipairs({ faults, nemesis, groups }) do
  for name, method in pairs(part.methods) do methods[name] = method end
end
local cluster_mt = { __name = "corolua.lab.cluster", __index = methods }

local cluster = {}

local is_seconds = args.seconds()

--- A cluster without nodes and network, which is closed at the end of the program.
---@param config corolua.lab.Options the options of `lab.start`
---@return corolua.lab.Cluster
function cluster.new(config)
  local self = setmetatable({
    config = config, closed = false, network = false, folder = false, has_formed = false,
    reachability = reachability.new(config.nodes, config.links), log = {},
    trace = false, is_recorded = false, is_settled = false, exit = false,
  }, cluster_mt)
  self.exit = scheduler.at_exit(function() self:close() end, 2) -- after its groups
  return self
end

--- Makes the nodes, whose corosync does not run yet. Raises where their files
--- cannot be written.
---@param self corolua.lab.Cluster
function cluster.make_nodes(self)
  local config = self.config
  if config.crypto then config.key = scheduler.random(1024) end
  for id = 1, config.nodes do rawset(self, id, node.new(self, id)) end
end

function cluster_mt:__len() return self.config.nodes end

function cluster_mt:__tostring()
  if self.closed then return "closed lab" end
  return status_text.draw(self)
end

--- Waits until every running node knows its ring, the rings agree, and are the
--- ones that the cables leave possible, for 0.2 s. Codes: "ERR_TIMEOUT",
--- "ERR_INTERRUPT".
---@param timeout number? in seconds, 30 unless told
---@return true? settled, string? message, string? code
function methods:settle(timeout)
  if timeout ~= nil then args.value(timeout, is_seconds, "settle", "the timeout", 2) end
  checks.open(self, "settle")
  return settle.wait(self, timeout or 30)
end

---@class corolua.lab.NodeState what a node says now
---@field nodeid integer
---@field status "running"|"starting"|"paused"|"stopped"
---@field ring corosync.Ring?
---@field nodes integer[]? of the ring
---@field quorate boolean?

--- What each node says now: status, ring, nodes and quorum.
---@return corolua.lab.NodeState[]
function methods:state()
  local state = {}
  for i, member in ipairs(self) do state[i] = status_text.of(member) end
  return inspect.readable(state)
end

local function close(self, is_by_error)
  if self.closed then return end
  self.closed = true
  self.exit:cancel()
  tracing.look(self)
  for _, member in ipairs(self) do member:release() end
  tracing.finish(self, is_by_error)
  for _, member in ipairs(self) do member:close() end
  if self.network then self.network:close() end
  if self.folder and self.config.keep then world.files.copy(self.folder, self.config.keep) end
  if self.folder then world.files.remove(self.folder) end
  world.sandbox.leave()
end

--- Ends everything the lab started, and removes all of it; may be repeated.
function methods:close() close(self, false) end

function cluster_mt.__close(self, problem) close(self, problem ~= nil) end

guard.names(cluster_mt, "a cluster", { always = { "closed" } })

return cluster
