-- corolua.replica.recovery: what counts of what members say, for one member whose
-- ring, statuses and votes are given.
local recovery = require("corolua.replica.recovery")
local scheduler = require("corolua.task.scheduler")

local function new_member(nodeid)
  return setmetatable({ nodeid = nodeid, pid = 1 }, {
    __tostring = function(self) return self.nodeid .. "/" .. self.pid end,
  })
end

local SEQ, LEAP = 9, 1 << 20

describe("replica.recovery", function()
  local a, b, c, stranger = new_member(1), new_member(2), new_member(3), new_member(4)
  local everybody = { ["1/1"] = true, ["2/1"] = true, ["3/1"] = true }
  local member, self, calls

  local function noted(name)
    return function(_, value) table.insert(calls, { name, value }) end
  end

  before_each(function()
    calls = {}
    member = {
      room = { me = a }, members = { a, b, c, stranger }, seq = SEQ, phase = "meeting",
      machine = {
        last = 50, term = function() return { seq = 8, round = 1, nonce = 7 } end,
      },
      ballot = { may_decide = function() return true end },
      commit = { is_strict = true, take = noted("take") },
      say = noted("say"), meet_again = noted("meet_again"), begin_term = noted("begin_term"),
      stop_fetching = noted("stop_fetching"), fetch = noted("fetch"),
    }
    self = recovery.new(member)
    self.tell_soon, self.wait_from_now = noted("tell_soon"), function() end
    self.waits_since = scheduler.now()
    self.round, self.highest = 3, 3
    self.votes = { votes = { 1, 1, 1, 1 }, expected = 4 }
  end)

  local function status(changes)
    local fields = {
      seq = SEQ, is_synced = false, is_strict = true, has_accepted = false, round = 3, nonce = 0,
      last_seq = 8, last_round = 1, last_nonce = 7, last = 50, written = 0, heard = everybody,
    }
    for key, value in pairs(changes or {}) do fields[key] = value end
    return fields
  end

  local function tell_all(changes)
    for _, one in ipairs({ a, b, c }) do
      assert.is_nil(self:hear_meeting(one, status(changes)))
    end
    calls = {}
  end

  local function decision(changes)
    local fields = {
      seq = SEQ, round = 3, last_seq = 8, last_round = 1, last_nonce = 7, last = 50, nonce = 99,
      members = everybody,
    }
    for key, value in pairs(changes or {}) do fields[key] = value end
    return fields
  end

  it("begins the term that members decide on who have told what it says", function()
    tell_all()
    assert.is_nil(self:decide_meeting(b, decision()))
    assert.same({ { "begin_term", 99 } }, calls)
  end)

  it("takes no decision of one who is not named in it, or that names who is not there", function()
    tell_all()
    assert.matches("not among those", self:decide_meeting(stranger, decision()))
    local more = { ["1/1"] = true, ["2/1"] = true, ["3/1"] = true, ["8/8"] = true }
    assert.matches("not there", self:decide_meeting(b, decision({ members = more })))
    assert.same({ 0, 3, {} }, { self.closed, self.round, calls })
    assert.is_nil(self:decide_meeting(b, decision()))
    assert.same({ { "begin_term", 99 } }, calls)
  end)

  it("goes on in the next round where the first decision of one is wrong", function()
    local wrong = {
      { last = 60 }, { last_nonce = 8 }, { last_seq = 7 }, { last_round = 2 },
      { members = { ["1/1"] = true, ["2/1"] = true } }, -- no majority of four
    }
    for i, changes in ipairs(wrong) do
      self.closed = 0
      tell_all()
      assert.is_string(self:decide_meeting(b, decision(changes)), i)
      assert.same({ { "meet_again", 4 } }, calls)
      calls = {}
      assert.is_nil(self:decide_meeting(c, decision()))
      assert.same({}, calls)
    end
  end)

  it("takes no decision of members that have not heard each other, or have decided", function()
    for _, changes in ipairs({ { heard = { ["2/1"] = true } }, { has_accepted = true },
      { round = 2 } }) do
      self.closed = 0
      tell_all()
      self.statuses[c] = status(changes)
      assert.is_string(self:decide_meeting(b, decision()))
      assert.same({ { "meet_again", 4 } }, calls)
    end
  end)

  it("stays in sync at a decision that nobody has told of, of whatever round", function()
    member.phase, member.nonce = "synced", 5
    for _, round in ipairs({ 3, 4, 1000, LEAP }) do
      assert.is_string(self:decide_synced(stranger, decision({
        round = round, members = { ["4/1"] = true },
      })))
    end
    assert.same({}, calls)
  end)

  it("takes no round that is far above all others", function()
    local highest = self.highest
    assert.matches("too far above 3", self:hear_meeting(stranger, status({ round = 1 << 62 })))
    assert.is_nil(self.statuses[stranger])
    assert.equal(highest + LEAP, self.highest)
    assert.same({ { "tell_soon" } }, calls)
    assert.is_nil(self:hear_meeting(b, status({ round = LEAP })))
    assert.same({ "meet_again", LEAP }, calls[2])
  end)

  it("takes no term of this ring that is far above all others", function()
    assert.is_string(self:hear_meeting(stranger, status({ last_seq = SEQ,
      last_round = 1 << 40 })))
    assert.is_nil(self:hear_meeting(stranger, status({ last_seq = SEQ - 1,
      last_round = 1 << 40 })))
  end)

  -- Whoever comes late has not heard how the others got there.
  it("gets to a high round that members tell of again and again", function()
    local high, told = LEAP * 40, 0
    while self:hear_meeting(b, status({ round = high })) do
      told = told + 1
      assert(told < 100)
    end
    assert.equal(39, told)
    assert.same({ "meet_again", high }, calls[#calls])
  end)

  it("leaves a term that a majority has left, and for nobody else", function()
    local function synced(nonce)
      return status({ is_synced = true, nonce = nonce, last_seq = SEQ, last_round = 3,
        last_nonce = nonce })
    end
    member.phase, member.nonce = "synced", 5
    self:hear_synced(b, synced(6))
    self:hear_synced(c, synced(6))
    assert.same({}, calls)
    self:hear_synced(stranger, synced(6))
    assert.same({ { "meet_again", 4 } }, calls)
  end)

  it("has no clock of a receiver decide", function()
    tell_all()
    local now = scheduler.now
    scheduler.now = function() error("the clock was read") end
    local ok, why = pcall(self.decide_meeting, self, b, decision())
    scheduler.now = now
    assert(ok, why)
    assert.same({ { "begin_term", 99 } }, calls)
  end)
end)
