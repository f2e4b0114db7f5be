-- Not sanitized: Lua above groups, whose specs reach the same C.
local corolua = require("corolua")
local election = require("corolua.election")
local elections = require("spec.support.elections")
local lab = require("corolua.lab")
local support = require("spec.support")

local eventually, join, settle = elections.eventually, elections.join, elections.settle

describe("election", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  describe(".open", function()
    for title, case in pairs({
      ["what is no group"] = { 7, nil, "a group or its name was expected, got number" },
      ["an empty name"] = { "", nil, "a group's name has 1 to 127 bytes, got 0" },
      ["an unknown option"] = {
        "boss", { group = { windov = 1 } }, "unknown option 'windov', did you mean 'window'%?",
      },
      ["a timeout that is none"] = {
        "boss", { timeout = "x" },
        "election.open: option 'timeout' must be a number of seconds, 0 or more, got \"x\"",
      },
      ["a lease of no time"] = {
        "boss", { lease = 0 }, "option 'lease' must be a number of seconds above 0, got 0",
      },
      ["a lease that is none"] = {
        "boss", { lease = true }, "option 'lease' must be a number of seconds above 0, got true",
      },
      ["options that are no table"] = {
        "boss", 3, "election.open: a table of options was expected, got 3",
      },
      ["a group that ignores quorum"] = {
        "boss", { group = { quorum = "ignore" } },
        "election.open: option 'group'.quorum must be \"required\", got \"ignore\"",
      },
      ["a codec"] = {
        "boss", { group = { codec = "json" } },
        "option 'group'.codec must be \"string\", got \"json\"",
      },
    }) do
      it("refuses " .. title, function()
        support.raises(case[3], function() election.open(case[1], case[2]) end)
      end)
    end

    it("refuses options of a group that is made already", function()
      support.raises("unknown option 'window'", function()
        election.open(cluster[1]:group("boss"), { window = 8 })
      end)
    end)

    it("refuses a group that was joined", function()
      local room <close> = cluster[1]:group("boss")
      assert(room:join())
      support.raises("must not have been joined before", function() election.open(room) end)
    end)

    it("refuses a name that this program has joined there", function()
      local _ <close> = join(cluster[1], "boss")
      support.raises("group 'boss' is joined already on this node", function()
        election.open(cluster[1]:group("boss"))
      end)
    end)

    it("says where there is no daemon", function()
      local boss, message, code = election.open("boss", { timeout = 1 })
      assert.is_nil(boss)
      assert.is_string(message)
      assert.equal("ERR_LIBRARY", code)
    end)

    it("raises at a handler of an unknown event", function()
      local boss <close> = join(cluster[1], "boss")
      support.raises("unknown event 'electd', did you mean 'elected'", function()
        boss.on.electd = function() end
      end)
    end)
  end)

  it("lets the one lead that joined first", function()
    local third <close> = join(cluster[3], "first")
    settle({ third }, third)
    local first <close> = join(cluster[1], "first")
    settle({ first, third }, third)
    local second <close> = join(cluster[2], "first")
    settle({ first, second, third }, third)
    for _, boss in ipairs({ first, second, third }) do
      assert.same({ 3, 1, 2 }, elections.nodes(boss))
    end
    assert.is_false(first:is_leader())
    assert.equal("election 'first'", tostring(first))
  end)

  it("tells of the leader's leave before the next one is elected", function()
    local notes = {}
    local first = join(cluster[1], "leave", notes)
    eventually(function() return first:is_leader() end)
    local second <close> = join(cluster[2], "leave", notes)
    settle({ first, second }, first)
    local term = first.term
    assert.is_true(first:close())
    assert.is_false(first:is_leader())
    assert.is_nil(first.leader)
    eventually(function() return second:is_leader() end)
    eventually(function() return notes[#notes][1] == "changed" and notes[#notes][3] end)
    assert.same({
      { "elected", 1, term }, { "deposed", 1, term }, { "elected", 2, second.term },
    }, elections.own(notes))
    assert.is_true(second.term > term)
  end)

  it("raises the term where a group is begun anew within a ring", function()
    local last = 0
    for round = 1, 6 do
      local boss <close> = join(cluster[round % 3 + 1], "anew")
      eventually(function() return boss:is_leader() end)
      assert.is_true(boss.term > last)
      last = boss.term
    end
  end)

  it("works in a packed group", function()
    local first <close> = assert(election.open(cluster[1]:group("packed", { packed = true })))
    eventually(function() return first:is_leader() end)
    local second <close> = assert(election.open(cluster[2]:group("packed", { packed = true })))
    settle({ first, second }, first)
  end)

  it("calls no handler before the script waits", function()
    local boss <close> = assert(election.open(cluster[1]:group("late")))
    local count = 0
    local finish = corolua.now() + 0.05
    function boss.on.elected() count = count + 1 end
    while corolua.now() < finish do assert.equal(0, count) end
    eventually(function() return count == 1 end)
  end)

  it("may be joined again after it was left", function()
    for _ = 1, 2 do
      local boss = join(cluster[1], "again")
      eventually(function() return boss:is_leader() end)
      assert(boss:close())
      assert.is_true(boss:close())
    end
  end)

  it("passes to the next when the leader's process is killed", function()
    local process = assert(cluster[1]:run("spec/support/candidate.lua", "killed"))
    assert.equal("elected", process:next(10))
    local boss <close> = join(cluster[2], "killed")
    eventually(function() return #boss:line() == 2 and boss.leader end)
    assert.equal(1, boss.leader.nodeid)
    local term = boss.term
    assert(process:kill("KILL"))
    settle({ boss }, boss)
    assert.is_true(boss.term > term)
  end)

  it("agrees with two processes on one node", function()
    local boss <close> = join(cluster[1], "two")
    eventually(function() return boss:is_leader() end)
    local process = assert(cluster[1]:run("spec/support/candidate.lua", "two"))
    eventually(function() return #boss:line() == 2 end)
    assert.equal("line 1 1", process:next(10))
    assert(boss:close())
    assert.equal("elected", process:next(10))
    assert(process:kill("TERM"))
    assert.equal(0, process:wait(10))
  end)
end)
