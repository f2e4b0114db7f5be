-- What a group lists as accepted and not read back, where messages go in
-- fragments: in order, once, and as sent where any of a message went out.
local corolua = require("corolua")
local fake = require("spec.support.fake")

describe("what a packed group had not read back", function()
  local LONG = ("x"):rep(1100000) -- goes in 17 fragments
  local daemon, room

  setup(fake.install)
  teardown(fake.restore)

  -- `window` is chosen; nothing comes back by itself.
  local function open(window)
    daemon = fake.daemon()
    room = daemon:group("tea", { packed = true, fragment = true, window = window })
    assert(room:join())
    daemon.echoes = false
  end

  local function refuse() return nil, "try again", "ERR_TRY_AGAIN" end

  local function come_back(count)
    for _ = 1, count do daemon:deliver("frame", daemon.me) end
    corolua.sleep(0.01)
  end

  local function listed()
    local _, _, _, list = room:leave({ timeout = 0.01 })
    local words = {}
    for i, entry in ipairs(list or {}) do
      words[i] = entry.payload:sub(1, 1) .. (entry.sent and "" or " unsent")
    end
    return words
  end

  it("names one as unsent of which no fragment went out", function()
    open(4)
    daemon.answer = refuse
    assert(room:send("a" .. LONG))
    assert.same({ "a unsent" }, listed())
  end)

  it("names one as unsent behind one that went out", function()
    open(32)
    assert(room:send("a" .. LONG))
    assert(room:send("b"))
    corolua.sleep(0.01)
    daemon.answer = refuse
    assert(room:send("c" .. LONG))
    assert.same({ "a", "b", "c unsent" }, listed())
  end)

  it("names two in a row each for itself", function()
    open(64)
    assert(room:send("a" .. LONG))
    daemon.answer = refuse
    assert(room:send("b" .. LONG))
    assert(room:send("c"))
    assert.same({ "a", "b unsent", "c unsent" }, listed())
  end)

  it("names one as sent whose first fragments have come back", function()
    for back = 1, 16 do
      open(1)
      assert(room:send("a" .. LONG))
      for _ = 1, back - 1 do come_back(1) end
      daemon.answer = refuse
      come_back(1)
      assert.same({ "a" }, listed())
    end
  end)

  it("forgets of one that came back whole that it had gone out", function()
    open(1)
    assert(room:send("a" .. LONG))
    for _ = 1, 17 do come_back(1) end
    assert.equal(0, room:stats().in_flight)
    daemon.answer = refuse
    assert(room:send("b" .. LONG))
    assert.same({ "b unsent" }, listed())
  end)
end)
