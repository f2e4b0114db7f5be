local corolua = require("corolua")
local lab = require("corolua.lab")

local eventually = require("spec.support").comes

describe("a group whose daemon dies", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("is told, joins again, and knows what is unknown", function()
    local room = cluster[1]:group("down", { quorum = "ignore" })
    local other = cluster[2]:group("down")
    local told = {}
    function room.on.down(why)
      table.insert(told, "down " .. why.code)
      local _, _, code = room:send("x")
      table.insert(told, "send " .. code)
    end
    function room.on.members(view)
      for _, change in ipairs(view.left) do
        table.insert(told, ("left %d %s"):format(change.member.nodeid, change.reason))
      end
      for _, change in ipairs(view.joined) do
        table.insert(told, ("joined %d %s"):format(change.member.nodeid, change.reason))
      end
    end
    function room.on.up()
      table.insert(told, "up")
      assert(room:send("back"))
    end
    assert(room:join())
    assert(other:join())
    eventually(function() return #told == 2 end)
    local me = room.me
    assert(cluster[1]:kill())
    assert(cluster[1]:start())
    assert.equal("back", (room:next("message", 10)))
    assert.same({
      "joined 1 join", "joined 2 join", "down ERR_LIBRARY", "send ERR_LIBRARY",
    }, { table.unpack(told, 1, 4) })
    local up
    for i, line in ipairs(told) do if line == "up" then up = i end end
    assert.same({ "left 1 nodedown", "joined 1 join" }, (function()
      local own = {}
      for i = 5, up do if told[i]:find(" 1 ") then table.insert(own, told[i]) end end
      return own
    end)())
    assert.equal(me, room.me)
    assert(room:leave())
    assert(other:leave())
    assert(cluster:settle())
  end)

  -- Sends numbers and kills the daemon again and again. Each number that was
  -- accepted comes back once, or is in `unconfirmed` once.
  local function survive(options)
    local room = cluster[1]:group("survive", options)
    local accepted, fate, kills, running = 0, {}, 0, true
    local twice = 0
    local function note(number, what)
      if fate[number] then twice = twice + 1 end
      fate[number] = what
    end
    function room.on.message(payload) note(tonumber(payload), "delivered") end
    function room.on.down(why)
      local last = 0
      for _, entry in ipairs(why.unconfirmed) do
        local number = tonumber(entry.payload)
        assert(number > last)
        last = number
        note(number, entry.sent and "unknown" or "unsent")
      end
    end
    assert(room:join())
    local sending = corolua.spawn(function()
      while running do
        local ok = room:send(tostring(accepted + 1))
        if ok then accepted = accepted + 1 end
        if not ok or accepted % 64 == 0 then corolua.sleep(0.001) end
      end
    end)
    local reached = 0
    while kills < 20 do
      eventually(function() return accepted > reached + 200 and room:stats().state == "joined" end)
      reached = accepted
      assert(cluster[1]:kill())
      kills = kills + 1
      assert(cluster[1]:start())
    end
    eventually(function() return room:stats().state == "joined" end)
    running = false
    sending:wait()
    assert(room:leave())
    assert.equal(0, twice)
    local delivered = 0
    for number = 1, accepted do
      assert.truthy(fate[number])
      if fate[number] == "delivered" then delivered = delivered + 1 end
    end
    assert.is_true(delivered > 0)
    assert.is_nil(fate[accepted + 1])
  end

  it("loses no message in silence over 20 kills under load", function()
    survive({ quorum = "ignore" })
  end)

  it("loses none when it is packed either", function()
    survive({ quorum = "ignore", packed = true })
  end)

  it("gives up after its seconds, or at once", function()
    local never = cluster[1]:group("never", { reconnect = false })
    local soon = cluster[1]:group("soon", { reconnect = 0.2 })
    assert(never:join())
    assert(soon:join())
    assert(cluster[1]:kill())
    assert.equal("ERR_LIBRARY", never:next("down", 5).code)
    local _, _, code = never:send("x")
    assert.equal("ERR_NOT_EXIST", code)
    assert.equal("ERR_LIBRARY", soon:next("down", 5).code)
    assert.equal("ERR_TIMEOUT", soon:next("down", 5).code)
    assert(cluster[1]:start())
    assert(never:join())
    assert(soon:join())
    assert(never:leave())
    assert(soon:leave())
  end)

  it("may leave while it is down", function()
    local room = cluster[1]:group("leaving")
    assert(room:join())
    assert(cluster[1]:kill())
    assert(room:next("down", 5))
    assert.is_true(room:leave())
    assert(cluster[1]:start())
    assert(cluster:settle())
  end)
end)
