local corolua = require("corolua")
local lab = require("corolua.lab")
local reachability = require("corolua.lab.reachability")
local support = require("spec.support")
local sys = require("corolua.sys")
local traces = require("spec.support.traces")

local function rings(cluster)
  local lists = {}
  for i, state in ipairs(cluster:state()) do lists[i] = state.nodes end
  return lists
end

local function texts(cluster)
  local list = {}
  for i, fault in ipairs(cluster:faults()) do list[i] = fault.text end
  return list
end

-- What a direction lets through, from the switch's own counters.
local function forwarded(cluster, from, to)
  return assert(cluster:counters())[from][to].forwarded
end

describe("faults of corolua.lab", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 5, seed = 7 })) end)
  teardown(function() cluster:close() end)

  after_each(function()
    assert(cluster:heal())
    for _, node in ipairs(cluster) do
      if node.paused then assert(node:resume()) end
      if not node:is_running() then assert(node:start()) end
    end
    assert(cluster:settle())
  end)

  describe(":partition", function()
    it("splits the ring, and only the larger side keeps quorum", function()
      assert(cluster:partition({ { 1, 2 }, { 3, 4, 5 } }))
      assert(cluster:settle())
      assert.same({ { 1, 2 }, { 1, 2 }, { 3, 4, 5 }, { 3, 4, 5 }, { 3, 4, 5 } }, rings(cluster))
      for i = 1, 5 do assert.same(i > 2, cluster[i]:quorum().quorate) end
      assert.same({ "partition { 1, 2 } | { 3, 4, 5 }" }, texts(cluster))
      assert.matches("\nfault   partition { 1, 2 } | { 3, 4, 5 }$", tostring(cluster))
    end)

    it("puts the nodes that no group names into one more", function()
      assert(cluster:partition({ { 4 } }))
      assert.same({ "partition { 4 } | { 1, 2, 3, 5 }" }, texts(cluster))
      assert(cluster:settle())
      assert.same({ 4 }, rings(cluster)[4])
      assert.same({ 1, 2, 3, 5 }, rings(cluster)[1])
    end)

    it("replaces the partition before", function()
      assert(cluster:partition({ { 1, 2 }, { 3, 4, 5 } }))
      assert(cluster:partition({ { 1, 5 }, { 2, 3, 4 } }))
      assert(cluster:settle())
      assert.same({ 1, 5 }, rings(cluster)[1])
      assert.same({ 2, 3, 4 }, rings(cluster)[2])
    end)

    it("stays while a node restarts", function()
      assert(cluster:partition({ { 1, 2 }, { 3, 4, 5 } }))
      assert(cluster[1]:restart())
      assert(cluster:settle())
      assert.same({ 1, 2 }, rings(cluster)[1])
      assert.same({ 3, 4, 5 }, rings(cluster)[3])
    end)

    it("is in force when it returns", function()
      assert(cluster:partition({ { 1 }, { 2, 3, 4, 5 } }))
      local at_once = forwarded(cluster, 1, 2)
      corolua.sleep(0.3)
      assert.same(at_once, forwarded(cluster, 1, 2))
    end)

    it("drops the frames that a delay still holds", function()
      assert(cluster:link(1, 2, { delay = 1 }))
      assert(cluster:partition({ { 1 }, { 2, 3, 4, 5 } }))
      local before = forwarded(cluster, 1, 2)
      corolua.sleep(1.2)
      assert.same(before, forwarded(cluster, 1, 2))
    end)
  end)

  it("isolates nodes one by one", function()
    assert(cluster:isolate(1))
    assert(cluster:isolate(2))
    assert(cluster:settle())
    assert.same({ { 1 }, { 2 }, { 3, 4, 5 }, { 3, 4, 5 }, { 3, 4, 5 } }, rings(cluster))
    assert.same({ "node 1 isolated", "node 2 isolated" }, texts(cluster))
  end)

  it("lets a bridge node stand between two halves", function()
    assert(cluster:bridge_node(3))
    assert.same({ "bridge of node 3 over { 1, 2 } | { 4, 5 }" }, texts(cluster))
    -- corosync may go round in circles here: only some of the nodes have to
    -- notice
    assert(corolua.wait(function()
      for _, nodes in ipairs(rings(cluster)) do
        if #nodes < 5 then return true end
      end
    end, 20))
  end)

  it("blocks one direction and unblocks it", function()
    assert(cluster:block(1, { 2, 3 }))
    assert.same({ "1 -> 2 blocked", "1 -> 3 blocked" }, texts(cluster))
    local blocked, open = forwarded(cluster, 1, 2), forwarded(cluster, 2, 1)
    assert(traces.eventually(function() return forwarded(cluster, 2, 1) > open end, 5))
    assert.same(blocked, forwarded(cluster, 1, 2))
    assert(cluster:unblock(1, { 2, 3 }))
    assert.same({}, texts(cluster))
    local ok, message, code = cluster:unblock(1, 2)
    assert.is_nil(ok)
    assert.same("1 -> 2 is not blocked by block", message)
    assert.same("ERR_NOT_EXIST", code)
  end)

  it("makes links faulty in both directions or in one", function()
    assert(cluster:link(1, 2, { loss = 0.25, delay = 0.001 }))
    assert(cluster:link_from(3, 4, { duplicate = 0.5 }))
    assert.same({
      "1 -> 2: delay = 0.001, loss = 0.25", "2 -> 1: delay = 0.001, loss = 0.25",
      "3 -> 4: duplicate = 0.5",
    }, texts(cluster))
    corolua.sleep(0.3)
    local counters = assert(cluster:counters())
    assert.is_true(counters[1][2].delayed > 0)
    assert.is_true(counters[3][4].duplicated > 0)
    assert.same(0, counters[4][3].duplicated)
    assert(cluster:link(1, 2, {}))
    assert.same({ "3 -> 4: duplicate = 0.5" }, texts(cluster))
  end)

  it("keeps a lossy cluster together", function()
    for to = 2, 5 do assert(cluster:link(1, to, { loss = 0.05, duplicate = 0.1 })) end
    assert(cluster:settle())
    assert.same({ 1, 2, 3, 4, 5 }, rings(cluster)[1])
  end)

  it("composes, and heals everything at once", function()
    assert(cluster:partition({ { 1, 2, 3 }, { 4, 5 } }))
    assert(cluster:isolate(5))
    assert(cluster:block(1, 2))
    assert(cluster[4]:unplug())
    assert.same(4, #cluster:faults())
    assert(cluster:heal())
    assert.same("no faults", tostring(cluster:faults()))
    assert(cluster:settle())
    assert.same({ 1, 2, 3, 4, 5 }, rings(cluster)[4])
  end)

  it("lists, heals and records in the order of nodes and links", function()
    for _, id in ipairs({ 5, 2, 4 }) do assert(cluster[id]:unplug()) end
    local before = #cluster:history()
    assert(cluster:heal())
    local done = {}
    for i = before + 1, before + 4 do done[#done + 1] = cluster:history()[i].text end
    assert.same({ "plug node 2", "plug node 4", "plug node 5", "heal" }, done)
    assert(cluster:settle())

    local layers, fault = reachability.new(2, 2), { faults = { loss = 1 }, since = 0 }
    layers.faulty[1][2] = { [1] = fault, [0] = fault }
    local list = layers:list()
    assert.same("1 -> 2 on link 0: loss = 1", list[1].text)
    assert.same("1 -> 2 on link 1: loss = 1", list[2].text)
  end)

  it("returns true and nothing behind it", function()
    local function only(...)
      assert.same({ n = 1, true }, table.pack(...))
    end
    only(cluster:partition({ { 1 }, { 2, 3, 4, 5 } }))
    only(cluster:ring())
    only(cluster:bridge_node(3))
    only(cluster:isolate(5))
    only(cluster:block(1, 2))
    only(cluster:unblock(1, 2))
    only(cluster:link(1, 2, { loss = 0.1 }))
    only(cluster:link_from(1, 2, {}))
    only(cluster[4]:unplug())
    only(cluster[4]:plug())
    only(cluster:heal())
    only(cluster:settle())
    only(cluster[5]:pause())
    only(cluster[5]:resume())
    only(cluster[5]:stop())
    only(cluster[5]:start())
    only(cluster[5]:restart())
    only(cluster[5]:kill())
    only(cluster[5]:start())
    only(cluster:settle())
    only(assert(cluster[1]:run("-e", "")):kill())
    assert.same(1, select("#", cluster:counters()))
    assert.same(1, select("#", cluster[1]:tool("true")))
    assert.same(1, select("#", cluster[1]:quorum()))
    assert.same(1, select("#", cluster[1]:group("one")))
    assert.same(1, select("#", cluster:nemesis({ lasting = 0.001 }):wait()))
  end)

  it("records what was done, with times", function()
    local before, start = #cluster:history(), corolua.now()
    assert(cluster:isolate(2))
    assert(cluster:heal())
    local history = cluster:history()
    assert.same("isolate node 2", history[before + 1].text)
    assert.same("heal", history[before + 2].text)
    local line = ("%s.%03d  heal"):format(
      os.date("%b %d %H:%M:%S", history[before + 2].clock // 1 | 0),
      math.floor(history[before + 2].clock % 1 * 1e3))
    assert.same(line, tostring(history):match("[^\n]*$"))
    assert.is_true(history[before + 1].at >= start and history[before + 2].at <= corolua.now())
  end)

  describe("of a node", function()
    it("kill ends its corosync at once, and start brings it back", function()
      assert(cluster[5]:kill())
      assert.is_false(cluster[5]:is_running())
      assert.same({ "node 5 killed" }, texts(cluster))
      assert(cluster:settle())
      assert.same({ 1, 2, 3, 4 }, rings(cluster)[1])
      assert.same("stopped", cluster:state()[5].status)
      local state, _, code = cluster[5]:quorum()
      assert.is_nil(state)
      assert.same("ERR_LIBRARY", code)
      assert(cluster[5]:start())
      assert.same({}, texts(cluster))
      assert(cluster:settle())
      assert.same({ 1, 2, 3, 4, 5 }, rings(cluster)[5])
    end)

    it("stop ends it cleanly", function()
      assert(cluster[5]:stop())
      assert.same("status 0", cluster[5].daemon.ended)
      assert(cluster:settle())
      assert.same({ 1, 2, 3, 4 }, rings(cluster)[1])
    end)

    it("pause makes it hang, and resume lets it go on", function()
      assert(cluster[2]:pause())
      assert.same("paused", cluster:state()[2].status)
      assert(cluster:settle())
      assert.same({ 1, 3, 4, 5 }, rings(cluster)[1])
      assert(cluster[2]:resume())
      assert(cluster:settle())
      assert.same({ 1, 2, 3, 4, 5 }, rings(cluster)[1])
    end)

    it("pause holds once it stands still, which its daemon tells", function()
      local daemon = cluster[2].daemon
      assert.is_false(daemon:is_stopped())
      assert(cluster[2]:pause())
      assert.is_true(daemon:is_stopped())
      assert.is_false(cluster[1].daemon:is_stopped())
      assert(cluster[2]:resume())
      support.eventually(function() return not daemon:is_stopped() end)
      assert(cluster[2]:kill())
      assert.is_false(daemon:is_stopped())
      assert(cluster[2]:start())
    end)

    it("refuses at once what would wait for a paused corosync", function()
      assert(cluster[2]:pause())
      for _, call in ipairs({ "thin", "stop", "restart" }) do
        local ok, message, code = cluster[2][call](cluster[2], call == "thin" and "cpg" or nil)
        assert.is_nil(ok)
        assert.same("node 2 is paused: resume it first", message)
        assert.same("ERR_BUSY", code)
      end
      assert(cluster[2]:kill())
    end)

    it("unplug pulls its cables, and plug puts them back", function()
      assert(cluster[3]:unplug())
      assert(cluster:settle())
      assert.same({ 3 }, rings(cluster)[3])
      assert.same({ 1, 2, 4, 5 }, rings(cluster)[1])
      assert(cluster[3]:plug())
      assert(cluster:settle())
      assert.same({ 1, 2, 3, 4, 5 }, rings(cluster)[3])
    end)

    it("is told of when corosync ends by itself", function()
      assert(sys.kill(cluster[5].daemon.pid, "QUIT"))
      assert(corolua.wait(function() return not cluster[5]:is_running() end, 5))
      assert.same({ "node 5 crashed" }, texts(cluster))
      local history = cluster:history()
      assert.matches("^corosync ended with %l+ %d+ on node 5$", history[#history].text)
    end)

    it("is never a no-op", function()
      local node = cluster[4]
      local refused = {
        start = "ERR_EXIST", resume = "ERR_NOT_EXIST", plug = "ERR_NOT_EXIST",
      }
      for name, expected in pairs(refused) do
        local ok, _, code = node[name](node)
        assert.is_nil(ok)
        assert.same(expected, code, name)
      end
      assert(node:kill())
      for _, name in ipairs({ "kill", "stop", "pause" }) do
        local ok, _, code = node[name](node)
        assert.is_nil(ok)
        assert.same("ERR_NOT_EXIST", code, name)
      end
    end)
  end)

  describe("wrong arguments", function()
    local wrong = {
      { function() cluster:partition({ { 1, 9 } }) end,
        "partition: there are nodes 1 to 5, got 9" },
      { function() cluster:partition({ { 1 }, { 1, 2 } }) end,
        "partition: node 1 is in two groups" },
      { function() cluster:partition({ 1, 2 }) end, "partition takes groups of nodes" },
      { function() cluster:partition({ { 1, 2, 3, 4, 5 } }) end,
        "one group with all nodes cuts nothing" },
      { function() cluster:isolate("1") end,
        "isolate: there are nodes 1 to 5, got \"1\" (a string)" },
      { function() cluster:block(2, 2) end, "block: a node always hears itself" },
      { function() cluster:block({}, 2) end, "block: no node given" },
      { function() cluster:link(1, 1, {}) end, "link: two different nodes are needed" },
      { function() cluster:link(1, 2, { los = 1 }) end,
        "link: unknown fault 'los', did you mean 'loss'?" },
      { function() cluster:link(1, 2, { loss = 2 }) end,
        "link: fault 'loss' must be a probability of 0 to 1" },
      { function() cluster:link_from(1, 2, { delay = -1 }) end,
        "link_from: fault 'delay' must be a number" },
      { function() cluster:link(1, 2, { loss = 1, link = 1 }) end, "link: there are links 0 to 0" },
      { function() cluster:link(1, 2) end, "link takes a table of faults" },
      { function() cluster:settle(-1) end,
        "settle: the timeout must be a number of seconds, 0 or more, got -1" },
    }

    for _, case in ipairs(wrong) do
      it("raise at the caller's line: " .. case[2], function()
        local ok, message = pcall(case[1])
        assert.is_false(ok)
        assert.is_truthy(message:find("^spec/lab_faults_spec.lua:%d+: "), message)
        assert.is_truthy(message:find(case[2], 1, true), message)
      end)
    end
  end)
end)

describe("a lab on a kernel bridge", function()
  it("can pull cables, and says that it cannot do more", function()
    local cluster <close> = assert(lab.start({ nodes = 2, network = "bridge" }))
    local ok, message, code = cluster:isolate(1)
    assert.is_nil(ok)
    assert.matches("start the lab with network = \"switch\"", message)
    assert.same("ERR_NOT_SUPPORTED", code)
    assert(cluster[1]:unplug())
    assert(cluster:settle())
    assert.same({ 1 }, cluster:state()[1].nodes)
    assert(cluster:heal())
    assert(cluster:settle())
    assert.same({ 1, 2 }, cluster:state()[1].nodes)
  end)

  it("keeps no descriptor over faults", function()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local function round()
      assert(cluster[1]:kill())
      assert(cluster[1]:start())
      assert(cluster[2]:unplug())
      assert(cluster:heal())
    end
    round()
    assert(cluster:settle())
    collectgarbage()
    local before = support.descriptors()
    for _ = 1, 3 do round() end
    assert(cluster:settle())
    collectgarbage()
    assert.same(before, support.descriptors())
  end)
end)
