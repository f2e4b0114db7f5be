local corolua = require("corolua")
local lab = require("corolua.lab")

-- Waits until the condition holds.
local eventually = require("spec.support").comes

describe("corolua.group", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local function reasons(changes)
    local list = {}
    for i, change in ipairs(changes) do
      list[i] = tostring(change.member):match("^%d+") .. ":" .. change.reason
    end
    return table.concat(list, " ")
  end

  -- Three members of one group, one on each node, with what they were told.
  local function members(name, options)
    local rooms = { told = { {}, {}, {} } }
    for i = 1, 3 do
      rooms[i] = cluster[i]:group(name, options)
      rooms[i].on.message = function(payload, from)
        table.insert(rooms.told[i], tostring(from):match("^%d+") .. ":" .. payload)
      end
      assert(rooms[i]:join())
    end
    eventually(function()
      return #rooms[1].members + #rooms[2].members + #rooms[3].members == 9
    end)
    return rooms
  end

  local function leave(rooms)
    for _, room in ipairs(rooms) do
      assert(room:leave())
    end
  end

  describe(":join", function()
    it("returns once the own join and the quorum state have been handled", function()
      local room <close> = cluster[1]:group("join")
      local told = {}
      function room.on.members(view)
        table.insert(told, reasons(view.joined) .. (view.quorate and " quorate" or ""))
      end
      function room.on.quorum(state)
        table.insert(told, state.quorate and state.changed and #state.nodes)
      end
      assert.is_true(room:join())
      assert.same({ "1:join quorate", 3 }, told)
      assert.equal(room.me, room.members[1])
      assert.equal(1, room.me.nodeid)
    end)

    it("raises when the name is joined on the node already", function()
      local room <close> = cluster[1]:group("twice")
      assert(room:join())
      local other = cluster[1]:group("twice")
      local _, problem = pcall(function() other:join() end)
      assert.equal("spec/group_spec.lua:" .. debug.getinfo(1, "l").currentline - 1
        .. ": group 'twice' is joined already on this node by this program", problem)
      local elsewhere <close> = cluster[2]:group("twice")
      assert.is_true(elsewhere:join())
    end)

    it("joins again after leaving", function()
      local room = cluster[1]:group("again")
      for _ = 1, 3 do
        assert(room:join())
        assert.equal(1, #room.members)
        assert(room:leave())
      end
    end)

    it("says no daemon at once where there is none", function()
      local room = corolua.group("nowhere")
      local ok, _, code = room:join()
      assert.is_nil(ok)
      assert.equal("ERR_LIBRARY", code)
    end)
  end)

  describe(":send", function()
    it("delivers to every member, the sender included, in one order", function()
      local rooms = members("order")
      for n = 1, 50 do
        for i = 1, 3 do
          assert(rooms[i]:send(tostring(n)))
        end
      end
      eventually(function()
        return #rooms.told[1] + #rooms.told[2] + #rooms.told[3] == 450
      end)
      assert.same(rooms.told[1], rooms.told[2])
      assert.same(rooms.told[1], rooms.told[3])
      leave(rooms)
    end)

    it("says not joined before the join and after leaving", function()
      local room = cluster[1]:group("outside")
      local _, _, before = room:send("x")
      assert(room:join())
      assert(room:leave())
      local _, _, after = room:try_send("x")
      local _, _, twice = room:leave()
      assert.same({ "ERR_NOT_EXIST", "ERR_NOT_EXIST", "ERR_NOT_EXIST" }, { before, after, twice })
    end)

    it("takes a message of no bytes and one of the largest size, and no larger", function()
      local room <close> = cluster[1]:group("sizes", { window = 1 })
      assert(room:join())
      for _, size in ipairs({ 0, 1, 1047552 }) do
        local payload = ("x"):rep(size)
        assert(room:send(payload))
        assert.equal(payload, (room:next("message", 5)))
      end
      assert.error_matches(function() room:send(("x"):rep(1047553)) end, "1047552 bytes")
      assert.error_matches(function() room:send(12) end, "must be a string, got number")
    end)

    it("waits in order while the window is full", function()
      local room <close> = cluster[1]:group("window", { window = 4 })
      assert(room:join())
      local sent = {}
      for n = 1, 40 do
        corolua.spawn(function()
          assert(room:send(tostring(n)))
          table.insert(sent, n)
        end)
      end
      for n = 1, 40 do
        assert.equal(tostring(n), (room:next("message", 5)))
        assert.is_true(room:stats().in_flight <= 4)
      end
      eventually(function() return #sent == 40 end)
      for n = 1, 40 do assert.equal(n, sent[n]) end
    end)

    it("does not wait in try_send", function()
      local room <close> = cluster[1]:group("try", { window = 2 })
      assert(room:join())
      assert(room:try_send("1"))
      assert(room:try_send("2"))
      local ok, _, code = room:try_send("3")
      assert.is_nil(ok)
      assert.equal("ERR_TRY_AGAIN", code)
    end)

    it("may wait in a handler for the group's own messages", function()
      local room <close> = cluster[1]:group("handler", { window = 2 })
      local got = 0
      function room.on.message(payload)
        got = got + 1
        if payload == "start" then
          for n = 1, 20 do assert(room:send(tostring(n))) end
        end
      end
      assert(room:join())
      assert(room:send("start"))
      eventually(function() return got == 21 end)
    end)

    it("gives up after its timeout and sends nothing then", function()
      local room <close> = cluster[1]:group("timeout", { window = 1 })
      assert(room:join())
      cluster[1]:pause() -- so that nothing comes back before the time is over
      assert(room:send("1"))
      local ok, _, code = room:send("2", { timeout = 0 })
      assert(cluster[1]:resume())
      assert.is_nil(ok)
      assert.equal("ERR_TIMEOUT", code)
      assert(room:send("3"))
      assert.equal("1", (room:next("message", 5)))
      assert.equal("3", (room:next("message", 5)))
    end)
  end)

  describe(":leave", function()
    it("delivers the own last messages and the own leave before it returns", function()
      local room = cluster[1]:group("leave")
      local told = {}
      function room.on.message(payload) table.insert(told, payload) end
      function room.on.members(view) table.insert(told, reasons(view.left)) end
      assert(room:join())
      assert(room:send("last"))
      assert(room:leave())
      assert.same({ "", "last", "1:leave" }, told)
    end)
  end)

  describe("handlers", function()
    it("run one at a time in order, though they wait", function()
      local room <close> = cluster[1]:group("waiting")
      local told, inside = {}, 0
      function room.on.message(payload)
        inside = inside + 1
        assert.equal(1, inside)
        if tonumber(payload) % 3 == 0 then corolua.sleep(0.001) end
        table.insert(told, tonumber(payload))
        inside = inside - 1
      end
      assert(room:join())
      for n = 1, 30 do assert(room:send(tostring(n))) end
      eventually(function() return #told == 30 end)
      for n = 1, 30 do assert.equal(n, told[n]) end
    end)

    it("that are unknown raise and name the nearest", function()
      local room = corolua.group("events")
      assert.error_matches(function() room.on.mesage = print end,
        "unknown event 'mesage', did you mean 'message'?")
      assert.error_matches(function() room.on.message = 1 end, "must be a function, got 1")
    end)

    it("that raise end the order nowhere when on.error forgives", function()
      local room <close> = cluster[1]:group("forgiven")
      local told, problems = {}, {}
      function corolua.on.error(message, group, event)
        table.insert(problems, { message, group, event })
        return true
      end
      function room.on.message(payload)
        if payload == "bad" then error("cannot take this") end
        table.insert(told, payload)
      end
      assert(room:join())
      for _, payload in ipairs({ "a", "bad", "b" }) do assert(room:send(payload)) end
      eventually(function() return #told == 2 end)
      corolua.on.error = nil
      assert.same({ "a", "b" }, told)
      assert.equal(room, problems[1][2])
      assert.equal("message", problems[1][3])
      assert.matches("group 'forgiven', handler of 'message'.*cannot take this.*traceback",
        problems[1][1])
    end)
  end)

  describe("events without a handler", function()
    it("are kept, the latest 1,024 of each kind", function()
      local room <close> = cluster[1]:group("backlog")
      assert(room:join())
      for n = 1, 2000 do assert(room:send(tostring(n))) end
      eventually(function() return room:stats().in_flight == 0 and room:stats().held == 0 end)
      assert.equal(976, room:stats().dropped)
      assert.equal("977", (room:next("message", 1)))
    end)

    it("come in order as one stream", function()
      local room = cluster[1]:group("stream")
      assert(room:join())
      assert(room:send("x"))
      corolua.spawn(function() room:leave() end)
      local kinds = {}
      for event in room:events() do table.insert(kinds, event.kind) end
      assert.same({ "members", "quorum", "message", "members" }, kinds)
    end)

    it("are waited for no longer than the timeout", function()
      local room <close> = cluster[1]:group("next")
      assert(room:join())
      local ok, _, code = room:next("message", 0.01)
      assert.is_nil(ok)
      assert.equal("ERR_TIMEOUT", code)
      assert.error_matches(function() room:next("mesage") end, "did you mean 'message'")
    end)
  end)

  describe("options", function()
    it("are checked at the caller's line", function()
      for _, case in ipairs({
        { { windw = 1 }, "unknown option 'windw', did you mean 'window'?" },
        { { window = 0 }, "option 'window' must be an integer of 1 to 256, got 0" },
        { { window = 257 }, "got 257" },
        { { quorum = "maybe" }, "must be one of \"required\", \"ignore\", got \"maybe\"" },
        { { max_held = 1.5 }, "an integer of 1 or more, got 1.5" },
        { { overload = true }, "\"leave\", \"stop_reading\", got true" },
        { { reconnect = -1 }, "true, false or a number of seconds" },
        { { packed = 1 }, "option 'packed' must be a boolean, got 1" },
        { { fragment = true }, "option 'fragment' needs packed = true" },
        { { packed = true, fragment = "yes" }, "option 'fragment' must be a boolean" },
        { { packed = true, max_message = 0 }, "option 'max_message' must be an integer of 1" },
        { { packed = true, max_message = (1 << 30) + 1 },
          "option 'max_message' must be an integer of 1 to 1073741824, got 1073741825" },
        { { codec = "jsn" },
          'codec\' must be "string", "json" or { encode =, decode = }, got "jsn", did you mean' },
        { { codec = { encode = tostring } }, "decode" },
      }) do
        local _, problem = pcall(function() corolua.group("x", case[1]) end)
        assert.matches("^spec/group_spec.lua:%d+: .*" .. case[2]:gsub("[%-%?]", "%%%0"), problem)
      end
    end)

    it("of calls are checked at the caller's line", function()
      local room = corolua.group("x")
      for problem, wrong in pairs({
        ["join: option 'timeout' must be a number of seconds, 0 or more, got \"x\""] = function()
          room:join({ timeout = "x" })
        end,
        ["send: option 'timeout' must be a number of seconds, 0 or more, got %-1"] = function()
          room:send("x", { timeout = -1 })
        end,
        ["leave: unknown option 'timout', did you mean 'timeout'?"] = function()
          room:leave({ timout = 1 })
        end,
        ["next: the time must be a number of seconds, 0 or more, got \"y\""] = function()
          room:next("message", "y")
        end,
        ["the handler of 'message' must be a function, got 5"] = function()
          room.on.message = 5
        end,
        ["a message must be a string, got table"] = function() room:try_send({}) end,
      }) do
        local _, told = pcall(wrong)
        assert.matches("^spec/group_spec.lua:%d+: .*" .. problem:gsub("%?", "%%?"), told)
      end
    end)

    it("want a name that corosync handles", function()
      for _, name in ipairs({ "", ("x"):rep(128), "a\0b" }) do
        local _, problem = pcall(function() corolua.group(name) end)
        assert.matches("^spec/group_spec.lua:%d+: a group's name has", problem)
      end
      assert.error_matches(function() corolua.group(1) end, "must be a string, got number")
    end)
  end)
end)
