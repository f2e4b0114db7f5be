--- The checks of what fault calls are given. Each raises at the line of the
--- script that called the method which checks.

local args = require("corolua.base.args")
local shown = require("corolua.base.shown")

local checks = {}

-- The levels of errors are counted from the function that raises.
local function check_node(cluster, id, name, level)
  if math.type(id) ~= "integer" or id < 1 or id > #cluster then
    error(("%s: there are nodes 1 to %d, got %s"):format(name, #cluster, shown.value(id)), level)
  end
end

local function check_nodes(cluster, given, name, level)
  local list = type(given) == "table" and given or { given }
  if #list == 0 then error(name .. ": no node given", level) end
  for _, id in ipairs(list) do check_node(cluster, id, name, level + 1) end
  return list
end

--- The cluster must be open.
---@param cluster corolua.lab.Cluster
---@param name string of the method
---@param level integer? whose line is to blame, as in `error`; the caller's caller unless told
function checks.open(cluster, name, level)
  if cluster.closed then error(name .. ": the cluster is closed", level and level + 1 or 3) end
end

--- One node or an array of them.
---@param cluster corolua.lab.Cluster
---@param given integer|integer[]
---@param name string of the method
---@return integer[]
function checks.nodes(cluster, given, name)
  local list = check_nodes(cluster, given, name, 4)
  return list -- no tail call: it would hide a level
end

--- Groups of nodes, none of them in two.
---@param cluster corolua.lab.Cluster
---@param groups integer[][]
function checks.groups(cluster, groups)
  if type(groups) ~= "table" or type(groups[1]) ~= "table" then
    error("partition takes groups of nodes, as in { { 1, 2 }, { 3 } }", 3)
  end
  local seen = {}
  for _, group in ipairs(groups) do
    for _, id in ipairs(check_nodes(cluster, group, "partition", 4)) do
      if seen[id] then error(("partition: node %d is in two groups"):format(id), 3) end
      seen[id] = true
    end
  end
end

--- Two different nodes.
---@param cluster corolua.lab.Cluster
---@param a integer
---@param b integer
---@param name string of the method
function checks.pair(cluster, a, b, name)
  check_node(cluster, a, name, 4)
  check_node(cluster, b, name, 4)
  if a == b then error(name .. ": two different nodes are needed", 3) end
end

local probability = function(value)
  return type(value) == "number" and value >= 0 and value <= 1, "a probability of 0 to 1"
end

local amount = function(value)
  return type(value) == "number" and value >= 0, "a number, 0 or more"
end

local FAULTS = {
  noun = "fault",
  { "block", args.boolean }, { "repair", args.boolean }, { "loss", probability },
  { "duplicate", probability }, { "reorder", probability }, { "corrupt", probability },
  { "delay", amount }, { "jitter", amount }, { "rate", amount },
  { "link", args.integer(0) },
}

--- The faults of a link.
---@param cluster corolua.lab.Cluster
---@param given corolua.lab.LinkFaults
---@param name string of the method
---@return corolua.switch.Faults faults without the link
---@return integer? link nil for all links
function checks.faults(cluster, given, name)
  if type(given) ~= "table" then
    error(name .. " takes a table of faults, as in { loss = 0.1 }", 3)
  end
  local wanted = args.check(given, FAULTS, name, 3)
  local link = wanted.link
  if link and link >= cluster.config.links then
    error(("%s: there are links 0 to %d"):format(name, cluster.config.links - 1), 3)
  end
  wanted.link = nil
  return wanted, link
end

return checks
