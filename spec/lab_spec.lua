local lab = require("corolua.lab")
local lfs = require("lfs")
local quorum = require("corosync.quorum")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local sys = require("corolua.sys")
local traces = require("spec.support.traces")

local function own_network()
  local own <close> = assert(sys.namespace("net"))
  return own:inode()
end

describe("corolua.lab", function()
  describe("a cluster", function()
    local cluster

    setup(function() cluster = assert(lab.start({ nodes = 3 })) end)
    teardown(function() cluster:close() end)

    it("has one node per nodeid", function()
      assert.same(3, #cluster)
      for i = 1, 3 do assert.same(i, cluster[i].nodeid) end
      assert.is_nil(cluster[4])
    end)

    it("is one quorate ring when start returns", function()
      for _, state in ipairs(cluster:state()) do
        assert.same("running", state.status)
        assert.same({ 1, 2, 3 }, state.nodes)
        assert.is_true(state.quorate)
        assert.same(cluster:state()[1].ring, state.ring)
      end
    end)

    it("settles", function()
      assert.is_true(cluster:settle(10))
    end)

    local slips = {
      { "partiton", "a cluster", "partition", function() return cluster end },
      { "clsed", "a cluster", "closed", function() return cluster end },
      { "isrunning", "a node", "is_running", function() return cluster[1] end },
      { "psused", "a node", "paused", function() return cluster[1] end },
      { "lins", "a script", "lines", function() return assert(cluster[1]:run("-e", "")) end },
      { "waite", "a nemesis", "wait", function()
        local nemesis = cluster:nemesis({ lasting = 0.001, faults = { isolate = 1 } })
        assert(nemesis:wait())
        return nemesis
      end },
    }

    for _, slip in ipairs(slips) do
      local name, what, meant, object = table.unpack(slip)
      it(("raises on the unknown name %s of %s"):format(name, what), function()
        local of = object()
        support.raises(("%s has no '%s', did you mean '%s'%%?$"):format(what, name, meant),
          function() local _ = of[name] end)
        assert.is_nil(of[99])
      end)
    end

    it("is shown as a line per node", function()
      local line = "node %d +running +quorate +ring 1%.%x+  { 1, 2, 3 }"
      assert.matches("^" .. line .. "\n" .. line .. "\n" .. line .. "$", tostring(cluster))
    end)

    it("lets corosync's own tools see a node", function()
      local result = assert(cluster[2]:tool("corosync-quorumtool", "-s"))
      assert.same(0, result.status)
      assert.matches("Node ID: +2\n", result.output)
      assert.matches("Quorate: +Yes\n", result.output)
    end)

    it("gives the status of a tool as a shell does", function()
      assert.same(7, cluster[1]:tool("sh", "-c", "exit 7").status)
      assert.same(137, cluster[1]:tool("sh", "-c", "kill -9 $$").status)
    end)

    it("reports a tool that does not exist", function()
      local result, message, code = cluster[1]:tool("no-such-tool")
      assert.is_nil(result)
      assert.matches("no%-such%-tool is not installed", message)
      assert.same("ENOENT", code)
    end)

    it("gives the whole of a long output", function()
      local result = assert(cluster[1]:tool("head", "-c", "3000000", "/dev/zero"))
      assert.same(3000000, #result.output)
    end)

    it("ends what a tool leaves running", function()
      local result = assert(cluster[1]:tool("sh", "-c", "sleep 1000 >/dev/null & echo $!"))
      local pid = result.output:match("%d+")
      assert.is_true(traces.eventually(function() return support.is_gone(pid) end, 2))
    end)

    it("keeps a node's network to itself", function()
      local result = assert(cluster[3]:tool("ip", "-o", "addr"))
      for address in result.output:gmatch("inet6? ([%x.:]+)") do
        assert.is_truthy(address == "127.0.0.1" or address == "::1" or address == "10.77.0.3",
          address)
      end
    end)

    it("raises on words that are no strings", function()
      assert.error_matches(function() cluster[1]:tool("echo", {}) end,
        "tool takes strings, argument 2 is a table")
    end)

    describe(":enter", function()
      it("passes arguments and results", function()
        assert.same({ 1, nil, 3, n = 3 },
          table.pack(cluster[1]:enter(function(...) return ... end, 1, nil, 3)))
      end)

      it("connects to the node's corosync", function()
        local seen
        local handle = assert(cluster[2]:enter(quorum.initialize, {
          quorum = function(_, _, _, nodeids) seen = nodeids end,
        }))
        assert(handle:trackstart("changes"))
        support.dispatch_until(handle, function() return seen end)
        assert.same({ 1, 2, 3 }, seen)
        assert(handle:finalize())
      end)

      it("leaves the node's network in every case", function()
        local home = own_network()
        local problem = {}
        assert.are_not.equal(home, cluster[1]:enter(own_network))
        local _, raised = pcall(cluster[1].enter, cluster[1], function() error(problem) end)
        assert.equal(problem, raised)
        pcall(cluster[1].enter, cluster[1], function() scheduler.sleep(1) end)
        pcall(cluster[1].enter, cluster[1], coroutine.yield)
        assert.same(home, own_network())
      end)

      it("nests", function()
        local first, second = cluster[1]:enter(function()
          local inner = cluster[2]:enter(own_network)
          return own_network(), inner
        end)
        assert.same(cluster[1]:enter(own_network), first)
        assert.same(cluster[2]:enter(own_network), second)
      end)

      it("raises a sentence when the function waits", function()
        for _, wait in ipairs({ function() scheduler.sleep(1) end, coroutine.yield }) do
          local _, message = pcall(function() cluster[1]:enter(wait) end)
          assert.matches("^spec/lab_spec.lua:%d+: cluster%[1%]:enter: the function may not wait",
            message)
        end
      end)

      it("raises when it gets no function", function()
        assert.error_matches(function() cluster[1]:enter(5) end,
          "enter takes a function, got number")
      end)
    end)
  end)

  describe("start", function()
    local wrong = {
      { { nodse = 3 }, "lab.start: unknown option 'nodse', did you mean 'nodes'?" },
      { { nodes = 0 }, "'nodes' must be an integer of 1 to 64, got 0" },
      { { nodes = 65 }, "'nodes' must be an integer of 1 to 64, got 65" },
      { { nodes = 2.5 }, "'nodes' must be an integer of 1 to 64, got 2.5" },
      { { nodes = "3" }, "'nodes' must be an integer of 1 to 64, got \"3\" (a string)" },
      { { transport = "udp" }, "'transport' must be one of \"udpu\", \"knet\", got \"udp\"" },
      { { token = 10 }, "'token' must be an integer of 30" },
      { { timeout = "long" }, "'timeout' must be a number of seconds" },
      { { initial = { 1, 4 } }, "'initial' names node 4; there are nodes 1 to 3" },
      { { initial = { 1, 2, 1 } }, "'initial' names node 1 twice" },
      { { initial = { first = 1 } }, "'initial' must be a list of nodeids, as { 1, 2 }" },
      { { votes = { [4] = 1 } }, "'votes' names node 4; there are nodes 1 to 3" },
      { { votes = { [1] = 256 } }, "'votes' must be { [nodeid] = 0 to 255 }, got a table" },
      { { votes = 256 }, "'votes' must be an integer of 0 to 255, got 256" },
      { { knet_pong_count = 2 }, "'knet_pong_count' needs transport = \"knet\"" },
      { { network = "bridge", pcap = "x" }, "'pcap' needs network = \"switch\"" },
      { { port = 65536 }, "'port' must be an integer of 1 to 65535, got 65536" },
      { { timeout = 0 / 0 }, "'timeout' must be a number of seconds above 0, got" },
      { { last_man_standing_windw = 1 }, "did you mean 'last_man_standing_window'?" },
      { { transport = "knet", crypto = { hash = "sha257" } },
        "lab.start: crypto: key 'hash' must be one of \"none\"" },
      { { links = 2 }, "'links' of 2 needs transport = \"knet\"" },
      { { crypto = true }, "'crypto' needs transport = \"knet\"" },
      { { transport = "knet", crypto = { ciper = 1 } },
        "lab.start: crypto: unknown key 'ciper', did you mean 'cipher'?" },
    }

    for _, case in ipairs(wrong) do
      it("raises at the caller's line: " .. case[2], function()
        local ok, message = pcall(function() lab.start(case[1]) end)
        assert.is_false(ok)
        assert.is_truthy(message:find("^spec/lab_spec.lua:%d+: "), message)
        assert.is_truthy(message:find(case[2], 1, true), message)
      end)
    end

    it("tells what a corosync that does not start said", function()
      local cluster, message, code = lab.start({ nodes = 3, token = 30 })
      assert.is_nil(cluster)
      assert.matches("corosync on node %d ended with status %d+", message)
      assert.matches("token", message)
      assert.same("ERR_LIBRARY", code)
    end)

    it("gives up after the timeout", function()
      local cluster, message, code = lab.start({ nodes = 3, timeout = 0.01 })
      assert.is_nil(cluster)
      assert.matches("no ring of all nodes after 0.01 s\nnode 1", message)
      assert.same("ERR_TIMEOUT", code)
    end)

    it("raises outside of a task", function()
      local co = coroutine.wrap(function() lab.start() end)
      assert.error_matches(co, "lab.start waits, which a coroutine inside a task cannot")
    end)

    it("leaves the service manager of the program to the program", function()
      local pipe <close> = assert(io.popen(("NOTIFY_SOCKET=@nobody '%s' -e '%s' 2>&1"):format(
        support.program, [[
          local cluster <close> = assert(require("corolua.lab").start({ nodes = 1 }))
          local path = ("/proc/%d/environ"):format(cluster[1].daemon.pid)
          local daemon = io.lines(path, "a")():match("NOTIFY_SOCKET")
          local tool = cluster[1]:tool("printenv", "NOTIFY_SOCKET").output
          print(daemon, #tool, os.getenv("NOTIFY_SOCKET"))
        ]])))
      assert.same("nil\t0\t@nobody\n", pipe:read("a"))
    end)

    it("works for one node", function()
      local cluster <close> = assert(lab.start({ nodes = 1 }))
      assert.same({ 1 }, cluster:state()[1].nodes)
    end)

    it("works twice at the same time", function()
      local first <close> = assert(lab.start({ nodes = 2 }))
      local second <close> = assert(lab.start({ nodes = 2 }))
      assert.same({ 1, 2 }, first:state()[1].nodes)
      assert.same({ 1, 2 }, second:state()[2].nodes)
      assert.are_not.equal(first[1]:enter(own_network), second[1]:enter(own_network))
    end)
  end)

  describe("close", function()
    it("leaves nothing behind, time after time", function()
      local places, descriptors, network = traces.places(), support.descriptors(), own_network()
      for _ = 1, 5 do
        local cluster = assert(lab.start({ nodes = 2 }))
        cluster:close()
        cluster:close()
      end
      collectgarbage()
      if network == own_network() then
        assert.same(places, traces.places())
        assert.same(descriptors, support.descriptors())
      else -- an ordinary user stays in its namespaces
        for name in lfs.dir("/dev/shm") do assert.is_truthy(name:match("^%.+$"), name) end
      end
    end)

    it("raises on later calls, and says so as text", function()
      local cluster = assert(lab.start({ nodes = 1 }))
      cluster:close()
      assert.same("closed lab", tostring(cluster))
      assert.error_matches(function() cluster:settle() end, "settle: the cluster is closed")
      assert.error_matches(function() cluster[1]:enter(print) end, "enter: the cluster is closed")
      assert.error_matches(function() cluster[1]:tool("true") end, "tool: the cluster is closed")
    end)
  end)
end)
