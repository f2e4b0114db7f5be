--- The network faults of a cluster. Each call returns once the switch has put
--- it in force.

local checks = require("corolua.lab.fault_checks")
local inspect = require("corolua.base.inspect")
local lists = require("corolua.base.lists")
local reachability = require("corolua.lab.reachability")
local scheduler = require("corolua.task.scheduler")
local status_text = require("corolua.lab.status_text")
local topology = require("corolua.lab.topology")
local tell = require("corolua.trace.tell")

---@class corolua.lab.Cluster
local methods = {}

local faults = { methods = methods }

---@class corolua.lab.Deed what was done to the cluster
---@field op string the call
---@field args any[] its arguments, a node first
---@field text string
---@field mends boolean? it ends faults

local function tell_deed(deed, is_in_force)
  tell.line("fault", false, "op", deed.op, "args", deed.args, "text", deed.text,
    "mends", deed.mends == true, "ok", is_in_force)
end

--- Records what was done to the cluster, with the time it was in force.
---@param cluster corolua.lab.Cluster
---@param deed corolua.lab.Deed
function faults.record(cluster, deed)
  table.insert(cluster.log, { at = scheduler.now(), clock = scheduler.clock(), text = deed.text })
  tell_deed(deed, true)
end

--- Tells of what could not be put in force, and returns why.
---@param deed corolua.lab.Deed
---@param why string
---@param code string
---@return nil, string? message, string? code
function faults.refuse(deed, why, code)
  tell_deed(deed, false)
  return nil, why, code
end

-- Why the switch cannot do anything, or nil.
local function refusal(cluster)
  local switch = cluster.network.switch
  if not switch then
    return "a bridge forwards everything: start the lab with network = \"switch\" "
      .. "for faults other than unplug", "ERR_NOT_SUPPORTED"
  end
  if not switch:alive() then return "the switch of the lab has ended", "EPIPE" end
end

-- Changes the layers, and the switch to what they say then. What the switch
-- refuses is not in force.
local function apply(cluster, deed, change)
  local why, code = refusal(cluster)
  if why then return faults.refuse(deed, why, code) end
  local layers = cluster.reachability:copy()
  change(layers, scheduler.now())
  local ok
  ok, why, code = cluster.network.switch:apply(layers:cells())
  if not ok then return faults.refuse(deed, why, code) end
  cluster.reachability = layers
  faults.record(cluster, deed)
  return true
end

local function set_shape(cluster, shape, op, ...)
  local deed = { op = op, args = { ... }, text = shape.text }
  return apply(cluster, deed, function(layers, now)
    shape.since = now
    layers.shape = shape
  end)
end

