local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

-- A program to which one of the two libraries delivers late, beside a member on
-- the same daemon that hears both in time: both must come to the same.
describe("the view fence with one socket delayed", function()
  local cluster

  before_each(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  after_each(function()
    cluster:close()
  end)

  -- What libquorum told node 1 of each ring, by seq.
  local function record_states()
    local states = {}
    local handle = assert(cluster[1]:thin("quorum", {
      quorum = function(_, quorate, ring) states[ring.seq] = quorate end,
    }))
    support.follow(cluster[1], handle)
    assert(handle:trackstart("changes"))
    return states
  end

  -- A member of the same group on a node, which notes what the program notes.
  local function twin(node)
    local self = { messages = {}, told = { members = {}, quorum = {} }, running = true }
    local room = cluster[node]:group("delayed", { quorum = "ignore" })
    self.room = room
    function room.on.members(view) self.told.members[view.ring.seq] = corolua.now() end
    function room.on.quorum(state) self.told.quorum[state.ring.seq] = corolua.now() end
    function room.on.message(payload, _, info)
      table.insert(self.messages,
        ("%d %s %s"):format(info.ring.seq, tostring(room.view.quorate), payload))
    end
    assert(room:join())
    self.sending = corolua.spawn(function()
      for number = 1, math.huge do
        if not self.running then return end
        assert(room:send(("%d:%d"):format(node, number)))
        corolua.sleep(0.003)
      end
    end)
    return self
  end

  local function stop_sending(self)
    self.running = false
    self.sending:wait()
  end

  -- The delayed program under partitions and heals; what it printed.
  local function run(call, members)
    local running = corolua.spawn(function()
      return assert(cluster[1]:tool("env", "DELAY=" .. call .. "=200",
        support.preload_stub("delay"), support.program, "spec/support/delayed.lua", "delayed"))
    end)
    assert(corolua.wait(function() return #members[1].room.members == 3 end, 20))
    for round = 1, 8 do
      assert(cluster:isolate(round % 2 + 1))
      assert(cluster:settle())
      assert(cluster:heal())
      assert(cluster:settle())
    end
    for _, member in ipairs(members) do stop_sending(member) end
    assert(members[1].room:send("end"))
    local result = running:wait(30)
    assert.equal(0, result.status, result.output)
    return result.output
  end

  local function entries_of(output)
    local entries = {}
    for kind, seq, quorate, what in output:gmatch("(%a+) (%d+) (%a+) (%S+)") do
      table.insert(entries, { kind = kind, seq = tonumber(seq), quorate = quorate, what = what })
    end
    return entries
  end

  -- In each ring that was not skipped: its list if that changed, its state,
  -- its messages; and everything under the state of its own ring.
  local function check_order(entries, states)
    local seq, has_state
    for _, entry in ipairs(entries) do
      assert.equal(tostring(states[entry.seq] or false), entry.quorate)
      if entry.seq ~= seq then
        assert.is_true(not seq or entry.seq > seq)
        seq, has_state = entry.seq, false
      end
      if entry.kind == "quorum" then
        has_state = true
      elseif entry.kind == "message" then
        assert.is_true(has_state or states[seq] == nil)
      end
    end
  end

  -- From its first message on, the program was told what its neighbour was.
  local function check_messages(entries, expected)
    local place = {}
    for i, line in ipairs(expected) do place[line] = i end
    local at
    for _, entry in ipairs(entries) do
      if entry.kind == "message" then
        local line = ("%d %s %s"):format(entry.seq, entry.quorate, entry.what)
        at = at and at + 1 or place[line]
        assert.equal(expected[at], line)
      end
    end
    assert.matches(" end$", expected[at])
  end

  -- How much later than its neighbour the program was told of a ring, at most.
  local function lag_of(entries, told)
    local lag = 0
    for _, entry in ipairs(entries) do
      local at = told[entry.kind] and told[entry.kind][entry.seq]
      if at then lag = math.max(lag, tonumber(entry.what) - at) end
    end
    return lag
  end

  for _, call in ipairs({ "quorum_dispatch", "cpg_dispatch" }) do
    it("tells of the same under the same quorum: " .. call, function()
      local states = record_states()
      local members = { twin(1), twin(3) }
      local entries = entries_of(run(call, members))
      check_order(entries, states)
      check_messages(entries, members[1].messages)
      assert.is_true(#entries > 500)
      assert.is_true(lag_of(entries, members[1].told) > 0.05)
    end)
  end
end)
