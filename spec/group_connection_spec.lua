-- The connections of a group, with a daemon that the spec plays: each moment is
-- chosen. What real daemons do stands in the other specs of groups.
local corolua = require("corolua")
local fake = require("spec.support.fake")
local scheduler = require("corolua.task.scheduler")

local comes = require("spec.support").comes

describe("a connection of a group", function()
  local daemon

  setup(fake.install)
  teardown(fake.restore)
  before_each(function() daemon = fake.daemon() end)

  -- A group that writes down what its handlers are told.
  local function open(options)
    local room = daemon:group("tea", options)
    local told = {}
    function room.on.message(payload) table.insert(told, payload) end
    function room.on.down(why)
      local words = { "down", why.code }
      for _, entry in ipairs(why.unconfirmed) do
        table.insert(words, entry.payload .. (entry.sent and "" or " unsent"))
      end
      table.insert(told, table.concat(words, " "))
    end
    function room.on.up() table.insert(told, "up") end
    assert(room:join({ timeout = 5 }))
    return room, told
  end

  local function payloads(list)
    local words = {}
    for i, entry in ipairs(list) do words[i] = entry.payload .. (entry.sent and "" or " unsent") end
    return words
  end

  it("that cannot begin leaves the group as it was", function()
    local connection = require("corolua.group.connection")
    local room, begin = daemon:group("tea"), connection.begin
    connection.begin = function() error("no memory", 0) end
    local ok, problem = pcall(room.join, room)
    connection.begin = begin
    assert.same({ false, "no memory", "left" }, { ok, problem, room:stats().state })
    assert.is_true(room:join())
    assert.is_true(room:leave())
  end)

  it("tells of things that print as they are", function()
    local room = daemon:group("tea")
    local why
    function room.on.down(given) why = given end
    assert(room:join({ timeout = 5 }))
    assert(room:send("first"))
    assert(room:send("second"))
    local info = select(3, room:next("message", 5))
    assert.matches("^{ ring = .*seq = 4.* }$", tostring(info))
    for event in room:events() do
      if event.kind == "message" then
        assert.matches('^{.*kind = "message".*payload = "second".*}$', tostring(event))
        break
      end
    end
    assert.matches('^{.*in_flight = 0,.*state = "joined",.*}$', tostring(room:stats()))
    daemon.echoes = false
    assert(room:send("third"))
    daemon:die()
    comes(function() return why end)
    assert.matches('^{.*code = "ERR_LIBRARY",.*{ { payload = "third", sent = true } }.*}$',
      tostring(why))
    assert(room:leave())
  end)

  describe("window", function()
    it("is empty where it begins, though the leave before has failed", function()
      local room = open({ window = 3 })
      daemon:freeze()
      for n = 1, 3 do assert(room:send("old " .. n)) end
      local left, _, code, unconfirmed = room:leave({ timeout = 0.01 })
      assert.same({ nil, "ERR_TIMEOUT", { "old 1", "old 2", "old 3" } },
        { left, code, payloads(unconfirmed) })
      daemon:thaw()
      assert(room:join())
      assert.equal(0, room:stats().in_flight)
      assert(room:send("new", { timeout = 1 }))
      comes(function() return room:stats().in_flight == 0 end)
      assert.is_true(room:leave())
    end)

    it("keeps what had not gone out from going out later", function()
      local room = open()
      function daemon.answer() return nil, "try again", "ERR_TRY_AGAIN" end
      for n = 1, 3 do assert(room:send("old " .. n)) end
      local left, _, code, unconfirmed = room:leave({ timeout = 0.01 })
      assert.same({ nil, "ERR_TIMEOUT", { "old 1 unsent", "old 2 unsent", "old 3 unsent" } },
        { left, code, payloads(unconfirmed) })
      function daemon.answer() return true end
      assert(room:join())
      assert(room:send("brand new"))
      comes(function() return room:stats().in_flight == 0 end)
      assert.same({ "brand new" }, daemon.sent)
      assert.is_true(room:leave())
    end)

    it("names in `down` what is of this connection alone", function()
      local room, told = open()
      daemon:freeze()
      assert(room:send("first"))
      assert.is_nil((room:leave({ timeout = 0.01 })))
      daemon:thaw()
      assert(room:join())
      daemon.echoes = false
      assert(room:send("second"))
      daemon:die()
      comes(function() return told[#told] == "up" end)
      assert.same({ "down ERR_LIBRARY second", "up" }, told)
      assert.is_true(room:leave())
    end)

    it("tells a sender that was stopped in the turn of its answer the answer", function()
      local room = open({ window = 1 })
      daemon.echoes = false
      assert(room:send("first"))
      local sending = corolua.spawn(function() return room:send("second") end)
      corolua.sleep(0)
      local task = room.window.waiters:peek().task
      -- As a stop does: the wait is over, and the task has not run yet.
      assert.is_true(scheduler.unpark(task, nil, "stopping", "ERR_INTERRUPT"))
      room.window:confirm(1) -- "first" is back: there is room for the second
      assert.same({ "first", "second" }, daemon.sent)
      assert.is_true((sending:wait(5)))
      daemon:deliver("second", daemon.me)
      assert.is_true(room:leave())
    end)
  end)

  describe("end", function()
    it("while `leave` waits gives the list to `leave`, and calls no `down`", function()
      local room, told = open()
      daemon.echoes = false
      assert(room:send("order"))
      local leaving = corolua.spawn(function() return room:leave() end)
      corolua.sleep(0)
      daemon:die()
      local left, _, code, unconfirmed = leaving:wait(5)
      assert.same({ nil, "ERR_LIBRARY", { "order" } }, { left, code, payloads(unconfirmed) })
      assert.same({}, told)
      assert.equal("left", room:stats().state)
    end)

    it("names nothing that came back in the read in which it is noticed", function()
      local room, told = open()
      daemon:freeze()
      assert(room:send("order"))
      daemon:deliver("another's")
      local reads = 0
      function daemon.strike(_, what)
        if what ~= "dispatch" then return end
        reads = reads + 1
        if reads == 2 then daemon:die() end
      end
      daemon:thaw()
      comes(function() return told[#told] == "up" end)
      assert.same({ "order", "down ERR_LIBRARY", "up" }, told)
      assert.is_true(room:leave())
    end)

    it("at the end of a block is told by `down`, as nobody sees what close gives", function()
      local told
      do
        local room <close>, list = open()
        told = list
        daemon.echoes = false
        assert(room:send("order"))
        corolua.after(0, function() daemon:die() end)
      end
      assert.same({ "down ERR_LIBRARY order" }, told)
    end)

    it("is told by `down` where the group is left and joined before that was handled", function()
      local room, told = open()
      function room.on.message() corolua.sleep(0.3) end
      daemon:deliver("busy")
      comes(function() return room.inbox.is_handling and room:stats().held == 0 end)
      daemon.echoes, daemon.is_gone = false, true
      assert(room:send("order"))
      daemon:die()
      comes(function() return room:stats().state == "down" end)
      assert.is_true(room:leave())
      assert.same({ "down ERR_LIBRARY order" }, told)
      daemon.is_gone = false
      assert(room:join())
      assert(room:leave())
      assert.same({ "down ERR_LIBRARY order" }, told)
    end)

    it("is told by `down` where the group ends by itself and is joined again", function()
      local room, told = open({ reconnect = false })
      function room.on.message() corolua.sleep(0.3) end
      daemon:deliver("busy")
      comes(function() return room.inbox.is_handling and room:stats().held == 0 end)
      daemon.echoes = false
      assert(room:send("order"))
      daemon:die()
      comes(function() return room:stats().state == "left" end)
      assert(room:join())
      assert.same({ "down ERR_LIBRARY order" }, told)
      assert(room:leave())
    end)

    it("drops no message that was read: they come before `down`", function()
      local room, told = open()
      function room.on.members(view) if #view.left > 0 then table.insert(told, "members") end end
      daemon:deliver("read")
      daemon.strike = function(_, what)
        if what == "dispatch" then
          daemon.strike = function() end
          corolua.spawn(function() daemon:die() end)
        end
      end
      comes(function() return told[#told] == "up" end)
      assert.same({ "read", "down ERR_LIBRARY", "members", "up" }, told)
      assert(room:leave())
    end)
  end)

  describe("reconnecting", function()
    it("is one loop, though the daemon dies as the loop has joined", function()
      local room, told = open({ quorum = "ignore" })
      local deaths = 0
      function room.on.members()
        if deaths > 0 and deaths < 5 then
          deaths = deaths + 1
          daemon:die()
        end
      end
      deaths = 1
      daemon:die()
      comes(function() return deaths == 5 and room:stats().state == "joined" end)
      corolua.sleep(0.3) -- a second loop would join by now
      assert.equal(1, daemon:joined())
      assert(room:send("heard"))
      comes(function() return told[#told] == "heard" end)
      assert(room:leave())
      assert.equal(0, daemon:joined())
    end)

    it("ends where the group is left and joined meanwhile", function()
      local room = open()
      daemon.is_gone = true
      daemon:die()
      comes(function() return room:stats().state == "down" end)
      assert.is_true(room:leave())
      daemon.is_gone = false
      assert(room:join())
      corolua.sleep(0.2) -- the loop before looks again
      assert.equal(1, daemon:joined())
      assert.is_true(room:leave())
      assert.equal(0, daemon:joined())
    end)

    it("does not wait for the quorum of a daemon that is gone", function()
      local room = daemon:group("tea")
      daemon.strike = function(_, what)
        if what == "call initialize" and daemon:joined() == 0 and not daemon.has_struck
          and #daemon.clients > 0 then
          daemon.has_struck = true
          daemon:die("quorum")
        end
      end
      local start = corolua.now()
      local joined, _, code = room:join()
      assert.is_true(corolua.now() - start < 5)
      assert.same({ nil, "ERR_LIBRARY", "left" }, { joined, code, room:stats().state })
      assert(room:join())
      assert(room:leave())
    end)

    it("refuses to begin a connection beside another one", function()
      local room = open()
      assert.error_matches(function()
        require("corolua.group.connection").begin(room, room.session)
      end, "one connection at a time")
      assert(room:leave())
    end)
  end)

  describe("inbox", function()
    for _, form in ipairs({ "raw", "packed" }) do
      it("is dropped where a handler leaves and joins anew, " .. form, function()
        local packer = require("corolua.packing").packer({ life = 7 })
        local room = daemon:group("tea", { packed = form == "packed" })
        local told, from = {}, {}
        function room.on.message(payload)
          table.insert(told, payload)
          assert.truthy(room.view)
          if payload == "1" then
            daemon:deliver("x")
            corolua.sleep(0.01)
            assert(room:leave())
            assert(room:join())
          end
        end
        assert(room:join())
        local function deliver(list)
          if form == "raw" then
            for _, payload in ipairs(list) do daemon:deliver(payload, from) end
            return
          end
          for _, payload in ipairs(list) do packer:add(payload) end
          daemon:deliver(packer:flush(1, daemon.seq), from)
        end
        deliver({ "1", "2", "3" })
        deliver({ "4" })
        comes(function() return #told == 1 and room:stats().state == "joined"
          and not room.inbox.is_handling end)
        deliver({ "new" })
        comes(function() return #told > 1 end)
        assert.same({ "1", "new" }, told)
        assert.is_true(room:stats().dropped >= 3)
        assert(room:leave())
      end)
    end

    it("names the handler that raised, though it has left and joined anew", function()
      local room, told = open(), nil
      function room.on.message()
        assert(room:leave())
        assert(room:join())
        error("oh")
      end
      function corolua.on.error(_, source, event)
        told = { source, event }
        return true
      end
      daemon:deliver("1")
      comes(function() return told end)
      corolua.on.error = nil
      assert.equal(room, told[1])
      assert.equal("message", told[2])
      assert(room:leave())
    end)

    it("is handled to its end where the group is left in a handler", function()
      local room, told = open()
      function room.on.message(payload)
        table.insert(told, payload)
        if payload == "1" then
          corolua.sleep(0.01)
          assert(room:leave())
        end
      end
      for n = 1, 3 do daemon:deliver(tostring(n)) end
      comes(function() return #told == 3 end)
      assert.same({ "1", "2", "3" }, told)
    end)

    it("of the daemon before comes to its end while the group has joined again", function()
      local room, told = open()
      function room.on.message(payload)
        if payload == "1" then corolua.sleep(0.3) end
        table.insert(told, payload .. " in " .. room.view.ring.seq)
      end
      local before = daemon.seq
      for n = 1, 2 do daemon:deliver(tostring(n)) end
      comes(function() return room.inbox.is_handling and room:stats().held == 1 end)
      daemon:die()
      comes(function() return room:stats().state == "joined" and daemon:joined() == 1 end)
      daemon:deliver("3")
      comes(function() return #told == 5 end)
      assert.same({ "1 in " .. before, "2 in " .. before, "down ERR_LIBRARY", "up",
        "3 in " .. daemon.seq }, told)
      assert(room:leave())
    end)

    it("lets nobody send before `down` of the daemon before has been handled", function()
      local room, told = open()
      function room.on.message(payload)
        if payload == "busy" then corolua.sleep(0.3) end
        table.insert(told, payload)
      end
      function room.on.down()
        corolua.sleep(0.3)
        table.insert(told, select(3, room:try_send("x")) or "sent")
      end
      daemon:deliver("busy")
      comes(function() return room.inbox.is_handling end)
      daemon:die()
      comes(function() return room:stats().state == "joined" end)
      assert.equal("ERR_LIBRARY", select(3, room:send("x")))
      comes(function() return told[#told] == "up" end)
      assert(room:send("y"))
      comes(function() return told[#told] == "y" end)
      assert.same({ "busy", "ERR_LIBRARY", "up", "y" }, told)
      assert(room:leave())
    end)

    it("lets nobody send under the quorum of the daemon before", function()
      local room = open()
      local codes = {}
      function room.on.message()
        corolua.sleep(0.3)
        codes.late = select(3, room:try_send("x")) or "sent"
      end
      function room.on.members(view)
        codes[view.ring.seq] = select(3, room:try_send("x")) or "sent"
      end
      daemon.echoes = false
      daemon:deliver("1")
      comes(function() return room.inbox.is_handling end)
      daemon.quorate = false
      daemon:die()
      comes(function() return codes[daemon.seq] end)
      assert.same({ late = "ERR_LIBRARY", [daemon.seq] = "ERR_NOT_QUORATE" }, codes)
      room:leave({ timeout = 0.1 })
    end)
  end)

  describe("backlog", function()
    it("keeps 4 MiB of payloads, and one longer message", function()
      local room = daemon:group("tea")
      assert(room:join())
      for n = 1, 10 do daemon:deliver(tostring(n) .. (" "):rep(1000000)) end
      comes(function() return room:stats().dropped == 6 end)
      local stats = room:stats()
      assert.is_true(stats.backlog_bytes <= 4 * 1024 * 1024)
      assert.same({ true, 6 }, { room:next("message"):match("^7 ") ~= nil, stats.backlog })
      daemon:deliver(("x"):rep(5000000))
      comes(function() return room:stats().dropped == 9 end)
      assert.equal(5000000, #room:next("message"))
      assert.equal(0, room:stats().backlog_bytes)
      assert(room:leave())
    end)

    it("is counted by bytes on the wire where a codec makes tables of them", function()
      local room = daemon:group("tea", { codec = "json" })
      assert(room:join())
      for _ = 1, 10 do daemon:deliver('"' .. ("x"):rep(1000000) .. '"') end
      comes(function() return room:stats().dropped == 6 end)
      assert(room:leave())
    end)

    it("lets a reader wait on whose event another one took", function()
      local room = daemon:group("tea")
      assert(room:join())
      while room:next("members", 0) do end
      while room:next("quorum", 0) do end
      local late = corolua.spawn(function() return room:next("message", 0.2) end)
      corolua.sleep(0)
      -- In the turn in which the one that waits is woken, another one takes it.
      local add, first = room.unhandled.add, nil
      function room.unhandled:add(kind, ...)
        add(self, kind, ...)
        if kind == "message" then first = self:take("message") end
      end
      daemon:deliver("m")
      local got, _, code = late:wait(5)
      assert.same({ "message", nil, "ERR_TIMEOUT" }, { first, got, code })
      assert(room:leave())
    end)

    it("wakes the next reader where one has given up in the same turn", function()
      local room = daemon:group("tea")
      assert(room:join())
      local resumed = {}
      room.unhandled:wait("message", function() return false end)
      room.unhandled:wait("message", function(came)
        table.insert(resumed, came)
        return true
      end)
      daemon:deliver("m")
      comes(function() return resumed[1] end)
      assert.same({ true }, resumed)
      assert(room:leave())
    end)

    it("of the join before is told to nobody", function()
      local room = daemon:group("tea")
      assert(room:join())
      daemon:deliver("old")
      comes(function() return room:stats().backlog == 3 end)
      assert(room:leave())
      assert(room:join())
      daemon:deliver("new")
      assert.equal("new", (room:next("message", 5)))
      assert(room:leave())
    end)
  end)

  describe("state", function()
    it("is that of the group's connection, at every step", function()
      local room = daemon:group("tea")
      assert.equal("new", room:stats().state)
      daemon.strike = function(_, what)
        if what:find("call") == 1 then assert.equal("joining", room:stats().state) end
      end
      assert(room:join())
      daemon.strike = function() end
      assert.equal("joined", room:stats().state)
      daemon:die()
      comes(function() return room:stats().state == "down" end)
      comes(function() return room:stats().state == "joined" end)
      daemon.strike = function(_, what)
        if what == "call leave" then assert.equal("leaving", room:stats().state) end
      end
      assert(room:leave())
      assert.equal("left", room:stats().state)
      assert.is_false(room.session)
    end)

    it("is left for good where the group must not reconnect", function()
      local room, told = open({ reconnect = false })
      daemon:die()
      comes(function() return room:stats().state == "left" end)
      comes(function() return told[1] end)
      assert.same({ "down ERR_LIBRARY" }, told)
      assert(room:join())
      assert(room:leave())
    end)

    it("has no waiter left of a task that waits no more", function()
      local room = open()
      room.window.size = 1
      daemon.echoes = false
      assert(room:send("1"))
      assert.equal("ERR_TIMEOUT", select(3, room:send("2", { timeout = 0.01 })))
      assert.equal(0, room:stats().waiting)
      assert.same({}, room.changed.waiting)
      daemon:deliver("1", daemon.me)
      assert(room:leave())
    end)
  end)
end)
