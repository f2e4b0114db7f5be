local corolua = require("corolua")
local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local support = require("spec.support")

local MAX_ATOMIC = 1047552

describe("corosync.cpg", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local function open(node, callbacks, options)
    return assert(cluster[node]:enter(function()
      return cpg.initialize(callbacks, options)
    end))
  end

  -- A handle on a node that has seen its own JOIN; messages go into a list.
  local function join(node, group, messages)
    local joined = false
    local handle = open(node, {
      confchg = function()
        joined = true
      end,
      deliver = messages and function(_, _, payload)
        table.insert(messages, payload)
      end,
    })
    assert(handle:join(group))
    support.dispatch_until(handle, function()
      return joined
    end)
    return handle
  end

  local function leave(handle)
    assert(handle:leave())
    support.dispatch_until(handle, function()
      return handle:state() == "left"
    end)
    assert(handle:finalize())
  end

  -- A view change ends a fragmented message; then it is to be sent again.
  local function send_whole(handle, payload)
    local sent, message, code
    repeat
      sent, message, code = handle:mcast_joined(payload)
    until code ~= "ERR_INTERRUPT"
    assert(sent, message)
  end

  -- Returns once all that a handle has sent has reached the clients of its
  -- node: the call behind it empties its requests, and a message of a later
  -- place in the total order comes last.
  local function barrier(handle)
    local node = assert(handle:local_get())
    local got = {}
    local last = join(node, "barrier", got)
    assert(last:mcast_joined("last"))
    support.dispatch_until(last, function()
      return #got == 1
    end)
    leave(last)
  end

  -- Runs a script on node 1 in a process of its own, which sees the codes of
  -- the stub instead of the library's.
  local function stubbed(stub, source)
    local result = assert(cluster[1]:tool("env", "STUB=" .. stub,
      support.preload_stub(), support.program, "-e",
      "cpg = require('corosync.cpg')\n" .. source))
    assert.same(0, result.status, result.output)
    return result.output
  end

  describe("initialize", function()
    it("names an unknown callback and the nearest one", function()
      support.raises("unknown callback 'delivr', did you mean 'deliver'", function()
        cpg.initialize({ delivr = print })
      end)
    end)

    it("refuses a callback that is not a function", function()
      support.raises("callback 'deliver' must be a function, got number", function()
        cpg.initialize({ deliver = 1 })
      end)
    end)

    it("names an unknown option and the nearest one", function()
      support.raises("unknown option .* did you mean 'deliver_initial_totem_conf'", function()
        cpg.initialize({}, { deliver_initial_totem = true })
      end)
    end)

    it("refuses an option of the wrong type", function()
      support.raises("must be a boolean, got number", function()
        cpg.initialize({}, { deliver_initial_totem_conf = 1 })
      end)
    end)

    it("says ERR_LIBRARY where no daemon listens", function()
      local handle, message, code = cpg.initialize()
      assert.is_nil(handle)
      assert.matches("cpg_model_initialize: .*is it running", message)
      assert.same("ERR_LIBRARY", code)
    end)

    it("says ERR_ACCESS to a user that corosync does not know", function()
      local output = stubbed("cpg_model_initialize=11", "print(cpg.initialize())")
      assert.matches("^nil\tcpg_model_initialize: corosync denies access.*\tERR_ACCESS", output)
    end)

    it("gives the ring right after the own JOIN when asked", function()
      local order = {}
      local ring, nodeids
      local handle = open(1, {
        confchg = function(_, _, _, left, joined)
          table.insert(order, (joined[1] or left[1]).reason)
        end,
        totem_confchg = function(_, got_ring, got_nodeids)
          table.insert(order, "totem")
          ring, nodeids = got_ring, got_nodeids
        end,
      }, { deliver_initial_totem_conf = true })
      assert(handle:join("initial"))
      support.dispatch_until(handle, function()
        return ring
      end)
      assert.same({ "join", "totem" }, order)
      assert.same({ 1, 2, 3 }, nodeids)
      assert.same("integer", math.type(ring.seq))
      assert.same(1, ring.nodeid)
      leave(handle)
    end)
  end)

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

  describe(":join", function()
    local refused = {
      { "", "group name must have 1 to 127 bytes, got 0" },
      { ("x"):rep(128), "group name must have 1 to 127 bytes, got 128" },
      { "a\0b", "group name must not contain a NUL byte" },
      { 5, "group name must be a string, got number" },
      { nil, "group name must be a string, got nil" },
    }

    for _, case in ipairs(refused) do
      it("raises: " .. case[2], function()
        local handle <close> = open(1)
        support.raises(case[2], function()
          handle:join(case[1])
        end)
      end)
    end

    for _, name in ipairs({ "x", ("n"):rep(127), "größe ∑" }) do
      it("joins a name of " .. #name .. " bytes", function()
        local handle = join(1, name)
        assert.same(1, #assert(handle:membership_get(name)))
        leave(handle)
      end)
    end

    it("refuses a second join at once instead of hanging", function()
      local handle = join(1, "once")
      support.raises("has joined a group before", function()
        handle:join("other")
      end)
      leave(handle)
    end)

    it("refuses to join after leave, when libcpg would hang", function()
      local handle = join(1, "life")
      assert(handle:leave())
      support.dispatch_until(handle, function()
        return handle:state() == "left"
      end)
      support.raises("has joined a group before", function()
        handle:join("life")
      end)
      handle:finalize()
    end)

    it("says ERR_EXIST to a second handle of the same process", function()
      local first = join(1, "twice")
      local second <close> = open(1)
      assert.same("ERR_EXIST", (select(3, second:join("twice"))))
      assert.same("new", second:state())
      leave(first)
    end)

    it("counts as joined at once: what follows is delivered after the JOIN", function()
      local order = {}
      local handle = open(1, {
        confchg = function(_, _, _, left, joined)
          table.insert(order, (joined[1] or left[1]).reason)
        end,
        deliver = function(_, _, payload)
          table.insert(order, payload)
        end,
      })
      assert(handle:join("pipeline"))
      assert(handle:mcast_joined("one"))
      assert(handle:leave())
      assert.same("ERR_NOT_EXIST", (select(3, handle:mcast_joined("two"))))
      support.dispatch_until(handle, function()
        return handle:state() == "left" and handle:pending() == 0
      end)
      assert.same({ "join", "one", "leave" }, order)
      handle:finalize()
    end)
  end)

  describe(":leave", function()
    it("says ERR_NOT_EXIST before a join and after a leave", function()
      local handle = open(1)
      assert.same({ nil, "cpg_leave: the handle is not joined", "ERR_NOT_EXIST" },
        { handle:leave() })
      handle:finalize()
      handle = join(1, "leaver")
      assert(handle:leave())
      assert.same("ERR_NOT_EXIST", (select(3, handle:leave())))
      handle:finalize()
    end)

    it("delivers nothing after the own LEAVE, though the daemon goes on", function()
      local seen = {}
      local other = join(2, "sticky", seen)
      local mine = {}
      local handle = join(1, "sticky", mine)
      assert(handle:leave())
      support.dispatch_until(handle, function()
        return handle:state() == "left"
      end)
      assert(other:mcast_joined("late"))
      support.dispatch_until(other, function()
        return #seen == 1
      end)
      assert(handle:dispatch("all"))
      assert.same({}, mine)
      handle:finalize()
      leave(other)
    end)

    it("is one LEAVE for the others, and no PROCDOWN at finalize", function()
      local reasons = {}
      local watcher = open(2, {
        confchg = function(_, _, _, left)
          for _, change in ipairs(left) do
            table.insert(reasons, change.reason)
          end
        end,
      })
      assert(watcher:join("reasons"))
      leave(join(1, "reasons"))
      join(1, "reasons"):finalize()
      support.dispatch_until(watcher, function()
        return #reasons == 2
      end)
      assert.same({ "leave", "procdown" }, reasons)
      leave(watcher)
    end)
  end)

  describe(":mcast_joined", function()
    it("says ERR_NOT_EXIST before join, where the library says OK", function()
      local handle <close> = open(1)
      assert.same("ERR_NOT_EXIST", (select(3, handle:mcast_joined("x"))))
    end)

    local payloads = {
      ["with NUL bytes"] = "a\0b\0",
      ["that is empty"] = "",
      ["of one byte"] = "\255",
      ["of the largest atomic size"] = ("a"):rep(MAX_ATOMIC),
      ["one byte larger"] = ("b"):rep(MAX_ATOMIC + 1),
      ["of 15 MB"] = ("0123456789abcde"):rep(1000000),
    }

    for what, payload in pairs(payloads) do
      it("carries a payload " .. what .. " to every member", function()
        local near, far = {}, {}
        local sender, receiver = join(1, "payload", near), join(2, "payload", far)
        send_whole(sender, payload)
        support.dispatch_until(sender, function()
          return #near == 1
        end)
        support.dispatch_until(receiver, function()
          return #far == 1
        end)
        assert.is_true(near[1] == payload and far[1] == payload)
        leave(sender)
        leave(receiver)
      end)
    end

    it("sends an array of strings as one message, also of more than 64", function()
      local got = {}
      local handle = join(1, "array", got)
      local parts = {}
      for i = 1, 200 do
        parts[i] = tostring(i)
      end
      assert(handle:mcast_joined(parts))
      assert(handle:mcast_joined({}))
      support.dispatch_until(handle, function()
        return #got == 2
      end)
      assert.same({ table.concat(parts), "" }, got)
      leave(handle)
    end)

    for _, guarantee in ipairs({ "unordered", "fifo", "agreed", "safe" }) do
      it("takes the guarantee " .. guarantee, function()
        local got = {}
        local handle = join(1, "guarantee", got)
        assert(handle:mcast_joined("x", guarantee))
        support.dispatch_until(handle, function()
          return #got == 1
        end)
        leave(handle)
      end)
    end

    local refused = {
      { { 5 }, "payload must be a string or an array of strings, got number" },
      { { { "a", 5 } }, "payload%[2%] must be a string, got number" },
      { { "a", "total" }, "guarantee must be one of .*\"agreed\".*, got total" },
    }

    for _, case in ipairs(refused) do
      it("raises: " .. case[2], function()
        local handle <close> = open(1)
        support.raises(case[2], function()
          handle:mcast_joined(table.unpack(case[1]))
        end)
      end)
    end

    it("gives all members one order", function()
      local orders, handles = {}, {}
      for node = 1, 3 do
        orders[node] = {}
        handles[node] = join(node, "order", orders[node])
      end
      for i = 1, 50 do
        for node = 1, 3 do
          assert(handles[node]:mcast_joined(node .. ":" .. i))
        end
      end
      for node = 1, 3 do
        support.dispatch_until(handles[node], function()
          return #orders[node] == 150
        end)
      end
      assert.same(orders[1], orders[2])
      assert.same(orders[1], orders[3])
      for node = 1, 3 do
        leave(handles[node])
      end
    end)
  end)

  describe("members", function()
    it("are one read-only object per process, shared by all handles", function()
      local from, joined = {}, {}
      local function callbacks(node)
        return {
          confchg = function()
            joined[node] = true
          end,
          deliver = function(_, _, _, member)
            from[node] = member
          end,
        }
      end
      local one, two = open(1, callbacks(1)), open(2, callbacks(2))
      assert(one:join("interned"))
      assert(two:join("interned"))
      support.dispatch_until(two, function()
        return joined[2]
      end)
      assert(one:mcast_joined("x"))
      for node, handle in ipairs({ one, two }) do
        support.dispatch_until(handle, function()
          return from[node]
        end)
      end
      assert.is_true(rawequal(from[1], from[2]))
      assert.same(1, from[1].nodeid)
      assert.same("1/" .. from[1].pid, tostring(from[1]))
      assert.is_nil(from[1].name)
      support.raises("a member is read%-only", function()
        from[1].nodeid = 2
      end)
      assert.is_true(rawequal(from[1], assert(one:membership_get())[1]))
      leave(one)
      leave(two)
    end)

    it("hold 60 processes of one group", function()
      local ready = {}
      local watcher = open(2, {
        confchg = function(_, _, members)
          ready.members = members
        end,
      })
      assert(watcher:join("crowd"))
      local task = corolua.spawn(function()
        return cluster[1]:tool("sh", "-c",
          'for i in $(seq 59); do "$0" spec/support/crowd.lua crowd & done; wait',
          support.program)
      end)
      support.dispatch_until(watcher, function()
        return ready.members and #ready.members == 60
      end, 30)
      assert.same(60, #assert(watcher:membership_get()))
      assert(watcher:mcast_joined("enough"))
      assert.same({ status = 0, output = "" }, assert(task:wait(30)))
      support.dispatch_until(watcher, function()
        return #ready.members == 1
      end, 30)
      leave(watcher)
    end)
  end)

  describe(":dispatch", function()
    it("refuses an unknown mode, where libcpg would block for ever", function()
      local handle <close> = open(1)
      local modes = '"one", "all", "blocking", "one_nonblocking"'
      support.raises("mode must be one of " .. modes .. ", got some", function()
        handle:dispatch("some")
      end)
    end)

    it("says ERR_TRY_AGAIN for one_nonblocking where there is nothing", function()
      local handle <close> = open(1)
      assert.same({ nil, "cpg_dispatch: try again", "ERR_TRY_AGAIN" },
        { handle:dispatch("one_nonblocking") })
    end)

    it("returns true, false for all where there is nothing", function()
      local handle <close> = open(1)
      assert.same({ true, false }, { handle:dispatch("all") })
    end)

    it("takes exactly one event for one", function()
      local got = {}
      local handle = join(1, "single", got)
      for i = 1, 3 do
        assert(handle:mcast_joined(tostring(i)))
      end
      assert(handle:dispatch("one"))
      assert.same({ "1" }, got)
      leave(handle)
    end)

    it("stops after 256 events and says that there are more", function()
      local got = {}
      local handle = join(1, "budget", got)
      for i = 1, 400 do
        assert(handle:mcast_joined(tostring(i)))
      end
      barrier(handle)
      local _, more = assert(handle:dispatch("all"))
      assert.is_true(#got > 0 and #got <= 256)
      assert.is_true(more)
      support.dispatch_until(handle, function()
        return #got == 400
      end)
      leave(handle)
    end)

    it("ends with the error of a handler; the events behind it come next time", function()
      local got = {}
      local handle = open(1, {
        deliver = function(_, _, payload)
          if payload == "bad" then
            error({ payload })
          end
          table.insert(got, payload)
        end,
      })
      assert(handle:join("raise"))
      for _, payload in ipairs({ "a", "bad", "b", "c" }) do
        assert(handle:mcast_joined(payload))
      end
      barrier(handle)
      local ok, raised = pcall(handle.dispatch, handle, "all")
      assert.is_false(ok)
      assert.same({ "bad" }, raised)
      assert.same({ "a" }, got)
      assert.same(2, handle:pending())
      assert(handle:dispatch("one"))
      assert.same({ "a", "b" }, got)
      assert(handle:dispatch("all"))
      assert.same({ "a", "b", "c" }, got)
      assert.same(0, handle:pending())
      leave(handle)
    end)

    it("may be called by a handler, which then sees the next events in order", function()
      local got = {}
      local handle
      handle = open(1, {
        deliver = function(_, _, payload)
          table.insert(got, payload)
          if payload == "1" then
            assert(handle:dispatch("one"))
            assert(handle:dispatch("one"))
            table.insert(got, "end of 1")
          end
        end,
      })
      assert(handle:join("nested"))
      for i = 1, 4 do
        assert(handle:mcast_joined(tostring(i)))
      end
      support.dispatch_until(handle, function()
        return #got == 5
      end)
      assert.same({ "1", "2", "3", "end of 1", "4" }, got)
      leave(handle)
    end)

    it("ends quietly when a handler finalizes its own handle", function()
      local calls = 0
      local handle
      handle = open(1, {
        deliver = function()
          calls = calls + 1
          handle:finalize()
        end,
      })
      assert(handle:join("suicide"))
      assert(handle:mcast_joined("a"))
      assert(handle:mcast_joined("b"))
      assert.is_true(handle:dispatch("blocking"))
      assert.same(1, calls)
      support.raises("the corosync.cpg handle is closed", function()
        handle:dispatch("all")
      end)
    end)

    it("lets a handler open, join and close another handle", function()
      local inner = 0
      local handle = open(1, {
        deliver = support.counted(function()
          local other = open(1)
          assert(other:join("other"))
          assert(other:finalize())
          inner = inner + 1
        end),
      })
      assert(handle:join("opener"))
      assert(handle:mcast_joined("x"))
      support.dispatch_until(handle, function()
        return inner == 1
      end)
      leave(handle)
    end)

    it("lets a handler leave its own group", function()
      local handle
      handle = open(1, {
        deliver = function()
          assert(handle:leave())
        end,
      })
      assert(handle:join("leave inside"))
      assert(handle:mcast_joined("x"))
      support.dispatch_until(handle, function()
        return handle:state() == "left"
      end)
      handle:finalize()
    end)
  end)

  describe(":finalize", function()
    it("may be repeated, and closes the handle for every other call", function()
      local handle = open(1)
      assert.is_true(handle:finalize())
      assert.is_true(handle:finalize())
      for _, method in ipairs({ "join", "leave", "mcast_joined", "dispatch", "pending", "fd_get",
        "local_get", "membership_get", "iterate", "max_atomic_msgsize_get",
        "flow_control_state_get", "state" }) do
        support.raises("the corosync.cpg handle is closed", function()
          handle[method](handle, "x")
        end)
      end
      assert.matches("closed", tostring(handle))
    end)

    it("is done by the collector for a handle that nobody refers to", function()
      local left
      local watcher = open(2, {
        confchg = function(_, _, _, gone)
          left = gone[1] and gone[1].reason or left
        end,
      })
      assert(watcher:join("collected"))
      join(1, "collected")
      collectgarbage()
      collectgarbage()
      support.dispatch_until(watcher, function()
        return left
      end)
      assert.same("procdown", left)
      leave(watcher)
    end)

    it("gives back all descriptors in 1,000 cycles", function()
      local before = support.descriptors()
      for _ = 1, 1000 do
        open(1):finalize()
      end
      assert.same(before, support.descriptors())
    end)
  end)

  describe(":iterate", function()
    it("lists groups and members, and ends by itself", function()
      local one, two = join(1, "listed"), join(2, "listed")
      support.dispatch_until(one, function()
        return #assert(one:membership_get("listed")) == 2
      end)
      local members = {}
      for entry in assert(one:iterate("one_group", "listed")) do
        assert.same("listed", entry.group)
        members[entry.member.nodeid] = true
      end
      assert.same({ true, true }, members)
      local groups = {}
      for entry in one:iterate("name_only") do
        assert.is_nil(entry.member)
        groups[entry.group] = true
      end
      assert.is_true(groups.listed)
      local all = 0
      for entry in one:iterate("all") do
        all = all + (entry.group == "listed" and 1 or 0)
      end
      assert.same(2, all)
      for _ in one:iterate("one_group", "nobody") do
        error("an unknown group has no members")
      end
      leave(one)
      leave(two)
    end)

    it("raises on an unknown kind", function()
      local handle <close> = open(1)
      local kinds = '"name_only", "one_group", "all"'
      support.raises("kind must be one of " .. kinds .. ", got every", function()
        handle:iterate("every")
      end)
    end)
  end)

  describe("limits", function()
    it("are read from the daemon", function()
      local handle <close> = open(1)
      assert.same(MAX_ATOMIC, handle:max_atomic_msgsize_get())
      assert.same(1, handle:local_get())
      assert.same("disabled", handle:flow_control_state_get())
      assert.same({}, handle:membership_get("nobody is here"))
    end)

    it("hold 200 connections of one process", function()
      local handles = {}
      for i = 1, 200 do
        handles[i] = open(1)
      end
      for i = 1, 200 do
        assert.is_true(handles[i]:finalize())
      end
    end)
  end)

  describe("a daemon", function()
    -- An ordinary user's lab knows one user only; there the stub has shown it.
    local function is_real_root()
      local file <close> = assert(io.open("/proc/self/uid_map"))
      return file:read("a"):match("^%s*0%s+0%s+4294967295") ~= nil
    end

    it("that does not know the user says ERR_ACCESS, or the user is the daemon's", function()
      local command = is_real_root() and { "setpriv", "--reuid=65534", "--regid=65534",
        "--clear-groups" } or { "env" }
      table.move({ support.program, "-e",
        "print((select(3, require('corosync.cpg').initialize())))" }, 1, 3, #command + 1, command)
      local result = assert(cluster[1]:tool(table.unpack(command)))
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
      local pid = cluster[2].daemon.pid
      local function limit(count)
        local result = assert(cluster[2]:tool("prlimit", "--pid=" .. pid, "--nofile=" .. count))
        assert.same(0, result.status, result.output)
      end
      limit("100:")
      local code
      repeat
        local handle, _, problem = cluster[2]:enter(cpg.initialize)
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
      local pid = cluster[1].daemon.pid
      local task = corolua.spawn(function()
        return cluster[1]:tool("sh", "-c",
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
      assert(cluster[3]:kill())
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
      assert(cluster[3]:start())
      assert(cluster:settle(10))
    end)
  end)
end)
