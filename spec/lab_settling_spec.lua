-- Not sanitized: Lua alone.
local reachability = require("corolua.lab.reachability")
local settle = require("corolua.lab.settle")
local topology = require("corolua.lab.topology")

-- A node as the rule sees it: in a ring with those nodes. The ring is named by
-- its first node and `seq`; without nodes there is no quorum event yet.
local function node(id, nodes, changes)
  local ring = nodes and { nodeid = nodes[1], seq = 4 }
  local self = {
    nodeid = id, paused = false, running = true,
    tracker = { changes = 0, ring = ring, view = nodes and { ring = ring, nodes = nodes } },
  }
  function self.is_running() return self.running end
  for key, value in pairs(changes or {}) do self[key] = value end
  return self
end

-- nodes: what each node says, false for none; shape: what cuts them.
local function cluster(views, shape, changes)
  local self = { reachability = reachability.new(#views, 1) }
  self.reachability.shape = shape
  for id, nodes in ipairs(views) do
    self[id] = node(id, nodes or nil, changes and changes[id])
  end
  return self
end

local ALL = { 1, 2, 3 }
local split = topology.partition({ { 1 }, { 2, 3 } }, 3)

local cases = {
  { true, "one ring of all", { ALL, ALL, ALL } },
  { false, "a node without a quorum event", { ALL, ALL, false } },
  { false, "two rings where nothing is cut", { { 1 }, { 2, 3 }, { 2, 3 } } },
  { false, "the old ring right after a partition", { ALL, ALL, ALL }, split },
  { false, "one side that still has the old ring", { { 1 }, ALL, ALL }, split },
  { true, "a ring on each side of a partition", { { 1 }, { 2, 3 }, { 2, 3 } }, split },
  { false, "a side that has fallen apart", { { 1 }, { 2 }, { 3 } }, split },
  { true, "the others of a stopped node", { { 1, 2 }, { 1, 2 }, false },
    nil, { [3] = { running = false } } },
  { false, "a ring that still holds a stopped node", { ALL, ALL, false },
    nil, { [3] = { running = false } } },
  { false, "a ring that still holds a paused node", { ALL, ALL, ALL },
    nil, { [3] = { paused = true } } },
  { true, "the others of a paused node", { { 1, 2 }, { 1, 2 }, ALL },
    nil, { [3] = { paused = true } } },
  { true, "rings of a bridge node and one half", { { 1, 2 }, { 1, 2 }, { 3 } },
    topology.bridge_node(2, 3) },
  { true, "all alone around a bridge node", { { 1 }, { 2 }, { 3 } }, topology.bridge_node(2, 3) },
  { false, "a ring over a bridge node", { ALL, ALL, ALL }, topology.bridge_node(2, 3) },
}

describe("corolua.lab.settle", function()
  for _, case in ipairs(cases) do
    it((case[1] and "takes for settled: " or "does not take for settled: ") .. case[2], function()
      assert.same(case[1], settle.holds(cluster(table.unpack(case, 3, 5))))
    end)
  end

  it("asks that the newest ring has its quorum event", function()
    local late = cluster({ ALL, ALL, ALL })
    late[2].tracker.ring = { nodeid = 1, seq = 8 }
    assert.is_false(settle.holds(late))
  end)

  it("takes a direction that loses everything for cut", function()
    local one_way = cluster({ ALL, ALL, ALL })
    one_way.reachability.faulty[1][2] = { [0] = { faults = { loss = 1 }, since = 0 } }
    assert.is_false(settle.holds(one_way))
    one_way.reachability.faulty[1][2] = { [0] = { faults = { loss = 0.9 }, since = 0 } }
    assert.is_true(settle.holds(one_way))
  end)
end)
