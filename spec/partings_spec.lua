-- Nodes that part and come back without a word: what a view says of them.
local corolua = require("corolua")
local fence = require("corolua.group.fence")
local lab = require("corolua.lab")
local partings = require("corolua.daemon.partings")
local support = require("spec.support")
local trace_files = require("spec.support.trace_files")

local A = { nodeid = 1, pid = 10 }
local B = { nodeid = 2, pid = 20 }
local C = { nodeid = 3, pid = 30 }

local function ring(seq) return { nodeid = 1, seq = seq } end

local function state(seq)
  return { quorate = true, ring = ring(seq), nodes = {}, joined = {}, left = {} }
end

-- A fence that has let members in at ring 8, and the views that came out.
local function joined(members)
  local views = {}
  local out = { quorum = function() end, message = function() end, entered = function() end }
  function out:view(view, changed) -- luacheck: ignore self
    views[#views + 1] = { view = view, changed = changed }
  end
  local gate = fence.new(out, { step = 12 })
  gate:confchg(members, {}, { { member = A, reason = "join" } })
  gate:quorum(state(8))
  gate:ring(ring(8), { 1, 2, 3 })
  assert.equal(1, #views)
  assert.is_false(views[1].view.hidden)
  return gate, views
end

describe("a fence", function()
  it("waits before a ring that leaves room for others until it knows who parted", function()
    local gate, views = joined({ A, B, C })
    gate:confchg({ A, B }, { { member = C, reason = "nodedown" } }, {})
    gate:ring(ring(20), { 1, 2 })
    gate:quorum(state(20))
    assert.is_true(gate:wants_partings(20))
    assert.equal(1, #views)
    gate:partings(20, { [2] = true, [3] = true })
    assert.same({ 2 }, views[2].view.hidden)
    assert.same({ C }, { views[2].view.left[1].member })
    gate:partings(20, { [1] = true }) -- once
    assert.equal(2, #views)
  end)

  it("takes a smaller step for safe, and does not wait", function()
    local gate, views = joined({ A, B })
    gate:ring(ring(16), { 1, 2 })
    assert.is_false(gate:wants_partings(16))
    gate:quorum(state(16))
    assert.is_false(views[2].view.hidden)
    assert.is_false(views[2].changed)
  end)

  it("tells of a parting where the list is as it was, and of none where nobody parted", function()
    local gate, views = joined({ A, B })
    gate:ring(ring(24), { 1, 2 })
    gate:quorum(state(24))
    gate:partings(24, { [2] = true })
    assert.same({ { 2 }, true }, { views[2].view.hidden, views[2].changed })
    gate:ring(ring(40), { 1, 2 })
    gate:quorum(state(40))
    gate:partings(40, {})
    assert.same({ false, false }, { views[3].view.hidden, views[3].changed })
  end)

  it("does not name who has no member here, or has left and come back", function()
    local gate, views = joined({ A, B })
    gate:confchg({ A }, { { member = B, reason = "nodedown" } }, {})
    gate:confchg({ A, B }, {}, { { member = B, reason = "nodeup" } })
    gate:ring(ring(24), { 1, 2, 3 })
    gate:quorum(state(24))
    gate:partings(24, { [2] = true, [3] = true })
    assert.is_false(views[2].view.hidden)
  end)

  it("lets a ring out when the daemon dies, whether it knows or not", function()
    local gate, views = joined({ A, B })
    gate:ring(ring(24), { 1, 2 })
    gate:quorum(state(24))
    gate:down()
    assert.equal(2, #views)
    assert.is_false(views[2].view.hidden)
  end)
end)

describe("corolua.daemon.partings", function()
  local function see(rings, seq, nodes)
    local found
    rings:see(seq, nodes, function(risen) found = risen end)
    support.comes(function() return found end)
    return found
  end

  it("finds who has joined another ring meanwhile, and nobody else", function()
    local cluster <close> = assert(lab.start({ nodes = 3 }))
    local rings = partings.at({ key = cluster[1], network = cluster[1].space })
    assert.same({}, see(rings, 100, { 1, 2, 3 }))
    assert.same({}, see(rings, 120, { 1, 2, 3 }))
    assert(cluster:partition({ { 1, 2 }, { 3 } }))
    assert(cluster:settle())
    assert(cluster:heal())
    assert(cluster:settle())
    assert.same({ [3] = true }, see(rings, 140, { 1, 2, 3 }))
    assert.same({ [3] = true }, see(rings, 140, { 1, 2, 3 })) -- to all who ask
    assert.same({}, see(rings, 144, { 1, 2, 3 }))
    assert.same({}, see(rings, 90, { 1, 2, 3 })) -- long past
  end)

  it("goes by the step where nothing can be read", function()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local rings = partings.at({ key = cluster[2], network = cluster[2].space })
    assert.same({}, see(rings, 100, { 1, 2 }))
    assert(cluster[2]:kill())
    assert.same({}, see(rings, 108, { 1, 2 }))
    assert.same({ [1] = true, [2] = true }, see(rings, 120, { 1, 2 }))
  end)

  it("waits no longer than a second for a daemon that is paused", function()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local rings = partings.at({ key = cluster[1], network = cluster[1].space })
    assert.same({}, see(rings, 100, { 1, 2 }))
    assert(cluster[1]:pause())
    local since = corolua.now()
    assert.same({ [1] = true, [2] = true }, see(rings, 112, { 1, 2 }))
    assert.is_true(corolua.now() - since < 3)
    assert(cluster[1]:resume())
  end)
end)

describe("a group", function()
  -- It takes two syncs that are given up to have a real one: so the ring is fed to
  -- the fence of a group that has joined.
  it("tells its script, and the trace, of nodes that parted unseen", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local cluster <close> = assert(lab.start({ nodes = 2, trace = path }))
    local room = cluster[1]:group("parted")
    local other = cluster[2]:group("parted")
    assert(room:join())
    assert(other:join())
    support.comes(function() return #room.members == 2 end)
    local gate = room.connection.fence
    local seq = gate.newest.seq
    gate.newest = ring(seq - 12)
    gate.step = 12
    gate:ring(ring(seq + 4), { 1, 2 })
    gate:quorum(state(seq + 4))
    gate:partings(seq + 4, { [2] = true })
    room.inbox:wake(room.connection)
    local view
    repeat view = assert(room:next("members", 5)) until view.hidden
    assert.same({ 2 }, view.hidden)
    assert.same({ 0, 0, 2 }, { #view.left, #view.joined, #view.members })
    cluster:close()
    local line = trace_files.of(trace_files.read(path), "hidden")[1]
    assert.same({ 2 }, line.nodes)
  end)
end)
