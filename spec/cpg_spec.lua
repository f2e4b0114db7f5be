local cpg = require("corosync.cpg")
local groups = require("spec.support.groups")
local support = require("spec.support")

describe("corosync.cpg", function()
  local on = groups.new()
  local open, join, leave, barrier, stubbed = on.open, on.join, on.leave, on.barrier, on.stubbed

  setup(on.start)
  teardown(on.stop)

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
      local names = {}
      for entry in one:iterate("name_only") do
        assert.is_nil(entry.member)
        names[entry.group] = true
      end
      assert.is_true(names.listed)
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
end)
