-- Not sanitized: Lua alone.
-- The checks of the soak of groups, on histories that are known.
local group_check = require("bench.group_check")
local group_log = require("bench.group_log")
local quorum_witness = require("bench.quorum_witness")

local ME, OTHER = { nodeid = 1 }, { nodeid = 2 }

local rings = {}
for seq = 1, 40 do rings[seq] = { nodeid = 1, seq = seq } end

local function view_of(seq, quorate, members, left, joined)
  return {
    ring = rings[seq], quorate = quorate, members = members or { ME, OTHER },
    left = left or {}, joined = joined or {},
  }
end

-- What a handle was told: by seq, in their order.
local function witness_of(told)
  local witness = quorum_witness.new()
  witness:begin()
  for _, state in ipairs(told) do witness:note(state[2], rings[state[1]]) end
  return witness
end

local FIRST = { { member = ME, reason = "join" }, { member = OTHER, reason = "nodeup" } }

describe("the checks of the soak of groups", function()
  local run, log

  before_each(function()
    run = group_log.new_run()
    log = group_log.new(run, 1, false)
    log:saw(view_of(4, true, nil, nil, FIRST), ME)
    log:told({ quorate = true, ring = rings[4] }, view_of(4, true))
  end)

  local function hear(kind, seq, quorate)
    local view = view_of(seq, quorate)
    log.sent = log.sent + 1
    log:heard(kind, string.pack("<I8", log.id << 32 | log.sent), ME, { ring = view.ring }, view)
  end

  -- The other handle is told the same unless there is more to say.
  local function check(told, seen)
    local listener = witness_of(told)
    return group_check.check(run, { listener }, { seen and witness_of(seen) or listener })
  end

  local GONE = { { member = OTHER, reason = "nodedown" } }
  local BACK = { { member = OTHER, reason = "nodeup" } }

  it("find nothing where a skipped ring counts as inquorate", function()
    log:saw(view_of(8, false, { ME }, GONE), ME)
    hear("inquorate", 8, false)
    log:saw(view_of(12, true, nil, nil, BACK), ME)
    log:told({ quorate = true, ring = rings[12] }, view_of(12, true))
    hear("message", 12, true)
    local found = check({ { 4, true }, { 12, true } })
    assert.same({ 0, 0, 0, 0 },
      { found.wrong_quorum, found.told_apart, found.wrong_lists, found.lost })
    assert.same({ 1, 1, 1, 0 },
      { found.views_skipped, found.in_skipped, found.inquorate, #run.notes })
  end)

  it("find a view of a skipped ring that is called quorate, without a message in it", function()
    log:saw(view_of(8, true, { ME }, GONE), ME)
    log:saw(view_of(12, true, nil, nil, BACK), ME)
    local found = check({ { 4, true }, { 12, true } })
    assert.equal(1, found.wrong_quorum)
    assert.equal("wrong quorum: node 1, 1 times view as quorate in ring 1.8, 3 of 4 of a join; "
      .. "libquorum to the group: skipped 4-c; to another handle: skipped 4-c", run.notes[1])
  end)

  it("find messages and states of a skipped ring that are called quorate", function()
    hear("message", 8, true)
    hear("message", 8, true)
    log:told({ quorate = true, ring = rings[8] }, view_of(8, true))
    hear("message", 12, true)
    assert.equal(3, check({ { 4, true }, { 12, true } }).wrong_quorum)
  end)

  it("find what comes under the quorum of another ring, either way", function()
    hear("message", 8, true)
    hear("inquorate", 12, false)
    assert.equal(2, check({ { 4, true }, { 8, false }, { 12, true } }).wrong_quorum)
  end)

  it("find a message whose handler is not that of its view", function()
    hear("message", 8, false)
    assert.equal(1, check({ { 4, true }, { 8, false } }).wrong_quorum)
  end)

  it("take either where the quorum of a ring changed", function()
    hear("message", 8, true)
    hear("inquorate", 8, false)
    local found = check({ { 4, true }, { 8, true }, { 8, false } })
    assert.same({ 0, 2 }, { found.wrong_quorum, found.changing })
  end)

  it("take the last ring of a daemon that died for inquorate, and never for quorate", function()
    hear("inquorate", 8, false)
    log:down({ unconfirmed = {} })
    assert.equal(0, check({ { 4, true }, { 8, true } }).wrong_quorum)
    assert.equal(0, check({ { 4, true } }).wrong_quorum)
    log.rulings[#log.rulings] = { ring = rings[8], quorate = true, kind = "message", count = 1 }
    assert.equal(1, check({ { 4, true } }).wrong_quorum)
  end)

  -- The group was told of the ring; another handle was told of rings around it.
  it("tell two handles that were told differently from an error of the fence", function()
    hear("message", 8, true)
    hear("message", 12, true)
    local found = check({ { 4, true }, { 8, true }, { 12, true } }, { { 4, true }, { 12, true } })
    assert.same({ 0, 1 }, { found.wrong_quorum, found.told_apart })
    assert.equal("handles told differently: node 1, 1 times message as quorate in ring 1.8, "
      .. "3 of 4 of a join; libquorum to the group: true 4-c; to another handle: skipped 4-c",
      run.notes[1])
  end)

  it("take a ring that one handle was not there to be told of for no difference", function()
    hear("message", 8, true)
    local found = check({ { 4, true }, { 8, true } }, { { 4, true } })
    assert.same({ 0, 0 }, { found.wrong_quorum, found.told_apart })
  end)

  it("find lists that do not follow from the changes, and that lack the own member", function()
    log:saw(view_of(8, true, { ME, OTHER }, GONE), ME)
    log:saw(view_of(12, true, { OTHER }, { { member = ME, reason = "nodedown" } }), ME)
    assert.equal(2, check({ { 4, true }, { 8, true }, { 12, true } }).wrong_lists)
  end)

  it("take the own leave for right", function()
    log:saw(view_of(4, true, { OTHER }, { { member = ME, reason = "leave" } }), ME)
    assert.equal(0, check({ { 4, true } }).wrong_lists)
  end)

  it("find a ring that begins with other members elsewhere, and one that comes late", function()
    log:saw(view_of(8, true, { ME }, GONE), ME)
    local other = group_log.new(run, 2, false)
    other:saw(view_of(4, true), OTHER)
    other:told({ quorate = true, ring = rings[8] }, view_of(8, true))
    other:told({ quorate = true, ring = rings[4] }, view_of(4, true))
    local listener = witness_of({ { 4, true }, { 8, true } })
    local found = group_check.check(run, { listener, listener }, { listener, listener })
    assert.same({ 1, 1 }, { found.lists_apart, found.wrong_ring })
  end)

  it("compare the sets of members that went on together", function()
    local other = group_log.new(run, 2, false)
    other:saw(view_of(4, true), OTHER)
    hear("message", 8, true)
    other:told({ quorate = true, ring = rings[8] }, view_of(8, true))
    for _, each in ipairs({ log, other }) do
      each:told({ quorate = true, ring = rings[12] }, view_of(12, true))
    end
    local listener = witness_of({ { 4, true }, { 8, true }, { 12, true } })
    local sets = group_check.check(run, { listener, listener }, { listener, listener }).sets
    assert.same({ 1, 1 }, { sets.pairs, sets.unexplained })
  end)
end)
