-- Not sanitized: Lua above groups, whose specs reach the same C.
local corolua = require("corolua")
local election = require("corolua.election")
local elections = require("spec.support.elections")
local lab = require("corolua.lab")

local eventually, join, settle = elections.eventually, elections.join, elections.settle

-- The place of the first note that is all this.
local function find(notes, ...)
  local wanted = { ... }
  for i, note in ipairs(notes) do
    local is_it = true
    for j, value in ipairs(wanted) do is_it = is_it and note[j] == value end
    if is_it then return i end
  end
end

-- No term has two leaders, and elected and deposed take turns.
local function check(notes)
  local leaders, reigns = {}, {}
  for _, note in ipairs(notes) do
    local kind, node, a, b = note[1], note[2], note[3], note[4]
    if kind == "elected" then
      assert.is_nil(reigns[node])
      assert.is_true(leaders[a] == nil or leaders[a] == node)
      leaders[a], reigns[node] = node, a
    elseif kind == "deposed" then
      assert.equal(a, reigns[node])
      reigns[node] = nil
    elseif a then
      assert.is_true(leaders[b] == nil or leaders[b] == a.nodeid)
      leaders[b] = a.nodeid
    end
  end
end

describe("an election under faults", function()
  local cluster, bosses, notes

  before_each(function()
    cluster = assert(lab.start({ nodes = 3 }))
    bosses, notes = {}, {}
    for i = 1, 3 do
      bosses[i] = join(cluster[i], "boss", notes)
      eventually(function() return bosses[1]:is_leader() and #bosses[i]:line() == i end)
    end
    settle(bosses, bosses[1])
  end)

  after_each(function()
    for _, node in ipairs(cluster) do
      if node.paused then node:resume() end
    end
    cluster:close()
    check(notes)
  end)

  it("passes to the next when the leader's daemon is killed", function()
    local first, second, third = table.unpack(bosses)
    local term = first.term
    assert(cluster[1]:kill())
    eventually(function() return find(notes, "deposed", 1, term) end)
    assert.is_false(first:is_leader())
    assert.is_nil(find(notes, "elected", 2))
    settle({ second, third }, second)
    assert.is_true(second.term > term)
    assert(cluster[1]:start())
    settle({ first, second, third }, second)
    assert.same({ 2, 3, 1 }, elections.nodes(first))
  end)

  it("puts who was cut off at the end of the line", function()
    local first, second, third = table.unpack(bosses)
    local term = first.term
    assert(cluster:partition({ { 1 }, { 2, 3 } }))
    settle({ second, third }, second)
    eventually(function() return first.leader == nil end)
    assert.is_false(first:is_leader())
    assert.same({}, first:line())
    local middle = second.term
    assert.is_true(middle > term)
    assert(cluster:heal())
    settle(bosses, second)
    assert.is_true(second.term > middle)
    for _, boss in ipairs(bosses) do assert.same({ 2, 3, 1 }, elections.nodes(boss)) end
  end)

  local function leading()
    for _, boss in ipairs(bosses) do
      if elections.agree(bosses, boss) then return boss end
    end
  end

  -- All are cut off from each other, and come together again: whether at once, or
  -- in steps, which have a quorum and a leader each.
  local function part_and_meet()
    assert(cluster:partition({ { 1 }, { 2 }, { 3 } }))
    eventually(function()
      return not (bosses[1].leader or bosses[2].leader or bosses[3].leader)
    end)
    assert(cluster:settle())
    local last = #elections.own(notes)
    assert(cluster:heal())
    eventually(leading)
    local own = elections.own(notes)
    return #own == last + 1 and own[#own][1] == "elected"
  end

  it("keeps the line where all were without quorum", function()
    assert(bosses[1]:close())
    settle({ bosses[2], bosses[3] }, bosses[2])
    bosses[1] = join(cluster[1], "boss", notes)
    settle(bosses, bosses[2])
    assert.same({ 2, 3, 1 }, elections.nodes(bosses[1]))
    for _ = 1, 10 do
      local before = elections.nodes(bosses[1])
      if part_and_meet() then
        assert.equal(bosses[before[1]], leading())
        return assert.same(before, elections.nodes(bosses[1]))
      end
    end
    error("they never came together at once")
  end)

  it("has nobody lead without quorum", function()
    assert(cluster[2]:kill())
    assert(cluster[3]:kill())
    eventually(function() return find(notes, "deposed", 1) and not bosses[1].leader end)
    local elected = #elections.own(notes)
    local lonely <close> = join(cluster[1], "lonely")
    assert(cluster:settle())
    assert.is_nil(lonely.leader)
    assert.is_false(bosses[1]:is_leader())
    assert.equal(elected, #elections.own(notes))
    assert(cluster[2]:start())
    eventually(function() return lonely:is_leader() end)
  end)

  it("raises the term when all daemons were down", function()
    local term = bosses[1].term
    for _, node in ipairs(cluster) do assert(node:kill()) end
    for _, node in ipairs(cluster) do assert(node:start()) end
    eventually(function()
      local leader = bosses[1].leader
      return leader and bosses[2].leader == leader and bosses[3].leader == leader
    end, 20)
    local now = bosses[1].leader.nodeid
    settle(bosses, bosses[now])
    assert.is_true(bosses[1].term > term)
  end)

  it("raises the term for members that knew nothing of the life before", function()
    local before = join(cluster[2], "other")
    settle({ before }, before)
    local term = before.term
    assert(before:close())
    for _, node in ipairs(cluster) do assert(node:kill()) end
    for _, node in ipairs(cluster) do assert(node:start()) end
    local after <close> = join(cluster[1], "other")
    settle({ after }, after)
    assert.is_true(after.term >> 38 > term >> 38)
  end)

  it("deposes a leader whose daemon hung, before it is in line again", function()
    local first, second, third = table.unpack(bosses)
    local term = first.term
    assert(cluster[1]:pause())
    settle({ second, third }, second)
    assert.is_true(first:is_leader()) -- its daemon does not tell it anything
    assert.is_nil(find(notes, "deposed", 1))
    assert(cluster[1]:resume())
    settle({ first, second, third }, second)
    assert.is_truthy(find(notes, "deposed", 1, term))
    assert.same({ 2, 3, 1 }, elections.nodes(first))
    local places = {}
    for i, note in ipairs(notes) do
      if note[2] == 1 and note[1] == "changed" and note[4] > term then table.insert(places, i) end
    end
    assert.is_true(find(notes, "deposed", 1, term) < places[1])
  end)

  it("loses the leader that is not heard, and takes it back at the end", function()
    local first, second, third = table.unpack(bosses)
    assert(cluster:block(1, { 2, 3 }))
    settle({ second, third }, second)
    eventually(function() return not first:is_leader() end)
    assert(cluster:heal())
    settle(bosses, second)
    assert.same({ 2, 3, 1 }, elections.nodes(third))
  end)

  it("elects where quorum comes back within a ring", function()
    local term = bosses[1].term
    assert(cluster[2]:kill())
    assert(cluster[3]:kill())
    eventually(function() return not bosses[1].leader end)
    assert(cluster:settle())
    local ring = bosses[1].group.view.ring
    local votes = assert(cluster[1]:thin("votequorum"))
    assert(votes:setexpected(1))
    settle({ bosses[1] }, bosses[1])
    assert.equal(ring, bosses[1].group.view.ring)
    assert.is_true(bosses[1].term > term)
  end)

  it("waits for a process that is stopped, and goes on once it is gone", function()
    local process = assert(cluster[3]:run("spec/support/candidate.lua", "boss"))
    eventually(function() return #bosses[1]:line() == 4 end)
    assert.equal("line 1 2 3 3", process:next(10))
    assert(process:kill("STOP"))
    assert(bosses[1]:close()) -- within the ring nobody needs it
    eventually(function() return bosses[2]:is_leader() end)
    assert(cluster[1]:kill())
    eventually(function() return #bosses[2]:missing() == 1 and not bosses[2].leader end)
    assert.is_false(bosses[2]:is_leader())
    assert.equal(3, bosses[2]:missing()[1].nodeid)
    assert.not_equal(bosses[3].group.me, bosses[2]:missing()[1])
    assert(process:kill("KILL"))
    settle({ bosses[2], bosses[3] }, bosses[2])
  end)

  it("takes a stopped process back where it was", function()
    local process = assert(cluster[3]:run("spec/support/candidate.lua", "boss"))
    eventually(function() return #bosses[1]:line() == 4 end)
    assert(process:kill("STOP"))
    assert(cluster[1]:kill())
    eventually(function() return #bosses[2]:missing() == 1 end)
    assert(process:kill("CONT"))
    eventually(function() return bosses[2]:is_leader() and #bosses[2]:line() == 3 end)
    assert(process:kill("KILL"))
    settle({ bosses[2], bosses[3] }, bosses[2])
  end)

  it("bears with a member of the group that is no election", function()
    local term = bosses[1].term
    local process = assert(cluster[2]:run("spec/support/stranger.lua", "boss"))
    assert.equal("sent", process:next(10))
    eventually(function() return #bosses[3]:missing() == 1 end)
    assert.equal(2, bosses[3]:missing()[1].nodeid)
    assert.is_true(bosses[1]:is_leader())
    assert.equal(term, bosses[1].term)
    assert(bosses[1]:close())
    eventually(function() return bosses[2]:is_leader() end)
    assert(process:kill("KILL"))
  end)

  it("agrees however joins and leaves meet changes of the ring", function()
    local told = {}
    for round = 1, 6 do
      local gone = round % 3 + 1
      assert(cluster:isolate(gone))
      local guests = {}
      for i = 1, 3 do
        guests[i] = corolua.spawn(function() return join(cluster[i], "guest", told) end)
      end
      eventually(function() return not bosses[gone].leader end)
      assert(cluster:heal())
      local all = {}
      for i = 1, 3 do
        local boss = guests[i]:wait(20)
        table.insert(all, boss)
        assert.is_truthy(boss)
      end
      eventually(function()
        local leader = all[1].leader and all[all[1].leader.nodeid]
        return leader and elections.agree(all, leader)
      end)
      for i = 1, 3 do assert(all[i]:close()) end
    end
    eventually(function()
      local leader = bosses[1].leader and bosses[bosses[1].leader.nodeid]
      return leader and elections.agree(bosses, leader)
    end)
    check(told)
  end)
end)

describe("a lease", function()
  local LEASE = 0.3
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local function join_all(name, notes)
    local bosses = {}
    for i = 1, 3 do
      bosses[i] = join(cluster[i], name, notes, { lease = LEASE })
      eventually(function() return bosses[1].leader and #bosses[i]:line() == i end)
    end
    return bosses
  end

  local function leave_all(bosses)
    for _, boss in ipairs(bosses) do assert(boss:close()) end
  end

  it("is renewed as long as the ring lives", function()
    local notes = {}
    local bosses = join_all("renewed", notes)
    local finish = corolua.now() + 5 * LEASE
    eventually(function() return bosses[1]:is_leader() and corolua.now() > finish end)
    assert.is_true(#elections.own(notes) <= 3) -- a busy machine may end one, not five
    leave_all(bosses)
  end)

  it("ends before another is elected, where the daemon hangs", function()
    local notes = {}
    local bosses = join_all("hung", notes)
    eventually(function() return bosses[1]:is_leader() end)
    assert(cluster[1]:pause())
    settle({ bosses[2], bosses[3] }, bosses[2])
    local leads = false
    for i = 1, find(notes, "elected", 2) do
      if notes[i][1] == "elected" and notes[i][2] == 1 then leads = true end
      if notes[i][1] == "deposed" and notes[i][2] == 1 then leads = false end
    end
    assert.is_false(leads)
    assert(cluster[1]:resume())
    settle(bosses, bosses[2])
    leave_all(bosses)
    check(notes)
  end)

  it("is over for a script that was busy for too long, until it has claimed again", function()
    local notes = {}
    local bosses = join_all("busy", notes)
    eventually(function() return bosses[1]:is_leader() end)
    local term, finish = bosses[1].term, corolua.now() + 1.5 * LEASE
    while corolua.now() < finish do end -- luacheck: ignore 542
    assert.is_false(bosses[1]:is_leader())
    eventually(function() return bosses[1]:is_leader() and bosses[1].term > term end)
    leave_all(bosses)
    check(notes)
  end)
end)

describe("an election without a quorum provider", function()
  it("does not begin", function()
    local cluster <close> = assert(lab.start({ nodes = 1, provider = "none" }))
    local boss, message, code = election.open(cluster[1]:group("boss"))
    assert.is_nil(boss)
    assert.matches("there is no quorum provider", message)
    assert.equal("ERR_NOT_SUPPORTED", code)
  end)
end)
