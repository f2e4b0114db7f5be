--- Private clusters on this machine: real corosync daemons, each in a network
--- and a mount namespace of its own, without root.

local world = require("corolua.lab.world")
local checks = require("corolua.task.checks")
local faults = require("corolua.lab.faults")
local groups = require("corolua.lab.groups")
local nemesis = require("corolua.lab.nemesis")
local node = require("corolua.lab.node")
local options = require("corolua.lab.options")
local scheduler = require("corolua.task.scheduler")
local settle = require("corolua.lab.settle")
local status_text = require("corolua.lab.status_text")
local tracing = require("corolua.lab.tracing")

local files, sandbox = world.files, world.sandbox

local lab = {}

---@class corolua.lab.Cluster
---@field closed boolean
---@field [integer] corolua.lab.Node by nodeid
local methods = faults.methods
for _, part in ipairs({ nemesis.cluster_methods, groups.methods }) do
  for name, method in pairs(part) do methods[name] = method end
end
local cluster_mt = { __name = "corolua.lab.cluster", __index = methods }

local last_folder = 0

-- A folder that cannot be written to is said so now, not when the lab ends.
local function check_keep(path)
  if not path then return true end
  local ok, why, code = files.make_folder(path)
  if ok then return true end
  return nil, ("cannot keep files in %s: %s"):format(path, why), code
end

local function make_folder(cluster)
  last_folder = last_folder + 1
  cluster.folder = ("%s/lab%d"):format(sandbox.folder, last_folder)
  local ok, why, code = files.make_folder(cluster.folder)
  if ok then return true end
  return nil, ("cannot make %s: %s"):format(cluster.folder, why), code
end

local function make_nodes(cluster)
  local config = cluster.config
  if config.crypto then config.key = scheduler.random(1024) end
  for id = 1, config.nodes do rawset(cluster, id, node.new(cluster, id)) end
end

local function launch(cluster)
  local initial = cluster.config.initial
  for _, id in ipairs(initial) do
    local ok, why, code = cluster[id]:launch(#initial)
    if not ok then return nil, why, code end
  end
  return true
end

-- One ring with all of them, and each knows its quorum state; or the first
-- that did not come up.
local function formed(cluster)
  local initial = cluster.config.initial
  for _, id in ipairs(initial) do
    if not cluster[id]:is_running() then return "failed", cluster[id] end
    if cluster[id].tracker.lacks_space then return "full" end
  end
  for _, id in ipairs(initial) do
    local view = cluster[id].tracker.view
    if not view or #view.nodes ~= #initial then return nil end
  end
  return settle.holds(cluster) and "formed"
end

local function wait_formed(cluster)
  local timeout = cluster.config.timeout
  local what, why, code = scheduler.wait(function() return formed(cluster) end, timeout)
  if what == "formed" then return true end
  if what == "failed" then return why.daemon:last_words() end
  if what == "full" then return nil, sandbox.NO_SPACE, "ENOSPC" end
  if code ~= "ERR_TIMEOUT" then return nil, why, code end
  return nil, ("no ring of all nodes after %g s\n%s"):format(timeout, tostring(cluster)), code
end

local function try_make_nodes(cluster)
  local ok, why = pcall(make_nodes, cluster)
  if ok then return true end
  return nil, ("cannot write the lab's files in memory: %s. %s"):format(why, sandbox.NO_SPACE),
    "EIO"
end

local function build(cluster)
  local ok, why, code = check_keep(cluster.config.keep)
  if ok then ok, why, code = tracing.begin(cluster) end
  if ok then ok, why, code = make_folder(cluster) end
  if not ok then return nil, why, code end
  cluster.network, why, code = world.network.build(cluster.config)
  if not cluster.network then return nil, why, code end
  ok, why, code = try_make_nodes(cluster)
  if ok then ok, why, code = launch(cluster) end
  if not ok then return nil, why, code end
  return wait_formed(cluster)
end

-- A cluster that is not handed out is closed, also when something raises.
local function abandon(cluster)
  return setmetatable({}, { __close = function()
    if not cluster.ready then cluster:close() end
  end })
end

-- Completes the options by what is installed.
local function fit(config)
  local features, why, code = world.daemon.features()
  if not features then return nil, why, code end
  config.corosync = features.version
  return options.complete(config, features)
end

---@class corolua.lab.NodeState what a node says now
---@field nodeid integer
---@field status "running"|"starting"|"paused"|"stopped"
---@field ring corosync.Ring?
---@field nodes integer[]? of the ring
---@field quorate boolean?

--- Starts a cluster, and waits until all its nodes are in one ring and know
--- their quorum state. Codes: "ERR_LIBRARY" (a corosync that does not start),
--- "ERR_NOT_SUPPORTED", "ERR_TIMEOUT", "ERR_INTERRUPT", "ERR_BUSY" (handles are open
--- already), and of the system "ENOENT", "ENOSPC", "EPERM", "EINVAL", "EMFILE",
--- "EAGAIN", "EIO" and others.
---@param given corolua.lab.Options?
---@return corolua.lab.Cluster? cluster, string? message, string? code
function lab.start(given)
  local config = options.check(given, 2)
  if not scheduler.can_wait() then
    error("lab.start waits, which only a task can: call it from corolua.spawn or corolua.run", 2)
  end
  local ok, why, code = fit(config)
  if ok then ok, why, code = sandbox.enter(config.nodes) end
  if not ok then return nil, why, code end
  local cluster = setmetatable({ config = config, closed = false, ready = false }, cluster_mt)
  faults.prepare(cluster)
  local _ <close> = abandon(cluster)
  cluster.exit = scheduler.at_exit(function() cluster:close() end, 2) -- after its groups
  ok, why, code = build(cluster)
  if not ok then return nil, why, code end
  cluster.ready = true
  return cluster
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
  checks.seconds(timeout, "settle", true)
  if self.closed then error("settle: the cluster is closed", 2) end
  return settle.wait(self, timeout or 30)
end

--- What each node says now: status, ring, nodes and quorum.
---@return corolua.lab.NodeState[]
function methods:state()
  local state = {}
  for i, member in ipairs(self) do state[i] = status_text.of(member) end
  return state
end

local function keep_files(cluster)
  if cluster.config.keep then files.copy(cluster.folder, cluster.config.keep) end
end

--- Ends everything the lab started, and removes all of it; may be repeated.
function methods:close()
  if self.closed then return end
  self.closed = true
  self.exit:cancel()
  tracing.look(self)
  for _, member in ipairs(self) do member:release() end
  tracing.finish(self)
  for _, member in ipairs(self) do member:close() end
  if self.network then self.network:close() end
  if self.folder then
    keep_files(self)
    files.remove(self.folder)
  end
  sandbox.leave()
end

cluster_mt.__close = methods.close

return lab
