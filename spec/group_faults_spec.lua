local corolua = require("corolua")
local lab = require("corolua.lab")

local eventually = require("spec.support").comes

-- Sleeps so many times, and fails unless the loop had little else to do: what
-- spins brings a hundred thousand events a second, and thousands on a machine
-- that is busy with other things.
local function sleep_idly(times)
  local events, is_over = 0, false
  corolua.spawn(function()
    corolua.wait(function()
      events = events + 1
      return is_over
    end)
  end)
  for _ = 1, times do assert(corolua.sleep(0.01)) end
  is_over = true
  assert(events < 10 * times, events .. " events")
end

describe("a group whose daemon is stopped", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("neither hangs nor spins the script, and loses nothing", function()
    local room = cluster[1]:group("stopped")
    local told = {}
    function room.on.message(payload) table.insert(told, tonumber(payload)) end
    assert(room:join())
    assert(cluster[1]:pause())
    local accepted = 0
    local sending = corolua.spawn(function()
      for n = 1, 500 do
        assert(room:send(tostring(n)))
        accepted = n
      end
    end)
    sleep_idly(100)
    assert.equal(128, accepted)
    local other = cluster[1]:group("blocked")
    assert.same({ n = 3, nil, "timed out after 0.1 s", "ERR_TIMEOUT" },
      table.pack(other:join({ timeout = 0.1 })))
    local elsewhere = cluster[2]:group("elsewhere")
    assert(elsewhere:join({ timeout = 5 }))
    assert(elsewhere:leave())
    assert(cluster[1]:resume())
    sending:wait()
    eventually(function() return #told == 500 end)
    for n = 1, 500 do assert.equal(n, told[n]) end
    assert(other:join())
    assert(other:leave())
    assert(room:leave())
  end)
end)

describe("a program whose daemon is stopped", function()
  it("does little in 5 s, and gets all it sent back in order", function()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local room = cluster[1]:group("long")
    local told = {}
    function room.on.message(payload) table.insert(told, tonumber(payload)) end
    assert(room:join())
    for n = 1, 100 do assert(room:send(tostring(n))) end
    assert(cluster[1]:pause())
    local sending = corolua.spawn(function()
      for n = 101, 1000 do assert(room:send(tostring(n))) end
    end)
    sleep_idly(500)
    assert.is_true(#told < 1000)
    assert(cluster[1]:resume())
    sending:wait()
    eventually(function() return #told == 1000 end)
    for n = 1, 1000 do assert.equal(n, told[n]) end
    assert(room:leave())
  end)
end)

describe("a group without quorum", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("does not send, unless told to ignore quorum", function()
    local room = cluster[1]:group("gate")
    local bare = cluster[1]:group("bare", { quorum = "ignore" })
    assert(room:join())
    assert(bare:join())
    assert(cluster:partition({ { 1 }, { 2, 3 } }))
    assert(cluster:settle())
    local ok, message, code = room:send("x")
    assert.same({ "not quorate", "ERR_NOT_QUORATE" }, { message, code })
    assert.is_nil(ok)
    assert(bare:send("x"))
    assert.equal("x", (bare:next("message", 5)))
    assert.is_false(bare.view.quorate)
    local alone = cluster[1]:group("alone")
    assert(alone:join())
    assert.is_false(alone.view.quorate)
    assert(cluster:heal())
    assert(cluster:settle())
    assert(room:send("y"))
    assert.equal("y", (room:next("message", 5)))
    for _, each in ipairs({ room, bare, alone }) do assert(each:leave()) end
  end)

  it("gives messages of an inquorate ring to inquorate", function()
    local room = cluster[1]:group("inquorate")
    local bare = cluster[1]:thin("cpg")
    assert(room:join())
    assert(bare)
    assert(cluster:isolate(1))
    assert(cluster:settle())
    -- A member that does not ask for quorum.
    local other = cluster[1]:run("-e", [[
      local room = require("corolua").group("inquorate", { quorum = "ignore" })
      assert(room:join())
      assert(room:send("late"))
      assert(room:leave())
    ]])
    assert(other)
    local payload = room:next("inquorate", 5)
    assert.equal("late", payload)
    assert.is_nil((room:next("message", 0)))
    assert(cluster:heal())
    assert(cluster:settle())
    assert(room:leave())
    bare:finalize()
  end)

  it("follows a change of quorum within a ring", function()
    local room = cluster[1]:group("expected")
    assert(room:join())
    assert(cluster:isolate(1))
    assert(cluster:settle())
    local _, _, code = room:send("x")
    assert.equal("ERR_NOT_QUORATE", code)
    local votes = assert(cluster[1]:thin("votequorum"))
    assert(votes:setexpected(1))
    eventually(function() return room.view.quorate end)
    assert(room:send("x"))
    assert.equal("x", (room:next("message", 5)))
    votes:finalize()
    assert(room:leave())
    assert(cluster:heal())
    assert(cluster:settle())
  end)
end)

describe("a group whose messages do not go out", function()
  local support = require("spec.support")
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("may be left, sends no more, and says what it did not send", function()
    local result = assert(cluster[1]:tool("env", "STUB=cpg_mcast_joined=6",
      support.preload_stub(), support.program, "-e", [[
        local corolua = require("corolua")
        for _, packed in ipairs({ false, true }) do
          local room = corolua.group("stuck", { packed = packed })
          function room.on.members(view)
            if #view.left > 0 then corolua.sleep(0.02) end
          end
          assert(room:join())
          assert(room:send("x"))
          corolua.sleep(0)
          local left, _, code, unconfirmed = room:leave({ timeout = 0.1 })
          print(left, code, unconfirmed[1].payload, unconfirmed[1].sent)
          corolua.sleep(0.02)
        end
      ]]))
    assert.equal(("nil\tERR_TIMEOUT\tx\tfalse\n"):rep(2), result.output)
    assert.equal(0, result.status)
  end)
end)

describe("a group that does not handle", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local function resident()
    local pid = cluster[1].daemon.pid
    local file <close> = assert(io.open(("/proc/%d/status"):format(pid)))
    return tonumber(file:read("a"):match("VmRSS:%s*(%d+)")) / 1024
  end

  it("does not make its daemon grow, however fast it sends", function()
    local room = cluster[1]:group("million")
    assert(room:join())
    local before = resident()
    local payload = ("x"):rep(64)
    for _ = 1, 1000000 do assert(room:send(payload)) end
    assert.is_true(resident() - before < 32)
    assert(room:leave())
  end)

  it("leaves when more is held than it may", function()
    local room = cluster[1]:group("overload", { max_held = 100000 })
    local go_on
    function room.on.message() corolua.wait(function() return go_on end) end
    assert(room:join())
    local ok, code
    repeat
      local sent, _, why = room:send(("x"):rep(1000))
      ok, code = sent, why
    until not ok
    assert.equal("ERR_NOT_EXIST", code)
    go_on = true
    assert.equal("ERR_OVERLOAD", room:next("down", 5).code)
    assert.equal("left", room:stats().state)
    assert(room:join())
    assert(room:leave())
  end)

  it("stops reading instead where it is told to", function()
    local room = cluster[1]:group("choked", { max_held = 100000, overload = "stop_reading" })
    local go_on, got = nil, 0
    function room.on.message()
      corolua.wait(function() return go_on end)
      got = got + 1
    end
    assert(room:join())
    local sent = 0
    local ok = true
    while ok do
      ok = room:send(("x"):rep(1000), { timeout = 0.1 })
      if ok then sent = sent + 1 end
    end
    assert.is_true(room:stats().held_bytes < 2 * 100000 + 256 * 1064)
    go_on = true
    eventually(function() return got == sent end)
    assert(room:leave())
  end)
end)

describe("a group on a lab that closes", function()
  it("says why its leave has failed", function()
    local cluster = assert(lab.start({ nodes = 1 }))
    local room = cluster[1]:group("late")
    assert(room:join())
    cluster[1]:pause()
    assert(room:try_send("x"))
    local leaving = corolua.spawn(function() return room:leave() end)
    corolua.sleep(0)
    cluster:close()
    local left, message, code = leaving:wait(5)
    assert.is_nil(left)
    assert.equal("the connection of the group has been closed", message)
    assert.equal("ERR_NOT_EXIST", code)
  end)
end)
