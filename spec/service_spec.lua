-- Not sanitized: Lua above groups, whose specs reach the same C.
-- corolua.service: what the services over groups are made of.
local corolua = require("corolua")
local lab = require("corolua.lab")
local service = require("corolua.service")
local support = require("spec.support")

describe("service", function()
  describe(".group", function()
    local NEEDED = { packed = true, fragment = true, quorum = true }

    it("makes a group of a name, in the form it needs", function()
      local room = service.group("chat", "replica.open", NEEDED, { group = { window = 8 } }, 1)
      assert.same({ "chat", true, 8 }, { room.name, room.is_packed, room.window_size })
    end)

    it("says all that is wrong with a group that was made before", function()
      local room = corolua.group("chat", { codec = "json", quorum = "ignore" })
      function room.on.message() end
      function room.on.down() end
      assert.has_error(function()
        service.group(room, "replica.open", NEEDED, { group = {} }, 0)
      end, "replica.open: group 'chat' must have no handler of 'down', must have no handler of "
        .. "'message', must have packed = true, must have fragment = true, "
        .. 'must have quorum = "required", goes without the option \'group\'')
    end)
  end)

  describe(".join", function()
    it("says at the line given what it is that cannot join, and has it undone", function()
      local cluster <close> = assert(lab.start({ nodes = 1 }))
      local room <close> = cluster[1]:group("chat")
      local undone = 0
      local function undo() undone = undone + 1 end
      assert.is_true(service.join(room, "rpc.open", 10, 1, undo))
      assert.has_error(function()
        service.join(cluster[1]:group("chat"), "rpc.open", 10, 0, undo)
      end, "rpc.open: group 'chat' is joined already on this node by this program")
      assert.equal(1, undone)
    end)
  end)

  describe(".events", function()
    it("calls handlers in order, once the script waits after begin", function()
      local heard = {}
      corolua.run(function()
        local events = service.events("test", { "one", "two" })
        function events.on.one(value)
          corolua.sleep(0.01)
          heard[#heard + 1] = value
        end
        function events.on.two(value) heard[#heard + 1] = value end
        events:tell("one", "a")
        corolua.sleep(0)
        events:begin()
        events:tell("two", "b")
        assert.same({}, heard)
        assert.is_true(corolua.wait(function() return #heard == 2 end, 1))
      end)
      assert.same({ "a", "b" }, heard)
    end)

    it("keeps at most 1 MiB of what others can have told, for a slow handler", function()
      corolua.run(function()
        local events = service.events("test", { "one", "two" })
        local bytes, heard, is_open = ("x"):rep(100000), 0, false
        function events.on.one()
          corolua.wait(function() return is_open end, 5)
          heard = heard + 1
        end
        events:begin()
        for _ = 1, 30 do events:offer(#bytes, "one", bytes) end
        for _ = 1, 30 do events:offer(#bytes, "two", bytes) end
        corolua.sleep(0)
        is_open = true
        assert.is_true(corolua.wait(function() return heard == 10 end, 5))
        corolua.sleep(0)
        assert.equal(10, heard)
        for _ = 1, 3 do events:offer(#bytes, "one", bytes) end
        assert.is_true(corolua.wait(function() return heard == 13 end, 5))
        events:offer(1 << 30, "one", "long")
        assert.is_true(corolua.wait(function() return heard == 14 end, 5))
      end)
    end)

    it("skips what has no handler, and goes on later", function()
      corolua.run(function()
        local events = service.events("test", { "one", "two" })
        local count = 0
        function events.on.two() count = count + 1 end
        events:begin()
        for _ = 1, 3 do
          events:tell("one")
          events:tell("two")
          corolua.sleep(0)
        end
        assert.is_true(corolua.wait(function() return count == 3 end, 1))
      end)
    end)

    it("names the nearest event", function()
      local events = service.events("test", { "elected" })
      assert.has_error(function() events.on.electd = print end,
        "unknown event 'electd', did you mean 'elected'?")
    end)

    it("goes on with the next event where on.error says so", function()
      local heard, told = {}, nil
      function corolua.on.error(message, source, event)
        told = { message, source, event }
        return true
      end
      local events = service.events("election 'lock'", { "elected" })
      function events.on.elected(value)
        if value == 1 then error("no") end
        heard[#heard + 1] = value
      end
      events:begin()
      events:tell("elected", 1)
      events:tell("elected", 2)
      support.comes(function() return #heard == 1 end)
      corolua.on.error = nil
      assert.same({ 2 }, heard)
      assert.matches("election 'lock', handler of 'elected': .*no", told[1])
      assert.same({ "election 'lock'", "elected" }, { told[2], told[3] })
    end)

    describe("of a member of a group", function()
      local cluster

      setup(function() cluster = assert(lab.start({ nodes = 2 })) end)
      teardown(function() cluster:close() end)

      local open = {
        rpc = function(room) return require("corolua.rpc").open(room) end,
        election = function(room) return require("corolua.election").open(room) end,
        replica = function(room)
          local options = { initial = {}, apply = function() end }
          return require("corolua.replica").open(room, options)
        end,
      }

      for _, kind in ipairs({ "rpc", "election", "replica" }) do
        it("are its own, as on.error is told: " .. kind, function()
          local options = kind == "replica" and { packed = true, fragment = true } or nil
          local made, told = assert(open[kind](cluster[1]:group(kind, options))), nil
          function made.on.malformed() error("no") end
          function corolua.on.error(message, source, event)
            told = { message, source, event }
            return true
          end
          local stranger = assert(cluster[2]:thin("cpg"))
          assert(stranger:join(kind))
          assert(stranger:mcast_joined("what is this"))
          support.comes(function() return told end)
          corolua.on.error = nil
          stranger:finalize()
          assert.matches(kind .. " .*, handler of 'malformed': .*no", told[1])
          assert.equal(made, told[2])
          assert.equal("malformed", told[3])
        end)
      end
    end)

    it("ends the program with an error of a handler", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write([[
        local corolua = require("corolua")
        local events = require("corolua.service").events("election 'lock'", { "elected" })
        function events.on.elected() error("no") end
        events:begin()
        events:tell("elected")
        corolua.sleep(5)
      ]])
      file:close()
      local pipe <close> = assert(io.popen(
        ("timeout 20 '%s' '%s' 2>&1"):format(support.program, path)))
      local output = pipe:read("a")
      os.remove(path)
      assert.matches("election 'lock', handler of 'elected': .*no", output)
    end)
  end)
end)
