-- Not sanitized: Lua alone.
-- What corolua.replica is made of, where no cluster is needed.
local durability = require("corolua.replica.durability")
local origins = require("corolua.replica.origins")
local rounds = require("corolua.replica.rounds")
local segments = require("corolua.replica.segments")
local submits = require("corolua.replica.submits")
local wire = require("corolua.replica.wire")

local function member(nodeid, pid)
  return setmetatable({ nodeid = nodeid, pid = pid or 1 }, {
    __tostring = function(self) return self.nodeid .. "/" .. self.pid end,
  })
end

describe("replica.segments", function()
  local function term(first, nonce)
    return { first = first, seq = nonce, round = 1, nonce = nonce }
  end

  it("finds how far two logs agree", function()
    local cases = {
      { {}, 0, {}, 0, nil },
      { { term(1, 10) }, 5, { term(1, 10) }, 5, 5 },
      { { term(1, 10) }, 5, { term(1, 10) }, 9, 5 },
      { { term(1, 10), term(4, 20) }, 8, { term(1, 10), term(4, 20) }, 6, 6 },
      { { term(1, 10), term(4, 20) }, 8, { term(1, 10), term(6, 30) }, 9, 3 },
      { { term(1, 10), term(6, 20) }, 8, { term(1, 10), term(4, 30) }, 9, 3 },
      { { term(1, 10) }, 8, { term(1, 10), term(4, 30) }, 9, 3 },
      { { term(1, 10) }, 8, { term(1, 11) }, 9, nil },
      { { term(1, 10), term(4, 20) }, 8, { term(4, 20), term(7, 30) }, 9, 6 },
      { { term(1, 10), term(4, 20) }, 8, { term(5, 20) }, 9, nil },
    }
    for i, case in ipairs(cases) do
      local a, a_last, b, b_last, expected = table.unpack(case, 1, 5)
      assert.equal(expected, segments.common(a, a_last, b, b_last), i)
      assert.equal(expected, segments.common(b, b_last, a, a_last), i)
    end
  end)

  it("keeps the newest terms", function()
    local list = {}
    for i = 1, segments.KEPT + 10 do segments.add(list, term(i, i)) end
    assert.equal(segments.KEPT, #list)
    assert.equal(segments.KEPT + 10, list[#list].first)
  end)
end)

describe("replica.durability", function()
  local a, b, c, twin = member(1), member(2), member(3), member(1, 2)

  local function statuses(votes, expected)
    local list = {}
    for one, count in pairs(votes) do list[one] = { votes = count, expected = expected } end
    return list
  end

  it("counts the votes of nodes against those that are expected", function()
    local equal = statuses({ [a] = 1, [b] = 1, [c] = 1 }, 3)
    local cases = {
      { "majority", equal, { a, b, c }, { [a] = 9, [b] = 5, [c] = 0 }, 5 },
      { "all", equal, { a, b, c }, { [a] = 9, [b] = 5, [c] = 4 }, 4 },
      { "all", equal, { a, b, c }, { [a] = 9, [b] = 5 }, 0 },
      { "all", equal, { a, b }, { [a] = 9, [b] = 5 }, 5 },
      { "majority", equal, { a }, { [a] = 9 }, 0 },
      { "all", equal, { a }, { [a] = 9 }, 0 },
      { "majority", statuses({ [a] = 3, [b] = 1, [c] = 1 }, 5), { a, b, c }, { [a] = 9 }, 9 },
      { "majority", statuses({ [a] = 1, [b] = 1 }, 5), { a, b }, { [a] = 9, [b] = 9 }, 0 },
      { "majority", statuses({ [a] = 1, [b] = 1 }, 0), { a, b }, { [a] = 9, [b] = 7 }, 7 },
      { "majority", statuses({ [a] = 1, [twin] = 1, [b] = 1 }, 3), { a, twin, b },
        { [a] = 9, [twin] = 3, [b] = 9 }, 3 },
    }
    for i, case in ipairs(cases) do
      local level, of, members, written, expected = table.unpack(case)
      assert.equal(expected, durability.reached(level, of, members, written), i)
    end
  end)

  it("takes half of the votes for no majority", function()
    local all = statuses({ [a] = 1, [b] = 1 }, 4)
    assert.is_false(durability.is_majority(all, { a, b }, { a, b }))
    assert.is_true(durability.is_majority(statuses({ [a] = 2, [b] = 1 }, 4), { a, b }, { a, b }))
    assert.is_false(durability.is_majority(statuses({ [a] = 1, [twin] = 1 }, 3),
      { a, twin }, { a, twin }))
  end)
end)

describe("replica.origins", function()
  it("refuses what was applied already, and survives being packed", function()
    local one = origins.new()
    assert.is_true(one:note(7, 1, 10))
    assert.is_true(one:note(-8, 5, 11))
    assert.is_false(one:note(7, 1, 12))
    assert.is_true(one:note(7, 3, 13))
    local other, at = origins.unpack("head" .. one:pack() .. "tail", 5)
    assert.equal(#("head" .. one:pack()) + 1, at)
    assert.same({ 3, 5, 0 }, { other:last(7), other:last(-8), other:last(9) })
    assert.is_false(other:note(7, 2, 14))
  end)

  it("forgets the ones that were silent for longest, wherever it was unpacked", function()
    local one = origins.new()
    for origin = 1, 400 do one:note(origin, 1, origin) end
    local other = origins.unpack(one:pack(), 1)
    for origin = 401, 700 do
      one:note(origin, 1, origin)
      other:note(origin, 1, origin)
    end
    assert.same(one.numbers, other.numbers)
    assert.equal(0, one:last(1))
    assert.equal(1, one:last(700))
  end)
end)

describe("replica.rounds", function()
  it("gives each life of a ring another round, and saves it first", function()
    local saved
    local function save(round)
      saved = round
      return true
    end
    local one = rounds.new(nil, save)
    assert.equal(1, one:enter(5))
    assert.equal(2, one:enter(5))
    assert.equal(4, one:enter(5, 4))
    assert.equal(1, one:enter(9))
    assert.same({ seq = 9, round = 1 }, saved)
    assert.equal(2, rounds.new(saved, save):enter(9))
    assert.equal("ERR_NO_SPACE", (select(3,
      rounds.new(nil, function() return nil, "full", "ERR_NO_SPACE" end):enter(1))))
  end)
end)

describe("replica.submits", function()
  local function of(entry) return table.pack(table.unpack(entry.results, 2, entry.results.n)) end

  it("says what became of commands when quorum goes", function()
    local list = submits.new()
    local waiting, passed, of_old_life, applied = list:begin(1, 1), list:begin(1, 1),
      list:begin(1, 0), list:begin(1, 1)
    list:pass(passed.number, 1, true)
    list:take(applied.number, 5, "result")
    list:lose_quorum(2, 1)
    assert.same({ "never", "unknown", "unknown", "unknown" },
      { waiting.results[4], passed.results[4], of_old_life.results[4], applied.results[4] })
    assert.is_false(list:is_waiting())
  end)

  it("answers in order as records become durable", function()
    local list = submits.new()
    local one, two = list:begin(1, 1), list:begin(1, 1)
    list:take(one.number, 5, "a")
    list:take(two.number, 6, "b")
    list:advance(5)
    assert.equal("a", one.results[1])
    assert.is_nil(two.results)
    list:cut(5)
    assert.same({ "ERR_NOT_QUORATE", "never" }, { of(two)[2], of(two)[3] })
  end)

  it("sends again what came back in another ring, and knows what a snapshot has", function()
    local list = submits.new()
    local one, two, three, four = list:begin(1, 1), list:begin(1, 1), list:begin(1, 1),
      list:begin(2, 2)
    list:pass(one.number, 2, true)
    assert.equal(submits.AGAIN, one.results[1])
    list:settle(two.number, 2)
    assert.equal("applied", two.results[4])
    assert.equal(submits.AGAIN, three.results[1])
    assert.is_nil(four.results)
  end)
end)

describe("replica.wire", function()
  it("reads what it writes", function()
    local a, b = member(1, 7), member(2, 8)
    local nonce = -5
    local kind, status = wire.read(wire.status({
      seq = 9, is_synced = true, is_strict = false, has_accepted = true, round = 2,
      nonce = nonce, last_seq = 8,
      last_round = 1, last_nonce = 6, last = 100, written = 90, votes = 1, expected = 3,
      heard = { a, b },
    }))
    assert.equal("status", kind)
    assert.same({
      seq = 9, is_synced = true, is_strict = false, has_accepted = true, round = 2,
      nonce = nonce, last_seq = 8,
      last_round = 1, last_nonce = 6, last = 100, written = 90, votes = 1, expected = 3,
      heard = { ["1/7"] = true, ["2/8"] = true },
    }, status)
    assert.same({ nonce, 3, 4 }, { wire.read_command(wire.command(nonce, 3, 4, "x")) })
    local _, want = wire.read(wire.want(9, a, 5, {
      base = 1, last = 2, segments = { { first = 1, seq = 2, round = 3, nonce = nonce } },
    }))
    assert.same({ first = 1, seq = 2, round = 3, nonce = nonce }, want.segments[1])
    local _, piece = wire.read(wire.piece(9, a, 5, 6, "last", "bytes"))
    assert.equal("bytes", wire.piece_bytes(piece))
    assert.is_true(piece.is_last)
  end)

  it("raises for nothing that others may send", function()
    local whole = {
      wire.status({
        seq = 9, round = 2, nonce = 0, last_seq = 8, last_round = 1, last_nonce = 6, last = 100,
        written = 90,
        votes = 1, expected = 3, heard = { member(1) },
      }),
      wire.want(9, member(1), 5, { base = 1, last = 2, segments = { { first = 1, seq = 2,
        round = 3, nonce = 4 } } }),
      wire.piece(9, member(1), 5, 6, "more", ""), wire.got(9, member(1), 5, 6),
      wire.ack(9, 1, 2, 3), "", "?", "c",
    }
    for _, bytes in ipairs(whole) do
      for length = 0, #bytes - 1 do assert.is_nil((wire.read(bytes:sub(1, length)))) end
    end
    assert.is_nil(wire.read_command("c123"))
  end)
end)
