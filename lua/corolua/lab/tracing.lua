--- What a lab has to do with traces: the one that it writes, the flight recorder,
--- and those of the programs on its nodes.

local tell = require("corolua.trace.tell")
local failures = require("corolua.task.failures")
local scheduler = require("corolua.task.scheduler")
local session = require("corolua.trace.session")
local settle = require("corolua.lab.settle")
local world = require("corolua.lab.world")

local tracing = {}

-- In a lab payloads are the script's own.
local PREVIEW = 24

local SIGUSR1 = 10

local recorders = 0 -- labs with one
local watch -- of the signal, while there is one
local has_failed = false -- an error was told with a file since the first of them opened
local settings = setmetatable({}, { __mode = "k" }) -- of programs, by network

local function dump()
  local path, ok, why, code
  repeat
    path = world.files.new_path(".jsonl")
    ok, why, code = session.dump(path)
  until code ~= "EEXIST"
  if ok then return path end
  return nil, why, code
end

-- The first error says where it is written what came before it.
local function explain(message)
  if has_failed then return message end
  has_failed = true
  local path, why, code = dump()
  if code == "ECHILD" then return message end -- made by fork, it has no members
  if not path then return message .. "\nthe flight recorder was not written: " .. why end
  return message .. "\nwhat the members saw until then: " .. path
end

local function has_signal()
  local path, why = dump()
  if path then
    io.stderr:write("corolua: what the members saw until now: ", path, "\n")
  else
    io.stderr:write("corolua: the flight recorder was not written: ", why, "\n")
  end
end

local function begin_recorder(run)
  local ok, why, code = session.record(run)
  if not ok then return nil, why, code end
  recorders = recorders + 1
  if recorders > 1 then return true end
  has_failed, failures.explain = false, explain
  watch = scheduler.signal(SIGUSR1, has_signal)
  if watch then watch:unref() end
  return true
end

-- An error that closes the lab on its way is told behind it.
local function end_recorder(is_by_error)
  session.end_record(is_by_error)
  recorders = recorders - 1
  if recorders > 0 then return end
  if not is_by_error then failures.explain = false end
  if watch then watch:cancel() end
  watch = nil
end

local function describe(config)
  return {
    where = "lab", seed = config.seed, nodes = config.nodes, token = config.token,
    consensus = config.consensus or config.token * 6 // 5, two_node = config.two_node == true,
    corosync = config.corosync,
  }
end

--- Begins what the options of the lab ask for, before anything of it is opened.
---@param cluster corolua.lab.Cluster
---@return true? begun, string? message, string? code
function tracing.begin(cluster)
  local config, run = cluster.config, describe(cluster.config)
  if config.recorder ~= false then
    local ok, why, code = begin_recorder(run)
    if not ok then return nil, why, code end
    cluster.is_recorded = true
  end
  if not config.trace then return true end
  local written, why, code =
    session.begin(config.trace.path, config.trace.preview or PREVIEW, run)
  if not written then return nil, why, code end
  cluster.trace = written
  return true
end

--- A node has this network.
---@param node corolua.lab.Node
function tracing.add_node(node)
  tell.place(world.network.number(node.space), node.nodeid)
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
  if cluster.trace then cluster.is_settled = cluster.has_formed and settle.holds(cluster) end
end

--- Ends what was begun: the members have left, and the daemons still run.
---@param cluster corolua.lab.Cluster
---@param is_by_error boolean an error left the block that the cluster was in
function tracing.finish(cluster, is_by_error)
  for _, node in ipairs(cluster) do tell.place(world.network.number(node.space), 0) end
  if cluster.trace then
    local ok, why = cluster.trace:close({ settled = cluster.is_settled })
    if not ok then io.stderr:write("corolua: warning: not all was written: ", why, "\n") end
  end
  if cluster.is_recorded then end_recorder(is_by_error) end
  cluster.trace, cluster.is_recorded = false, false
end

return tracing
