--- Private clusters on this machine: real corosync daemons, each in a network
--- and a mount namespace of its own, without root.

local world = require("corolua.lab.world")
local cluster = require("corolua.lab.cluster")
local lists = require("corolua.base.lists")
local node_faults = require("corolua.lab.node_faults")
local options = require("corolua.lab.options")
local scheduler = require("corolua.task.scheduler")
local settle = require("corolua.lab.settle")
local tracing = require("corolua.lab.tracing")

local files, sandbox = world.files, world.sandbox

local lab = {}

local last_folder = 0

-- A folder that cannot be written to is said so now, not when the lab ends.
local function check_keep(made)
  local ok, why, code = true, nil, nil
  if made.config.keep then ok, why, code = files.make_folder(made.config.keep) end
  if ok then return true end
  return nil, "cannot keep files in " .. why, code
end

local function make_folder(made)
  last_folder = last_folder + 1
  local folder = ("%s/lab%d"):format(sandbox.folder, last_folder)
  local ok, why, code = files.make_folder(folder)
  if not ok then return nil, "cannot make " .. why, code end
  made.folder = folder
  return true
end

local function make_network(made)
  local network, why, code = world.network.build(made.config)
  if not network then return nil, why, code end
  made.network = network
  return true
end

local function make_nodes(made)
  local ok, why = pcall(cluster.make_nodes, made)
  if ok then return true end
  return nil, ("cannot write the lab's files in memory: %s. %s"):format(why, sandbox.NO_SPACE),
    "EIO"
end

-- One ring with all of them, and each knows its quorum state.
local function has_formed(made, nodes)
  for _, node in ipairs(nodes) do
    local view = node.tracker.view
    if not view or #view.nodes ~= #nodes then return false end
  end
  return settle.holds(made)
end

local function form(made)
  local nodes, timeout = {}, made.config.timeout
  for i, id in ipairs(made.config.initial) do nodes[i] = made[id] end
  local ok, why, code = lists.try_each(nodes, function(node) return node:launch(#nodes) end)
  if not ok then return nil, why, code end
  ok, why, code = node_faults.wait_up(nodes, function() return has_formed(made, nodes) end, timeout)
  if code ~= "ERR_TIMEOUT" then return ok, why, code end
  return nil, ("no ring of all nodes after %g s\n%s"):format(timeout, tostring(made)), code
end

local STEPS = { check_keep, tracing.begin, make_folder, make_network, make_nodes, form }

-- Completes the options by what is installed.
local function fit(config)
  local features, why, code = world.daemon.features()
  if not features then return nil, why, code end
  return options.complete(config, features)
end

-- A cluster that is not handed out is closed, also when something raises.
local function abandon(made)
  return setmetatable({}, { __close = function()
    if not made.has_formed then made:close() end
  end })
end

--- Starts a cluster, and waits until all its nodes are in one ring and know
--- their quorum state. Codes: "ERR_LIBRARY" (a corosync that does not start),
--- "ERR_NOT_SUPPORTED", "ERR_TIMEOUT", "ERR_INTERRUPT", "ERR_BUSY" (handles are open
--- already), and of the system "ENOENT", "ENOSPC", "EPERM", "EINVAL", "EMFILE",
--- "EAGAIN", "EIO" and others.
---@param given corolua.lab.Options?
---@return corolua.lab.Cluster? cluster, string? message, string? code
function lab.start(given)
  local config = options.check(given, 2)
  scheduler.check_wait("lab.start")
  local ok, why, code = fit(config)
  if ok then ok, why, code = sandbox.enter(config.nodes) end
  if not ok then return nil, why, code end
  local made = cluster.new(config)
  local _ <close> = abandon(made)
  ok, why, code = lists.try_each(STEPS, function(step) return step(made) end)
  if not ok then return nil, why, code end
  made.has_formed = true
  return made
end

return lab
