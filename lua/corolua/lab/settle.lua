--- When a cluster has settled: every node knows its ring, the rings agree, and
--- they are what the cables leave possible.

local scheduler = require("corolua.task.scheduler")

local settle = {}

-- The cluster has to stay as it is for so long.
local CALM = 0.2

local function name(ring) return ring.nodeid .. "." .. ring.seq end

local function is_active(node) return node:is_running() and not node.paused end

-- The ring a node is in, once its quorum state in that ring is known.
local function ring_of(node)
  local view, ring = node.tracker.view, node.tracker.ring
  if view and name(view.ring) == name(ring) then return name(ring) end
  return nil
end

local function is_agreed(cluster, node)
  local ring = ring_of(node)
  if not ring then return false end
  for _, id in ipairs(node.tracker.view.nodes) do
    local other = cluster[id]
    if not (other and is_active(other) and ring_of(other) == ring) then return false end
    if cluster.reachability:is_cut(node.nodeid, id) then return false end
  end
  return true
end

-- Everybody that can be heard from a node or hears it, over others as well.
local function reach(cluster, start, seen)
  local component, i = { start }, 1
  seen[start] = true
  while component[i] do
    for _, other in ipairs(cluster) do
      local id = other.nodeid
      local is_apart = cluster.reachability:is_apart(component[i], id)
      if not seen[id] and is_active(other) and not is_apart then
        seen[id] = true
        component[#component + 1] = id
      end
    end
    i = i + 1
  end
  return component
end

local function is_whole(cluster, component)
  for i, a in ipairs(component) do
    for j = i + 1, #component do
      if cluster.reachability:is_cut(a, component[j]) then return false end
    end
  end
  return true
end

-- A group in which everybody hears everybody, and nobody outside, is one ring.
local function are_rings_groups(cluster)
  local seen = {}
  for _, node in ipairs(cluster) do
    if is_active(node) and not seen[node.nodeid] then
      local component = reach(cluster, node.nodeid, seen)
      if is_whole(cluster, component) and #node.tracker.view.nodes ~= #component then
        return false
      end
    end
  end
  return true
end

--- Whether the cluster is settled at this moment.
---@param cluster corolua.lab.Cluster
---@return boolean
function settle.holds(cluster)
  for _, node in ipairs(cluster) do
    if is_active(node) and not is_agreed(cluster, node) then return false end
  end
  return are_rings_groups(cluster)
end

local function changes(cluster)
  local sum = 0
  for _, node in ipairs(cluster) do sum = sum + node.tracker.changes end
  return sum
end

-- Waits until the rule holds, and then until it has held for long enough.
local function wait_calm(cluster, deadline)
  while true do
    local left = scheduler.left_until(deadline)
    local ok, why, code = scheduler.wait(function() return settle.holds(cluster) end, left)
    if not ok then return nil, why, code end
    local before = changes(cluster)
    ok, why, code = scheduler.wait(function()
      return changes(cluster) ~= before or not settle.holds(cluster)
    end, CALM)
    if code == "ERR_TIMEOUT" then return true end
    if not ok then return nil, why, code end
  end
end

--- Waits until the cluster has been settled for a moment.
---@param cluster corolua.lab.Cluster
---@param timeout number in seconds
---@return true? settled, string? message, string? code
function settle.wait(cluster, timeout)
  local ok, why, code = wait_calm(cluster, scheduler.now() + timeout)
  if ok then return true end
  if code ~= "ERR_TIMEOUT" then return nil, why, code end
  return nil, ("not settled after %g s\n%s"):format(timeout, tostring(cluster)), code
end

return settle
