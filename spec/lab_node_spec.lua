local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")
local sys = require("corolua.sys")
local thin_handles = require("corolua.lab.thin_handles")
local traces = require("spec.support.traces")

describe("a node of a lab", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 2 })) end)
  teardown(function() cluster:close() end)

  it("opens thin handles on its corosync", function()
    local got
    local handle = assert(cluster[2]:thin("cpg", {
      confchg = function(_, _, members) got = members end,
    }))
    assert(handle:join("demo"))
    support.dispatch_until(handle, function() return got end)
    assert.same(2, got[1].nodeid)
    assert(handle:finalize())
    local votes <close> = assert(cluster[1]:thin("votequorum", {}))
    assert.same(1, votes:getinfo(0).node_id)
    local cfg <close> = assert(cluster[2]:thin("cfg", {}))
    assert.same(2, (cfg:local_get()))
    local cmap <close> = assert(cluster[1]:thin("cmap"))
    assert.same("lab", (cmap:get("totem.cluster_name")))
    local quorum <close> = assert(cluster[1]:thin("quorum", {}))
    assert.is_true(quorum:getquorate())
  end)

  it("raises what is wrong with a handle at the caller's line", function()
    local ok, message = pcall(function()
      local _ = cluster[1]:thin("cpg", { delvier = print })
    end)
    assert.is_false(ok)
    assert.matches("^spec/lab_node_spec.lua:%d+: bad argument #2 to 'thin' %(.*'deliver'", message)
  end)

  it("closes its thin handles in the order they were opened", function()
    local node, closed, expected = { cluster = {}, obstacle = function() end }, {}, {}
    local handles = {}
    thin_handles.begin(node)
    for number = 1, 20 do
      local handle = { finalize = function() closed[#closed + 1] = number end }
      function node.enter() return handle end
      handles[number], expected[number] = thin_handles.methods.thin(node, "cpg"), number
    end
    thin_handles.close(node)
    assert.same(expected, closed)
    thin_handles.close(node)
    assert.same(expected, closed)
    assert.same(20, #handles)
  end)

  it("knows its quorum from events", function()
    local state = cluster[1]:quorum()
    assert.is_true(state.quorate)
    assert.same({ 1, 2 }, state.nodes)
    assert.same(1, state.ring.nodeid)
  end)

  describe(":run", function()
    it("runs a script that is a member there, and gives its lines", function()
      local script = assert(cluster[2]:run("-e", [[
        local votes = assert(require("corosync.votequorum").initialize({}))
        print("node", votes:getinfo(0).node_id)
        io.write("no newline")
      ]]))
      local lines = {}
      for line in script:lines() do lines[#lines + 1] = line end
      assert.same({ "node\t2", "no newline" }, lines)
      assert.same(0, script:wait(5))
    end)

    it("gives exit status and errors", function()
      local script = assert(cluster[1]:run("-e", "error('on purpose')"))
      assert.same(1, script:wait(10))
      assert.matches("on purpose", (script:next(1)))
    end)

    it("calls handlers, one after the other", function()
      local seen = {}
      local script = assert(cluster[1]:run("-e", "for i = 1, 3 do print(i) end os.exit(4)"))
      script.on.line = function(line)
        corolua.sleep(0.01)
        seen[#seen + 1] = line
      end
      script.on.exit = function(status) seen[#seen + 1] = status end
      assert(corolua.wait(function() return #seen == 4 end, 10))
      assert.same({ "1", "2", "3", 4 }, seen)
    end)

    it("can be killed, with its children", function()
      local script = assert(cluster[1]:run("-e", [[
        os.execute("sleep 1000 & echo $!")
        require("corolua").sleep(1000)
      ]]))
      local child = assert(script:next(10))
      local _, _, code = script:wait(0.01)
      assert.same("ERR_TIMEOUT", code)
      assert(script:kill())
      assert.same(137, script:wait(5))
      assert.is_true(traces.eventually(function() return support.is_gone(child) end, 2))
      local ok
      ok, _, code = script:kill()
      assert.is_nil(ok)
      assert.same("ESRCH", code)
    end)

    it("raises on an unknown signal at the caller's line", function()
      local script = assert(cluster[1]:run("-e", ""))
      support.raises("kill: signal must be one of .*\"STOP\".*, got SIGSTOP$", function()
        local _ = script:kill("SIGSTOP")
      end)
      script:wait(5)
      assert.same(("script of process %d, which has ended"):format(script.pid), tostring(script))
    end)

    it("raises on an unknown event", function()
      local script = assert(cluster[1]:run("-e", ""))
      assert.error_matches(function() script.on.lien = print end, "unknown event 'lien'")
      script:wait(5)
    end)
  end)
end)

describe("a program that the script runs", function()
  it("is on no node, and runs before, beside and after a lab", function()
    local function networks() return assert(corolua.exec("cat", { "/proc/net/dev" })).output end
    assert.equal("x\n", assert(corolua.exec("echo", { "x" })).output)
    do
      local cluster <close> = assert(lab.start({ nodes = 1 }))
      local on_node = assert(cluster[1]:tool("cat", "/proc/net/dev")).output
      assert.not_equal((on_node:gsub("%d+", "")), (networks():gsub("%d+", "")))
    end
    assert.equal("x\n", assert(corolua.exec("echo", { "x" })).output)
  end)
end)

describe("a script that is busy", function()
  it("does not stall the cluster: the switch is a process of its own", function()
    local cluster <close> = assert(lab.start({ nodes = 2, token = 1000 }))
    local before, stop = tostring(cluster), corolua.now() + 2.5
    while corolua.now() < stop do end
    assert(cluster:settle())
    assert.same(before, tostring(cluster))
  end)
end)

describe("closing a cluster", function()
  it("closes the handles on its nodes, one on a paused corosync included", function()
    local cluster = assert(lab.start({ nodes = 2 }))
    local called = {}
    local first = assert(cluster[1]:thin("cpg", {}))
    local second = assert(cluster[2]:thin("cpg", {}))
    cluster[1]:at_close(function() called[#called + 1] = "kept" end)
    cluster[1]:at_close(function() called[#called + 1] = "cancelled" end):cancel()
    local before = sys.handles()
    assert(cluster[2]:pause())
    cluster:close()
    assert.same({ "kept" }, called)
    assert.error_matches(function() first:pending() end, "closed")
    assert.error_matches(function() second:pending() end, "closed")
    assert.is_true(sys.handles() < before)
  end)

  it("ends scripts and tools that still run", function()
    local cluster = assert(lab.start({ nodes = 1 }))
    local script = assert(cluster[1]:run("-e", "print('up') require('corolua').sleep(1000)"))
    local task = corolua.spawn(function() return cluster[1]:tool("sleep", "1000") end)
    assert.same("up", script:next(10))
    cluster:close()
    assert.same(137, script:wait(1))
    assert.same(137, task:wait(1).status)
  end)
end)
