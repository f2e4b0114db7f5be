-- The shared quorum connection and `corolua.on.quorum`, with a daemon that the spec
-- plays: each moment is chosen.
local corolua = require("corolua")
local fake = require("spec.support.fake")

local comes = require("spec.support").comes

-- What follows the program's own node, which is played here.
describe("corolua.on.quorum", function()
  local quorum = require("corolua.daemon.quorum")
  local daemon

  setup(fake.install)
  teardown(fake.restore)

  before_each(function()
    daemon = fake.daemon()
    quorum.HERE.network = daemon
  end)

  after_each(function()
    corolua.on.quorum = nil
    quorum.close(quorum.HERE)
    quorum.HERE.network = nil
  end)

  it("calls its handler for one state at a time, in order", function()
    local inside, most, seqs = 0, 0, {}
    corolua.on.quorum = function(state)
      inside = inside + 1
      most = math.max(most, inside)
      corolua.sleep(0.01)
      table.insert(seqs, state.ring.seq)
      inside = inside - 1
    end
    comes(function() return #daemon.clients == 1 and inside == 1 end)
    for _ = 1, 3 do daemon:form_ring() end
    comes(function() return #seqs == 4 end)
    assert.same({ 4, 8, 12, 16 }, seqs)
    assert.equal(1, most)
  end)

  it("may be taken away at each event of its life", function()
    local function live(at)
      local calls, is_away = 0, false
      daemon = fake.daemon()
      quorum.HERE.network = daemon
      daemon.strike = function(index)
        if index ~= at then return end
        is_away = true
        corolua.on.quorum = nil
      end
      corolua.on.quorum = function()
        assert.is_false(is_away)
        calls = calls + 1
        corolua.sleep(0)
      end
      comes(function() return is_away or calls == 1 end)
      for _ = 1, 3 do daemon:form_ring() end
      comes(function() return is_away or calls == 4 end)
      corolua.sleep(0)
      assert.equal(is_away and 0 or 1, #quorum.at(quorum.HERE).followers)
      corolua.on.quorum = nil
      quorum.close(quorum.HERE)
      return daemon.index
    end
    local events = live(0)
    for at = 1, events do live(at) end
    print(("taken away at each of %d events"):format(events))
  end)

  it("comes back with the daemon, once", function()
    local seqs = {}
    corolua.on.quorum = function(state) table.insert(seqs, state.ring.seq) end
    comes(function() return #seqs == 1 end)
    daemon:die()
    comes(function() return #seqs == 2 end)
    daemon:form_ring()
    comes(function() return #seqs == 3 end)
    assert.same({ 4, 8, 12 }, seqs)
  end)

  it("names itself where its handler raises, and asks on.error", function()
    local told
    function corolua.on.error(message, _, event)
      told = { message:match("^[^\n]*"), event }
      return true
    end
    corolua.on.quorum = function() error("no", 0) end
    comes(function() return told end)
    corolua.on.error = nil
    assert.same({ "corolua.on.quorum, handler of 'quorum': no", "quorum" }, told)
  end)
end)

describe("a tracker", function()
  local quorum = require("corolua.daemon.quorum")

  setup(fake.install)
  teardown(fake.restore)

  it("that is closed while it opens keeps no connection", function()
    for at = 1, 2 do
      local daemon = fake.daemon()
      daemon.strike = function(index)
        if index == at then quorum.close(daemon.place) end
      end
      local opened, _, code = quorum.at(daemon.place):open(5)
      assert.same({ nil, "ERR_NOT_EXIST" }, { opened, code })
      assert.is_true(daemon.clients[1].is_closed)
    end
  end)

  it("says that the daemon is gone to who waits for its first state", function()
    local daemon = fake.daemon()
    daemon.strike = function(_, what) if what == "dispatch" then daemon:die() end end
    local start = corolua.now()
    local state, _, code = quorum.now(daemon.place, 20)
    assert.same({ nil, "ERR_LIBRARY" }, { state, code })
    assert.is_true(corolua.now() - start < 10)
    quorum.close(daemon.place)
  end)

  it("is opened once, by however many ask", function()
    local daemon = fake.daemon()
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = corolua.spawn(function() return quorum.at(daemon.place):open(5) end)
    end
    for _, task in ipairs(tasks) do assert.is_true(task:wait(5)) end
    assert.equal(1, #daemon.clients)
    quorum.close(daemon.place)
  end)
end)