--- Splits the cluster into groups; nodes that are not named are one more group.
--- Replaces a partition, ring or bridge in force.
---@param groups integer[][]
---@return true? in_force, string? message, string? code
function methods:partition(groups)
  checks.open(self, "partition")
  checks.groups(self, groups)
  local shape = topology.partition(groups, #self)
  if #shape.groups < 2 then error("partition: one group with all nodes cuts nothing", 2) end
  return set_shape(self, shape, "partition", shape.groups)
end

--- Lets each node hear its two neighbours only; needs four nodes.
---@return true? in_force, string? message, string? code
function methods:ring()
  checks.open(self, "ring")
  if #self < 4 then error("ring: with fewer than 4 nodes everybody is a neighbour", 2) end
  return set_shape(self, topology.ring(#self), "ring")
end

--- Splits the other nodes into two halves that only this node hears.
---@param id integer
---@return true? in_force, string? message, string? code
function methods:bridge_node(id)
  checks.open(self, "bridge_node")
  checks.nodes(self, { id }, "bridge_node")
  if #self < 3 then error("bridge_node: two halves need at least 3 nodes", 2) end
  return set_shape(self, topology.bridge_node(id, #self), "bridge_node", id)
end

--- Cuts a node off from all others, in both directions.
---@param id integer
---@return true? in_force, string? message, string? code
function methods:isolate(id)
  checks.open(self, "isolate")
  checks.nodes(self, { id }, "isolate")
  local deed = { op = "isolate", args = { id }, text = ("isolate node %d"):format(id) }
  return apply(self, deed, function(layers, now)
    layers.isolated[id] = layers.isolated[id] or now
  end)
end

local function each_direction(froms, tos, fn)
  for _, from in ipairs(froms) do
    for _, to in ipairs(tos) do
      if from ~= to then fn(from, to) end
    end
  end
end

local function direction(froms, tos)
  return table.concat(froms, ",") .. " -> " .. table.concat(tos, ",")
end

local function set_blocked(cluster, op, froms, tos)
  local deed = {
    op = op, args = { froms, tos }, text = op .. " " .. direction(froms, tos),
    mends = op == "unblock",
  }
  return apply(cluster, deed, function(layers, now)
    each_direction(froms, tos, function(from, to)
      local since = layers.blocked[from][to] or now
      layers.blocked[from][to] = op == "block" and since or nil
    end)
  end)
end

--- Stops frames in one direction; both sides may be arrays.
---@param from integer|integer[]
---@param to integer|integer[]
---@return true? in_force, string? message, string? code
function methods:block(from, to)
  checks.open(self, "block")
  local froms, tos = checks.nodes(self, from, "block"), checks.nodes(self, to, "block")
  if #froms == 1 and #tos == 1 and froms[1] == tos[1] then
    error("block: a node always hears itself", 2)
  end
  return set_blocked(self, "block", froms, tos)
end

--- Ends what `block` began; a partition that cuts the same two nodes stays.
---@param from integer|integer[]
---@param to integer|integer[]
---@return true? in_force, string? message, string? code "ERR_NOT_EXIST" if it was not blocked
function methods:unblock(from, to)
  checks.open(self, "unblock")
  local froms, tos = checks.nodes(self, from, "unblock"), checks.nodes(self, to, "unblock")
  local found = false
  local blocked = self.reachability.blocked
  each_direction(froms, tos, function(a, b) found = found or blocked[a][b] ~= nil end)
  if not found then
    return nil, direction(froms, tos) .. " is not blocked by block", "ERR_NOT_EXIST"
  end
  return set_blocked(self, "unblock", froms, tos)
end

-- A table of faults per link; the old one is left as it is.
local function with_fault(before, links, only, fault)
  local after = {}
  for link = 0, links - 1 do
    if only == nil or only == link then
      after[link] = fault
    else
      after[link] = before and before[link]
    end
  end
  return next(after) ~= nil and after or nil
end

local SIGNS = { link = "-", link_from = "->" }

-- Only called as the last thing of a method, which leaves no level of its own for
-- the checks to count.
local function set_link(cluster, op, a, b, given)
  checks.open(cluster, op)
  checks.pair(cluster, a, b, op)
  local wanted, only = checks.faults(cluster, given, op)
  local deed = {
    op = op, args = { a, b, given }, mends = next(wanted) == nil,
    text = ("link %d %s %d: %s"):format(a, SIGNS[op], b, reachability.describe(wanted)),
  }
  return apply(cluster, deed, function(layers, now)
    local fault = next(wanted) and { faults = wanted, since = now } or nil
    local function set(row, to) row[to] = with_fault(row[to], layers.links, only, fault) end
    set(layers.faulty[a], b)
    if op == "link" then set(layers.faulty[b], a) end
  end)
end

---@class corolua.lab.LinkFaults: corolua.switch.Faults
---@field link integer? that link of a knet cluster alone

--- Makes the cable between two nodes faulty in both directions: `loss`,
--- `duplicate`, `reorder`, `corrupt` (0 to 1), `delay`, `jitter` (seconds),
--- `rate` (bits per second), `block`. An empty table makes it good again. With
--- `link`, only that link of a knet cluster.
---@param a integer
---@param b integer
---@param given corolua.lab.LinkFaults
---@return true? in_force, string? message, string? code
function methods:link(a, b, given) return set_link(self, "link", a, b, given) end

--- As `link`, in one direction.
---@param from integer
---@param to integer
---@param given corolua.lab.LinkFaults
---@return true? in_force, string? message, string? code
function methods:link_from(from, to, given) return set_link(self, "link_from", from, to, given) end

--- Ends every network fault, unplugged cables included. Nodes that were
--- killed, stopped or paused stay as they are.
---@return true? in_force, string? message, string? code
function methods:heal()
  checks.open(self, "heal")
  local deed = { op = "heal", args = {}, text = "heal", mends = true }
  local unplugged = lists.keys(self.reachability.unplugged)
  local ok, why, code = lists.try_each(unplugged, function(id) return self[id]:plug() end)
  if ok and self.network.switch then ok, why, code = self.network.switch:clear() end
  if not ok then return faults.refuse(deed, why, code) end
  self.reachability = reachability.new(#self, self.config.links)
  faults.record(self, deed)
  return true
end

local function add_node_faults(cluster, list)
  for _, node in ipairs(cluster) do
    local fault = node.fault
    if fault then
      list[#list + 1] = {
        kind = fault.kind, since = fault.since,
        text = ("node %d %s"):format(node.nodeid, fault.kind),
      }
    end
  end
end

local faults_mt = { __tostring = function(list)
  if #list == 0 then return "no faults" end
  local lines = {}
  for i, fault in ipairs(list) do lines[i] = fault.text end
  return table.concat(lines, "\n")
end }

---@class corolua.lab.FaultInForce
---@field kind string
---@field text string what it is, in a line
---@field since number by `corolua.now()`

--- The faults in force, as an array that prints readably.
---@return corolua.lab.FaultInForce[]
function methods:faults()
  local list = self.reachability:list()
  add_node_faults(self, list)
  return setmetatable(list, faults_mt)
end

---@class corolua.lab.Done what was done to a cluster
---@field at number by `corolua.now()`
---@field clock number by the clock of the daemons' logs
---@field text string

--- What was done to the cluster, in order.
---@return corolua.lab.Done[]
function methods:history()
  return status_text.history(self.log)
end

--- The switch's counters: `counters[from][to].lost` and so on.
---@param link integer? all links together unless told
---@return corolua.switch.Counters? counters, string? message, string? code
function methods:counters(link)
  checks.open(self, "counters")
  local why, code = refusal(self)
  if why then return nil, why, code end
  local counters
  counters, why, code = self.network.switch:counters(link)
  if not counters then return nil, why, code end
  return inspect.readable(counters)
end

--- Whether two nodes do not hear each other in both directions.
---@param a integer nodeid
---@param b integer nodeid
---@return boolean
function methods:is_cut(a, b) return self.reachability:is_cut(a, b) end

--- Whether neither of two nodes hears the other.
---@param a integer nodeid
---@param b integer nodeid
---@return boolean
function methods:is_apart(a, b) return self.reachability:is_apart(a, b) end

return faults
