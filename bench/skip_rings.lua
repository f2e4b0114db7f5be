--- Has libquorum skip rings: a daemon that is stopped once CPG has told of a
--- ring, and before the quorum service has, tells of a later one when it goes on.

local corolua = require("corolua")

local ROUNDS, WAIT = 20, 10 -- seconds
local PAUSE = 0.001

-- Whether node 2 has a ring of its own.
local function is_alone(cluster)
  local state = cluster[2]:quorum()
  return state ~= nil and #state.nodes == 1
end

-- Stops the daemon of node 1 as soon as it tells of another ring.
local function trap(node)
  local told = { is_stopped = false, running = true }
  local handle = assert(node:thin("cpg", {
    totem_confchg = function()
      if not told.is_armed or told.is_stopped then return end
      node.daemon:signal("STOP")
      told.is_stopped = true
    end,
  }))
  corolua.spawn(function()
    while told.running do
      if not told.is_stopped then handle:dispatch("all") end
      corolua.sleep(PAUSE)
    end
    handle:finalize()
  end)
  return told
end

--- Goes on until a ring was skipped on node 1, or rounds enough have passed.
---@param cluster corolua.lab.Cluster in which all nodes run and hear each other
---@param skipped fun(): integer how many rings were skipped there so far
return function(cluster, skipped)
  local told, before = trap(cluster[1]), skipped()
  for _ = 1, ROUNDS do
    told.is_armed, told.is_stopped = true, false
    assert(cluster:isolate(2))
    assert(corolua.wait(function() return told.is_stopped end, WAIT))
    assert(corolua.wait(function() return is_alone(cluster) end, WAIT))
    assert(cluster:heal())
    told.is_armed = false
    cluster[1].daemon:signal("CONT")
    told.is_stopped = false
    assert(cluster:settle(30))
    if skipped() > before then break end
  end
  told.running = false
end
