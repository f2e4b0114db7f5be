-- Not sanitized: it looks at what corosync tells, by calls that cpg_spec.lua sanitizes.
-- The sequences of callbacks that corosync gives for each change, as
-- docs/corosync.md tells them.
local lab = require("corolua.lab")
local process = require("corolua.lab.process")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local sys = require("corolua.sys")
local witness = require("spec.support.witness")

local GROUP = "sequences"
local TIMEOUT = 20

local function no_output() end

describe("the callbacks", function()
  local cluster
  local open = {}

  local function witness_on(id, options)
    local made = witness.new(cluster[id], options)
    table.insert(open, made)
    return made
  end

  local function join(one)
    assert(one.handle:join(GROUP))
    return one
  end

  -- One member on each node, that all know of each other.
  local function all_joined()
    local list = {}
    for id = 1, #cluster do
      list[id] = join(witness_on(id))
      for _, one in ipairs(list) do
        one:wait(("confchg %s joined %d:join"):format(table.concat({ 1, 2, 3 }, " ", 1, id), id))
      end
    end
    for _, one in ipairs(list) do one:forget() end
    return table.unpack(list)
  end

  local function other_process(id)
    local running = assert(process.start(cluster[id].space,
      { support.program, "spec/support/member.lua", GROUP },
      { list = cluster[id].processes, env = {} }, { output = no_output, ended = no_output }))
    return running
  end

  setup(function() cluster = assert(lab.start({ nodes = 3, token = 500 })) end)

  teardown(function() cluster:close() end)

  -- A node that is paused would never answer to the end of a connection.
  after_each(function()
    for _, node in ipairs(cluster) do
      if node.paused then assert(node:resume()) end
    end
    for _, one in ipairs(open) do one:close() end
    open = {}
    assert(cluster:heal())
    for _, node in ipairs(cluster) do
      if not node:is_running() then assert(node:start()) end
    end
    assert(cluster:settle())
  end)

  describe("on trackstart", function()
    it("tell the ring, then its quorum", function()
      local a = witness_on(1)
      a:wait("quorate 1 2 3")
      assert.same("nodelist 1 2 3", a.rings[1].text)
      assert.same("quorate 1 2 3", a.rings[2].text)
    end)
  end)

  describe("on a join", function()
    it("tell every member the same, and the joiner nothing before", function()
      local a, b = join(witness_on(1)), witness_on(2)
      a:wait("confchg 1 joined 1:join")
      join(b):wait("confchg 1 2 joined 2:join")
      a:wait("confchg 1 2 joined 2:join")
      assert.same({ "confchg 1 joined 1:join", "confchg 1 2 joined 2:join" }, a:lines())
      assert.same({ "confchg 1 2 joined 2:join" }, b:lines())
    end)

    it("tell the ring right after the own join where that was asked for", function()
      local a = join(witness_on(1, { deliver_initial_totem_conf = true }))
      a:wait("totem 1 2 3")
      assert.same({ "confchg 1 joined 1:join", "totem 1 2 3" }, a:lines())
    end)

    it("give what was sent meanwhile behind it", function()
      local a = join(witness_on(1))
      assert(a.handle:mcast_joined("early"))
      a:wait("message early from 1")
      assert.same({ "confchg 1 joined 1:join", "message early from 1" }, a:lines())
    end)

    it("list two processes of one node by their numbers", function()
      local a = join(witness_on(1))
      a:wait("confchg 1 joined 1:join")
      local other = other_process(1)
      a:wait_member("1*")
      local own, its = sys.id().pid, other.pid
      assert.same(own < its and "confchg 1 1* joined 1*:join" or "confchg 1* 1 joined 1*:join",
        a:lines()[2])
      other:close()
      a:wait("confchg 1 left 1*:procdown")
    end)
  end)

  describe("on a leave", function()
    it("tell everybody once, the leaver included", function()
      local a, b, c = all_joined()
      assert(c.handle:leave())
      for _, one in ipairs({ a, b, c }) do one:wait("confchg 1 2 left 3:leave") end
      c:close()
      assert(a.handle:mcast_joined("after"))
      for _, one in ipairs({ a, b }) do
        one:wait("message after from 1")
        assert.same({ "confchg 1 2 left 3:leave", "message after from 1" }, one:lines())
      end
    end)

    it("call it procdown where the handle was finalized instead", function()
      local a, b, c = all_joined()
      c:close()
      for _, one in ipairs({ a, b }) do
        one:wait("confchg 1 2 left 3:procdown")
        assert.same({ "confchg 1 2 left 3:procdown" }, one:lines())
      end
    end)
  end)

  describe("on the end of a process", function()
    local function with_other()
      local a = join(witness_on(1))
      local running = other_process(2)
      a:wait("confchg 1 2* joined 2*:join")
      a:forget()
      return a, running
    end

    it("give its last words before procdown, or not at all, when it ends on the spot", function()
      local a = with_other()
      assert(a.handle:mcast_joined("exit"))
      a:wait("confchg 1 left 2*:procdown")
      assert(a.handle:mcast_joined("after"))
      a:wait("message after from 1")
      local expected = {
        "message exit from 1", "confchg 1 left 2*:procdown", "message after from 1",
      }
      if a:count("message last words from 2*") == 1 then
        table.insert(expected, 2, "message last words from 2*")
      end
      assert.same(expected, a:lines())
    end)

    it("give procdown when it is killed", function()
      local a, running = with_other()
      running:close()
      a:wait("confchg 1 left 2*:procdown")
      assert.same({ "confchg 1 left 2*:procdown" }, a:lines())
    end)

    it("give one leave, and no procdown, when it left before", function()
      local a, running = with_other()
      assert(a.handle:mcast_joined("leave"))
      a:wait("confchg 1 left 2*:leave")
      running:close()
      assert(a.handle:mcast_joined("after"))
      a:wait("message after from 1")
      assert.same({
        "message leave from 1", "confchg 1 left 2*:leave", "message after from 1",
      }, a:lines())
    end)
  end)

  describe("on the end of a daemon", function()
    it("give nodedown, then the ring, when it was killed", function()
      local a, b, c = all_joined()
      assert(cluster[3]:kill())
      c:wait("down ERR_LIBRARY")
      assert.same({ "down ERR_LIBRARY" }, c:lines())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2")
        assert.same({ "confchg 1 2 left 3:nodedown", "totem 1 2" }, one:net())
        one:wait("quorate 1 2")
        assert.is_truthy(one:wait("nodelist 1 2 left 3").at <= one:wait("quorate 1 2").at)
      end
    end)

    it("give procdown, then the ring, when it was stopped", function()
      local a, b, c = all_joined()
      assert(cluster[3]:stop())
      c:wait("down ERR_LIBRARY")
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2")
        assert.same({ "confchg 1 2 left 3:procdown", "totem 1 2" }, one:net())
      end
    end)

    it("give the ring alone when it has started again, and join when a process has", function()
      local a, b = all_joined()
      assert(cluster[3]:kill())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2")
        one:forget()
      end
      assert(cluster[3]:start())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2 3")
        assert.same({ "totem 1 2 3" }, one:net())
        one:forget()
      end
      join(witness_on(3))
      for _, one in ipairs({ a, b }) do
        one:wait("confchg 1 2 3 joined 3:join")
        assert.same({ "confchg 1 2 3 joined 3:join" }, one:lines())
      end
    end)
  end)

  local function cut(...)
    assert(cluster:partition({ { 1, 2 }, { 3 } }))
    assert(cluster:settle())
    for _, one in ipairs({ ... }) do one:wait(one.node.nodeid == 3 and "totem 3" or "totem 1 2") end
  end

  describe("on a partition", function()
    it("give both sides the other one as nodedown, in one callback", function()
      local a, b, c = all_joined()
      cut(a, b, c)
      assert.same({ "confchg 1 2 left 3:nodedown", "totem 1 2" }, a:net())
      assert.same({ "confchg 1 2 left 3:nodedown", "totem 1 2" }, b:net())
      assert.same({ "confchg 3 left 1:nodedown 2:nodedown", "totem 3" }, c:net())
      a:wait("quorate 1 2")
      c:wait("inquorate 3")
    end)

    it("give a group that lost nobody the ring alone", function()
      local a, b = join(witness_on(1)), witness_on(2)
      a:wait("confchg 1 joined 1:join")
      join(b):wait("confchg 1 2 joined 2:join")
      a:wait("confchg 1 2 joined 2:join")
      a:forget()
      cut(a)
      assert.same({ "totem 1 2" }, a:net())
    end)

    it("go on without quorum: join, message, leave", function()
      cut()
      local c = join(witness_on(3))
      c:wait("inquorate 3")
      assert(c.handle:mcast_joined("alone"))
      c:wait("message alone from 3")
      assert(c.handle:leave())
      c:wait("confchg  left 3:leave")
      assert.same({
        "confchg 3 joined 3:join", "message alone from 3", "confchg  left 3:leave",
      }, c:lines())
    end)

    it("give in the new view what was sent before it, and never to the other side", function()
      local a, b, c = all_joined()
      assert(cluster:partition({ { 1, 2 }, { 3 } }))
      assert(a.handle:mcast_joined("cut"))
      assert(c.handle:mcast_joined("apart"))
      b:wait("message cut from 1")
      c:wait("message apart from 3")
      for _, one in ipairs({ a, b, c }) do one:check_order() end
      assert(cluster:heal())
      assert(cluster:settle())
      c:wait("totem 1 2 3")
      assert(b.handle:mcast_joined("whole"))
      for _, one in ipairs({ a, b, c }) do one:wait("message whole from 2") end
      assert.same(0, c:count("message cut from 1"))
      assert.same(0, a:count("message apart from 3") + b:count("message apart from 3"))
    end)
  end)

  describe("on a heal", function()
    it("give each side the other one as nodeup, and both the same members", function()
      local a, b, c = all_joined()
      cut(a, b, c)
      for _, one in ipairs({ a, b, c }) do one:forget() end
      assert(cluster:heal())
      assert(cluster:settle())
      for _, one in ipairs({ a, b, c }) do one:wait("totem 1 2 3") end
      assert.same({ "confchg 1 2 3 joined 3:nodeup", "totem 1 2 3" }, a:net())
      assert.same({ "confchg 1 2 3 joined 3:nodeup", "totem 1 2 3" }, b:net())
      assert.same({ "confchg 1 2 3 joined 1:nodeup 2:nodeup", "totem 1 2 3" }, c:net())
      c:wait("quorate 1 2 3")
    end)

    it("call nodeup also who joined during the partition, and forget who left in it", function()
      local a, b, c = all_joined()
      cut(a, b, c)
      assert(c.handle:leave())
      c:wait("confchg  left 3:leave")
      c:close()
      local late = join(witness_on(3))
      late:wait("confchg 3 joined 3:join")
      for _, one in ipairs({ a, b }) do one:forget() end
      assert(cluster:heal())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2 3")
        assert.same({ "confchg 1 2 3 joined 3:nodeup", "totem 1 2 3" }, one:net())
      end
    end)
  end)

  describe("on a pause", function()
    it("give the others nodedown, then nodeup", function()
      local a, b = all_joined()
      assert(cluster[3]:pause())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2")
        assert.same({ "confchg 1 2 left 3:nodedown", "totem 1 2" }, one:net())
        one:forget()
      end
      assert(cluster[3]:resume())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2 3")
        assert.same({ "confchg 1 2 3 joined 3:nodeup", "totem 1 2 3" }, one:net())
      end
    end)

    it("give the paused node the others as nodedown and nodeup, perhaps in one ring", function()
      local a, _, c = all_joined()
      assert(cluster[3]:pause())
      a:wait("totem 1 2")
      assert(cluster[3]:resume())
      assert(cluster:settle())
      c:wait("totem 1 2 3")
      c:check_order()
      local down = c:wait("confchg 3 left 1:nodedown 2:nodedown")
      local up = c:wait("confchg 1 2 3 joined 1:nodeup 2:nodeup")
      assert.is_true(down.at <= up.at)
    end)
  end)

  describe("on a cable pulled", function()
    it("give the same as a partition, and a merge when it is back", function()
      local a, b, c = all_joined()
      assert(cluster[3]:unplug())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2")
        assert.same({ "confchg 1 2 left 3:nodedown", "totem 1 2" }, one:net())
        one:forget()
      end
      c:wait("confchg 3 left 1:nodedown 2:nodedown")
      assert(cluster[3]:plug())
      assert(cluster:settle())
      for _, one in ipairs({ a, b }) do
        one:wait("totem 1 2 3")
        assert.same({ "confchg 1 2 3 joined 3:nodeup", "totem 1 2 3" }, one:net())
      end
    end)
  end)

  describe("on a cut in one direction", function()
    it("leave the deaf node alone, and the others form the same ring again and again", function()
      local a, b, c = all_joined()
      assert(cluster:block(1, 3))
      assert(cluster:block(2, 3))
      c:wait("confchg 3 left 1:nodedown 2:nodedown")
      c:wait("totem 3")
      for _, one in ipairs({ a, b }) do
        one:wait("confchg 1 2 left 3:nodedown")
        assert(scheduler.wait(function() return one:count("totem 1 2") >= 3 end, TIMEOUT))
        one:check_order()
        assert.same(1, one:count("confchg 1 2 left 3:nodedown"))
      end
    end)
  end)

  describe("on a join during a change", function()
    it("give the join in the ring that comes, perhaps behind it", function()
      local a = join(witness_on(1))
      a:wait("confchg 1 joined 1:join")
      assert(cluster:partition({ { 1, 2 }, { 3 } }))
      local c = join(witness_on(3))
      assert(cluster:settle())
      c:wait("totem 3")
      scheduler.wait(function() return c.members["3"] and not c.members["1"] end, TIMEOUT)
      c:check_order()
      assert.same({ ["3"] = true }, c.members)
    end)
  end)
end)
