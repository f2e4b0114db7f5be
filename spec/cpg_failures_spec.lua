local corolua = require("corolua")
local cpg = require("corosync.cpg")
local groups = require("spec.support.groups")
local support = require("spec.support")

describe("failures of corosync.cpg", function()
  local on = groups.new()
  local open, join, leave, stubbed = on.open, on.join, on.leave, on.stubbed

  setup(on.start)
  teardown(on.stop)

  -- SEMANTICS: every code the library may give becomes a value.
  describe("failures", function()
    local codes = {
      [2] = "ERR_LIBRARY", [3] = "ERR_VERSION", [4] = "ERR_INIT", [5] = "ERR_TIMEOUT",
      [6] = "ERR_TRY_AGAIN", [7] = "ERR_INVALID_PARAM", [8] = "ERR_NO_MEMORY",
      [9] = "ERR_BAD_HANDLE", [10] = "ERR_BUSY", [11] = "ERR_ACCESS", [12] = "ERR_NOT_EXIST",
      [13] = "ERR_NAME_TOO_LONG", [14] = "ERR_EXIST", [15] = "ERR_NO_SPACE",
      [16] = "ERR_INTERRUPT", [17] = "ERR_NAME_NOT_FOUND", [18] = "ERR_NO_RESOURCES",
      [19] = "ERR_NOT_SUPPORTED", [20] = "ERR_BAD_OPERATION", [21] = "ERR_FAILED_OPERATION",
      [22] = "ERR_MESSAGE_ERROR", [23] = "ERR_QUEUE_FULL", [24] = "ERR_QUEUE_NOT_AVAILABLE",
      [25] = "ERR_BAD_FLAGS", [26] = "ERR_TOO_BIG", [27] = "ERR_NO_SECTIONS",
      [28] = "ERR_CONTEXT_NOT_FOUND", [30] = "ERR_TOO_MANY_GROUPS", [42] = "ERR_42",
      [100] = "ERR_SECURITY",
    }

    for number, code in pairs(codes) do
      it("turns code " .. number .. " into " .. code, function()
        local output = stubbed("cpg_model_initialize=" .. number,
          "print((select(3, cpg.initialize())))")
        assert.same(code .. "\n", output)
      end)
    end

    local calls = {
      cpg_join = "handle:join('g')",
      cpg_leave = "(handle:join('g') and handle):leave()",
      cpg_mcast_joined = "(handle:join('g') and handle):mcast_joined('x')",
      cpg_membership_get = "handle:membership_get('g')",
      cpg_local_get = "handle:local_get()",
      cpg_fd_get = "handle:fd_get()",
      cpg_dispatch = "handle:dispatch('all')",
      cpg_finalize = "handle:finalize()",
      cpg_iteration_next = "handle:iterate('all')",
    }

    for call, expression in pairs(calls) do
      it("gives nil, message, code when " .. call .. " fails", function()
        local output = stubbed(call .. "=16",
          "local handle = assert(cpg.initialize()) print(" .. expression .. ")")
        assert.same("nil\t" .. call .. ": interrupted\tERR_INTERRUPT\n", output)
      end)
    end

    it("keeps a handle joined whose leave failed", function()
      local output = stubbed("cpg_leave=6", [[
        local handle = assert(cpg.initialize())
        assert(handle:join("g"))
        print((select(3, handle:leave())), handle:state(), handle:mcast_joined("x"))]])
      assert.same("ERR_TRY_AGAIN\tjoined\ttrue\n", output)
    end)
  end)

  describe("a daemon", function()
    -- An ordinary user's lab knows one user only; there the stub has shown it.
    local function is_real_root()
      local file <close> = assert(io.open("/proc/self/uid_map"))
      return file:read("a"):match("^%s*0%s+0%s+4294967295") ~= nil
    end

    it("that does not know the user says ERR_ACCESS, or the user is the daemon's", function()
      -- The program may stand where that user cannot read.
      local copy = os.tmpname()
      finally(function() os.execute("rm -rf " .. copy) end)
      assert(os.execute(("rm %s && mkdir -m 755 %s && cd '%s' && cp -rL corolua lib lua %s")
        :format(copy, copy, support.program:match("^(.*)/"), copy)))
      local command = is_real_root() and { "setpriv", "--reuid=65534", "--regid=65534",
        "--clear-groups" } or { "env" }
      table.move({ copy .. "/corolua", "-e",
        "print((select(3, require('corosync.cpg').initialize())))" }, 1, 3, #command + 1, command)
      local result = assert(on.cluster[1]:tool(table.unpack(command)))
      assert.same({ status = 0, output = is_real_root() and "ERR_ACCESS\n" or "nil\n" }, result)
    end)

    it("asks to try again while the last life of a member goes round", function()
      join(1, "again"):finalize()
      local handle = open(1)
      local codes = {}
      support.eventually(function()
        local joined, _, code = handle:join("again")
        codes[code or "joined"] = true
        return joined
      end)
      codes.ERR_TRY_AGAIN = nil
      assert.same({ joined = true }, codes)
      leave(handle)
    end)

    it("that has no descriptors left refuses, and goes on with the others", function()
      local handles = {}
      local pid = on.cluster[2].daemon.pid
      local function limit(count)
        local result = assert(on.cluster[2]:tool("prlimit", "--pid=" .. pid, "--nofile=" .. count))
        assert.same(0, result.status, result.output)
      end
      limit("100:")
      local code
      repeat
        local handle, _, problem = on.cluster[2]:enter(cpg.initialize)
        table.insert(handles, handle)
        code = problem
      until not handle or #handles == 100
      limit("1024:")
      assert.same("ERR_LIBRARY", code)
      assert.is_true(#handles > 0)
      assert.is_true(handles[1]:join("few descriptors"))
      for _, handle in ipairs(handles) do
        handle:finalize()
      end
      open(2):finalize()
    end)

    it("that is stopped makes a call wait, not fail", function()
      local handle = join(1, "stopped")
      local pid = on.cluster[1].daemon.pid
      local task = corolua.spawn(function()
        return on.cluster[1]:tool("sh", "-c",
          "kill -STOP $0 && echo stopped && sleep 0.2 && kill -CONT $0", tostring(pid))
      end)
      local function is_stopped()
        local status <close> = assert(io.open("/proc/" .. pid .. "/status"))
        return status:read("a"):match("State:%s+T") ~= nil
      end
      support.eventually(is_stopped)
      assert.same(1, handle:local_get())
      assert.is_false(is_stopped())
      assert(task:wait(5))
      leave(handle)
    end)
  end)

  describe("a daemon that dies", function()
    it("answers every call with ERR_LIBRARY at once, and finalize with true", function()
      local handle = join(3, "death")
      assert(on.cluster[3]:kill())
      assert(support.readable(assert(handle:fd_get()), 5))
      local started = corolua.now()
      local calls = {
        function() return handle:mcast_joined("x") end,
        function() return handle:dispatch("all") end,
        function() return handle:dispatch("one") end,
        function() return handle:dispatch("blocking") end,
        function() return handle:dispatch("one_nonblocking") end,
        function() return handle:local_get() end,
        function() return handle:membership_get() end,
        function() return handle:iterate("all") end,
        function() return handle:leave() end,
      }
      for _, call in ipairs(calls) do
        assert.same("ERR_LIBRARY", (select(3, call())))
      end
      assert.is_true(handle:finalize())
      assert.is_true(corolua.now() - started < 1)
      assert(on.cluster[3]:start())
      assert(on.cluster:settle(10))
    end)
  end)
end)
