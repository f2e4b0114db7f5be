local corolua = require("corolua")
local groups = require("spec.support.groups")
local support = require("spec.support")

local MAX_ATOMIC = 1047552

-- As long as it takes on a machine that has other work.
local function dispatch(handle, condition) support.dispatch_until(handle, condition, 30) end

describe("messages of corosync.cpg", function()
  local on = groups.new()
  local open, join, leave, send = on.open, on.join, on.leave, on.send

  setup(on.start)
  teardown(on.stop)

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
        send(sender, payload)
        dispatch(sender, function()
          return #near == 1
        end)
        dispatch(receiver, function()
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
      send(handle, parts)
      send(handle, {})
      dispatch(handle, function()
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
        dispatch(handle, function()
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
          send(handles[node], node .. ":" .. i)
        end
      end
      for node = 1, 3 do
        dispatch(handles[node], function()
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
      dispatch(two, function()
        return joined[2]
      end)
      send(one, "x")
      for node, handle in ipairs({ one, two }) do
        dispatch(handle, function()
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
        return on.cluster[1]:tool("sh", "-c",
          'for i in $(seq 59); do "$0" spec/support/crowd.lua crowd & done; wait',
          support.program)
      end)
      dispatch(watcher, function()
        return ready.members and #ready.members == 60
      end)
      assert.same(60, #assert(watcher:membership_get()))
      send(watcher, "enough")
      assert.same({ status = 0, output = "" }, assert(task:wait(30)))
      dispatch(watcher, function()
        return #ready.members == 1
      end)
      leave(watcher)
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
end)
