-- Not sanitized: it looks at the order of events under load, which slower C makes less of.
local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

local eventually = support.comes

-- The view fence on real daemons. What libquorum tells of each ring is recorded
-- by a connection of its own, and compared with what messages were handled under.
describe("the view fence under load", function()
  local cluster

  before_each(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  after_each(function()
    cluster:close()
  end)

  -- The states of the rings that a node was told of, by seq.
  local function record_states(node)
    local states = {}
    local handle = support.follow(cluster[node], assert(cluster[node]:thin("quorum", {
      quorum = function(_, quorate, ring) states[ring.seq] = quorate end,
    })))
    assert(handle:trackstart("changes"))
    return states
  end

  -- A member that sends all the time and notes what each message came under.
  local function member(node)
    local self = { states = record_states(node), handled = {}, running = true }
    local room = cluster[node]:group("load", { quorum = "ignore" })
    self.room = room
    function room.on.message(payload, from, info)
      table.insert(self.handled, {
        payload = payload, from = from, seq = info.ring.seq, quorate = room.view.quorate,
      })
    end
    assert(room:join())
    self.sending = corolua.spawn(function()
      local number = 0
      while self.running do
        number = number + 1
        room:send(("%d:%d"):format(node, number))
        if number % 8 == 0 then corolua.sleep(0.002) end
      end
    end)
    return self
  end

  local function stop(self)
    self.running = false
    self.sending:wait()
    assert(self.room:leave())
  end

  local function check_states(self)
    for _, message in ipairs(self.handled) do
      assert.equal(self.states[message.seq] or false, message.quorate)
    end
  end

  -- What both were told of, they were told of in the same order and rings.
  local function check_common(a, b)
    local place = {}
    for i, message in ipairs(a.handled) do place[message.payload] = i end
    local last, common = 0, 0
    for _, message in ipairs(b.handled) do
      local i = place[message.payload]
      if i then
        assert.is_true(i > last)
        assert.equal(a.handled[i].seq, message.seq)
        last, common = i, common + 1
      end
    end
    assert.is_true(common > 100)
  end

  it("keeps messages in their rings over partitions and heals", function()
    local members = { member(1), member(2), member(3) }
    for round = 1, 6 do
      assert(cluster:isolate(round % 3 + 1))
      assert(cluster:settle())
      assert(cluster:heal())
      assert(cluster:settle())
    end
    for _, each in ipairs(members) do stop(each) end
    for i, each in ipairs(members) do
      check_states(each)
      check_common(each, members[i % 3 + 1])
    end
  end)

  it("keeps messages in their rings where a ring is skipped", function()
    local subject = member(1)
    local is_armed = false
    local watcher = support.follow(cluster[1], assert(cluster[1]:thin("cpg", {
      totem_confchg = function()
        if is_armed then cluster[1].daemon:signal("STOP") end
        is_armed = false
      end,
    })))
    assert(watcher)
    local rounds = 0
    while subject.room:stats().skipped_rings < 5 and rounds < 20 do
      rounds = rounds + 1
      is_armed = true
      assert(cluster:isolate(2))
      eventually(function() return not is_armed end)
      eventually(function() return #cluster[3]:quorum().nodes == 1 end)
      assert(cluster:heal())
      cluster[1].daemon:signal("CONT")
      assert(cluster:settle())
    end
    assert.is_true(subject.room:stats().skipped_rings >= 5)
    stop(subject)
    check_states(subject)
    assert.is_true(#subject.handled > 100)
  end)
end)
