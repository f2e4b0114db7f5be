--- What a lab has to do with traces: the one that it writes, what its recorder
--- keeps, and those of the programs on its nodes.

local recorder = require("corolua.lab.recorder")
local session = require("corolua.trace.session")
local settle = require("corolua.lab.settle")
local tell = require("corolua.trace.tell")

local tracing = {}

-- In a lab payloads are the script's own.
local PREVIEW = 24

local settings = setmetatable({}, { __mode = "k" }) -- of programs, by network

local function describe(config)
  return {
    where = "lab", seed = config.seed, nodes = config.nodes, token = config.token,
    consensus = config.consensus or config.token * 6 // 5,
    two_node = config.two_node == true, corosync = config.corosync,
  }
end

--- Begins what the options of the lab ask for, before anything of it is opened.
---@param cluster corolua.lab.Cluster
---@return true? begun, string? message, string? code
function tracing.begin(cluster)
  local config, run = cluster.config, describe(cluster.config)
  if config.recorder ~= false then
    local ok, why, code = recorder.begin(run)
    if not ok then return nil, why, code end
    cluster.is_recorded = true
  end
  if not config.trace then return true end
  local why, code
  cluster.trace, why, code = session.begin(config.trace.path, config.trace.preview or PREVIEW, run)
  if not cluster.trace then
    cluster.trace = false
    return nil, why, code
  end
  return true
end

--- A node has this network.
---@param node corolua.lab.Node
function tracing.add_node(node)
  tell.place(node.space:inode(), node.nodeid)
  local written_trace = node.cluster.trace
  if written_trace then
    settings[node.space] = session.settings(
      written_trace.path, node.cluster.config.trace.preview or PREVIEW, node.nodeid)
  end
end

--- The settings of the environment that programs in a network get.
---@param space userdata
---@return string[]
function tracing.settings(space) return settings[space] or {} end

--- Whether the cluster is settled, for the last line; while its nodes run.
---@param cluster corolua.lab.Cluster
function tracing.look(cluster)
  if cluster.trace then cluster.is_settled = cluster.ready and settle.holds(cluster) end
end

--- Ends what was begun: the members have left, and the daemons still run.
---@param cluster corolua.lab.Cluster
function tracing.finish(cluster)
  for _, node in ipairs(cluster) do tell.place(node.space:inode(), 0) end
  if cluster.trace then
    local ok, why = cluster.trace:close({ settled = cluster.is_settled })
    if not ok then io.stderr:write("corolua: warning: not all was written: ", why, "\n") end
  end
  if cluster.is_recorded then recorder.finish() end
  cluster.trace, cluster.is_recorded = false, false
end

return tracing
