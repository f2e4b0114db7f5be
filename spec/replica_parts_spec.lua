-- Not sanitized: Lua alone.
-- What corolua.replica is made of, where no cluster is needed.
local corolua = require("corolua")
local commit_rule = require("corolua.replica.commit_rule")
local dispatch = require("corolua.replica.dispatch")
local ballot = require("corolua.replica.ballot")
local seal = require("corolua.service.seal")
local state_machine = require("corolua.replica.state_machine")
local state_transfer = require("corolua.replica.state_transfer")
local term_history = require("corolua.replica.term_history")
local pending = require("corolua.replica.pending")
local wire = require("corolua.replica.wire")

local sessions = state_machine.sessions

local function member(nodeid, pid)
  return setmetatable({ nodeid = nodeid, pid = pid or 1 }, {
    __tostring = function(self) return self.nodeid .. "/" .. self.pid end,
  })
end

describe("replica.term_history", function()
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
      assert.equal(expected, term_history.common(a, a_last, b, b_last), i)
      assert.equal(expected, term_history.common(b, b_last, a, a_last), i)
    end
  end)

  it("keeps the newest terms", function()
    local list = {}
    for i = 1, term_history.KEPT + 10 do term_history.add(list, term(i, i)) end
    assert.equal(term_history.KEPT, #list)
    assert.equal(term_history.KEPT + 10, list[#list].first)
  end)
end)

describe("replica.commit_rule", function()
  local a, b, c, twin = member(1), member(2), member(3), member(1, 2)

  local function votes(by_nodeid, expected) return { votes = by_nodeid, expected = expected } end

  it("counts the votes of nodes against those that are expected", function()
    local equal = votes({ 1, 1, 1 }, 3)
    local cases = {
      { "majority", equal, { a, b, c }, { [a] = 9, [b] = 5, [c] = 0 }, 5 },
      { "all", equal, { a, b, c }, { [a] = 9, [b] = 5, [c] = 4 }, 4 },
      { "all", equal, { a, b, c }, { [a] = 9, [b] = 5 }, 0 },
      { "all", equal, { a, b }, { [a] = 9, [b] = 5 }, 5 },
      { "majority", equal, { a }, { [a] = 9 }, 0 },
      { "all", equal, { a }, { [a] = 9 }, 0 },
      { "majority", votes({ 3, 1, 1 }, 5), { a, b, c }, { [a] = 9 }, 9 },
      { "majority", votes({ 1, 1 }, 5), { a, b }, { [a] = 9, [b] = 9 }, 0 },
      { "majority", { expected = 0 }, { a, b }, { [a] = 9, [b] = 7 }, 7 },
      { "majority", votes({ 1, 1 }, 3), { a, twin, b }, { [a] = 9, [twin] = 3, [b] = 9 }, 3 },
      { "majority", votes({ 1 }, 1), { b }, { [b] = 9 }, 0 },
    }
    for i, case in ipairs(cases) do
      local level, of, members, written, expected = table.unpack(case)
      assert.equal(expected, commit_rule.reached(level, of, members, written), i)
    end
  end)

  it("takes half of the votes for no majority", function()
    assert.is_false(commit_rule.is_majority(votes({ 1, 1 }, 4), { a, b }, { a, b }))
    assert.is_true(commit_rule.is_majority(votes({ 2, 1 }, 4), { a, b }, { a, b }))
    assert.is_false(commit_rule.is_majority(votes({ 1, 1 }, 3), { a, twin }, { a, twin }))
  end)

  it("counts a node only with all of its members", function()
    local three = votes({ 1, 1, 1 }, 3)
    assert.is_true(commit_rule.is_majority(three, { a, twin, b, c }, { a, twin, b }))
    assert.is_false(commit_rule.is_majority(three, { a, twin, b, c }, { a, b }))
  end)
end)

describe("replica.sessions", function()
  it("refuses what was applied already, and survives being packed", function()
    local one = sessions.new()
    assert.is_true(one:note(7, 1, 10, 1, 100))
    assert.is_true(one:note(-8, 5, 11, 2, 100))
    assert.is_false(one:note(7, 1, 12, 1, 100))
    assert.is_true(one:note(7, 3, 13, 1, 100))
    local other, at = sessions.unpack("head" .. one:pack() .. "tail", 5)
    assert.equal(#("head" .. one:pack()) + 1, at)
    assert.same({ 3, 5, 0 },
      { other:last(7, 1, 100), other:last(-8, 2, 100), other:last(9, 1, 100) })
    assert.is_false(other:note(7, 2, 14, 1, 100))
    assert.equal(one:pack(), sessions.unpack(one:pack(), 1):pack())
  end)

  it("lets no member use up the numbers of another one", function()
    local one = sessions.new()
    assert.is_true(one:note(7, 1, 10, 1, 100))
    assert.is_true(one:note(7, 1000, 11, 2, 100))
    for origin = 1, 1000 do one:note(origin, 1, 11 + origin, 2, 100) end
    assert.equal(1, one:last(7, 1, 100))
    assert.is_true(one:note(7, 2, 2000, 1, 100))
  end)

  it("forgets the ones that were silent for longest, wherever it was unpacked", function()
    local one = sessions.new()
    for pid = 1, 400 do one:note(5, 1, pid, 1, pid) end
    local other = sessions.unpack(one:pack(), 1)
    for pid = 401, 700 do
      one:note(5, 1, pid, 1, pid)
      other:note(5, 1, pid, 1, pid)
    end
    assert.same(one.entries, other.entries)
    assert.equal(0, one:last(5, 1, 1))
    assert.equal(1, one:last(5, 1, 700))
  end)
end)

describe("replica.ballot", function()
  it("gives each life of a ring another round, and saves it first", function()
    local saved
    local function save(round)
      saved = round
      return true
    end
    local one = ballot.new(nil, save)
    assert.equal(1, one:enter(5))
    assert.equal(2, one:enter(5))
    assert.equal(4, one:enter(5, 4))
    assert.equal(1, one:enter(9))
    assert.same({ seq = 9, round = 1 }, saved)
    assert.equal(2, ballot.new(saved, save):enter(9))
    assert.equal("ERR_NO_SPACE", (select(3,
      ballot.new(nil, function() return nil, "full", "ERR_NO_SPACE" end):enter(1))))
  end)

  it("has no round above the highest, and says so", function()
    local one = ballot.new({ seq = 5, round = wire.MAX }, function() error("saved") end)
    assert.equal("ERR_OVERLOAD", (select(3, one:enter(5))))
  end)

  it("decides nothing in the ring in which it has lost count", function()
    local saved = 0
    local one = ballot.new({ lost = "the checksum is wrong" }, function()
      saved = saved + 1
      return true
    end)
    assert.equal(1, one:enter(5))
    assert.equal(2, one:enter(5))
    assert.same({ false, 0 }, { one:may_decide(5), saved })
    assert.equal(1, one:enter(9))
    assert.same({ true, 1 }, { one:may_decide(9), saved })
  end)
end)

describe("replica.pending", function()
  it("says what became of commands when quorum goes", function()
    local list = pending.new(function() end)
    local waiting, passed, of_old_life, applied = list:begin(1, 1), list:begin(1, 1),
      list:begin(1, 0), list:begin(1, 1)
    list:pass(passed.number, 1, true)
    list:take(applied.number, 5, "result")
    list:lose_quorum(2, 1)
    assert.same({ "never", "unknown", "unknown", "unknown" },
      { waiting.results[4], passed.results[4], of_old_life.results[4], applied.results[4] })
    assert.is_false(list:is_waiting())
  end)

  it("answers in the order in which they were sent", function()
    local list, all, order = pending.new(function() end), {}, {}
    for i = 1, 999 do all[i] = list:begin(1, 1) end
    for i, entry in ipairs(all) do
      if i % 37 ~= 0 then list:drop(entry) end
      function entry.resume() order[#order + 1] = i end
    end
    list:settle(0)
    list:conclude(2)
    assert.equal(27, #order)
    for i, number in ipairs(order) do assert.equal(37 * i, number) end
  end)

  it("answers in order as records become durable", function()
    local list = pending.new(function() end)
    local one, two = list:begin(1, 1), list:begin(1, 1)
    list:take(one.number, 5, "a")
    list:take(two.number, 6, "b")
    list:advance(5)
    assert.equal("a", one.results[1])
    assert.is_nil(two.results)
  end)

  it("sends again what came back in another ring, and knows what a snapshot has", function()
    local closed = 0
    local list = pending.new(function() closed = closed + 1 end)
    local one, two, three, four, five = list:begin(1, 1), list:begin(1, 1), list:begin(1, 1),
      list:begin(1, 2), list:begin(1, 2)
    list:pass(one.number, 2, true)
    assert.equal(pending.AGAIN, one.results[1])
    list:settle(two.number)
    list:conclude(2)
    assert.equal("applied", two.results[4])
    assert.equal(pending.AGAIN, three.results[1])
    assert.same({ nil, nil, true, 0 }, { four.results, five.results, list:is_open(), closed })
    list:miss(four.number, 1)
    list:miss(five.number, 2)
    assert.equal(pending.AGAIN, four.results[1])
    assert.equal(pending.AGAIN, five.results[1])
    assert.same({ false, 1 }, { list:is_open(), closed })
  end)

  it("says nothing of what a term lacks before that is sure to stay", function()
    local list = pending.new(function() end)
    local lost, missed, dropped, there = list:begin(1, 1), list:begin(1, 2), list:begin(1, 2),
      list:begin(1, 2)
    list:take(dropped.number, 5, "a")
    list:take(there.number, 6, "b")
    list:take_back(4)
    list:settle(0)
    list:miss(missed.number, 1)
    list:miss(there.number, 1)
    assert.same({}, { lost.results, missed.results, dropped.results, there.results })
    list:settle(0) -- that term was over too soon; the log of the next one has more
    list:take(there.number, 4, "c")
    list:advance(4)
    assert.equal("c", there.results[1])
    assert.same({}, { lost.results, missed.results, dropped.results })
    list:conclude(2)
    for _, entry in ipairs({ lost, missed, dropped }) do
      assert.equal(pending.AGAIN, entry.results[1])
    end
  end)
end)

describe("replica.wire", function()
  local a, b = member(1, 7), member(2, 8)
  local nonce = -5

  local function status(changes)
    local fields = {
      seq = 9, is_synced = true, is_strict = false, has_accepted = true, round = 2,
      nonce = nonce, last_seq = 9, last_round = 2, last_nonce = nonce, last = 100, written = 90,
      heard = { a, b },
    }
    for key, value in pairs(changes or {}) do fields[key] = value end
    return fields
  end

  it("reads what it writes", function()
    local kind, fields = wire.read(wire.write(a, "status", status()), a)
    assert.equal("status", kind)
    assert.same(status({ heard = { ["1/7"] = true, ["2/8"] = true } }), fields)
    local command = wire.command(a, nonce, 3, 4, "x")
    assert.equal("command", (wire.read(command, a)))
    assert.same({ nonce, 3, 4 }, { wire.read_command(command) })
    assert.equal("x", wire.command_bytes(command))
    local _, want = wire.read(wire.write(b, "want", {
      seq = 9, to = a, id = 5, base = 1, last = 2,
      terms = { { first = 1, seq = 2, round = 3, nonce = nonce } },
    }), b)
    assert.same({ first = 1, seq = 2, round = 3, nonce = nonce }, want.terms[1])
    local _, piece = wire.read(wire.write(a, "piece", {
      seq = 9, to = a, id = 5, number = 6, ending = "last", bytes = "bytes",
    }), a)
    assert.equal("bytes", piece.bytes())
    assert.is_true(piece.is_last)
    local _, digest = wire.read(wire.write(a, "digest", {
      seq = 9, nonce = nonce, index = 7, digest = "sum",
    }), a)
    assert.same({ seq = 9, nonce = nonce, index = 7, digest = "sum" }, digest)
    assert.same({ "mark", { seq = 9, nonce = nonce } },
      { wire.read(wire.write(a, "mark", { seq = 9, nonce = nonce }), a) })
  end)

  local whole = {
    wire.write(a, "status", status()), wire.command(a, 1, 2, 3, "bytes"),
    wire.write(a, "decision", {
      seq = 9, round = 2, last_seq = 8, last_round = 1, last_nonce = 6, last = 100, nonce = 1,
      members = { a, b },
    }),
    wire.write(a, "want", { seq = 9, to = a, id = 5, base = 1, last = 2,
      terms = { { first = 1, seq = 2, round = 3, nonce = 4 } } }),
    wire.write(a, "piece", { seq = 9, to = a, id = 5, number = 6, ending = "more", bytes = "" }),
    wire.write(a, "got", { seq = 9, to = a, id = 5, count = 6 }),
    wire.write(a, "ack", { seq = 9, nonce = 1, written = 2, last = 3 }),
    wire.write(a, "mark", { seq = 9, nonce = 1 }),
    wire.write(a, "digest", { seq = 9, nonce = 1, index = 2, digest = "sum" }),
  }

  it("takes nothing that is cut short, changed, or sent by another", function()
    for _, bytes in ipairs(whole) do
      assert.is_string((wire.read(bytes, a)))
      assert.is_nil((wire.read(bytes, b)))
      for length = 0, #bytes - 1 do assert.is_nil((wire.read(bytes:sub(1, length), a))) end
      for at = 1, #bytes do
        local other = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1)
        assert.is_nil((wire.read(other, a)))
      end
    end
    for _, bytes in ipairs({ "", "?", "c", ("x"):rep(99) }) do
      assert.is_nil((wire.read(bytes, a)))
    end
  end)

  -- Whoever can write a seal can write any number behind it.
  it("raises for no bytes behind a right seal", function()
    local seed = 7
    math.randomseed(seed)
    for _ = 1, 20000 do
      local bytes = whole[math.random(#whole)]:sub(1, -seal.SIZE - 1)
      for _ = 1, math.random(3) do
        local at = math.random(2, #bytes)
        bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
      end
      local ok, kind, why = pcall(wire.read, seal.close(bytes, a), a)
      assert(ok, ("seed %d: %s"):format(seed, tostring(kind)))
      assert(kind or type(why) == "string", ("seed %d"):format(seed))
    end
  end)

  it("takes no more members than a group has, nor more terms than a log keeps", function()
    local members, terms = {}, {}
    for i = 1, 129 do members[i] = member(i) end
    for i = 1, term_history.KEPT + 1 do terms[i] = { first = i, seq = i, round = 1, nonce = i } end
    local log = { seq = 9, to = a, id = 5, base = 0, last = 1000, terms = terms }
    assert.is_nil((wire.read(wire.write(a, "status", status({ heard = members })), a)))
    assert.is_nil((wire.read(wire.write(a, "want", log), a)))
    members[129], terms[term_history.KEPT + 1] = nil, nil
    assert.equal("status", (wire.read(wire.write(a, "status", status({ heard = members })), a)))
    assert.equal("want", (wire.read(wire.write(a, "want", log), a)))
  end)

  it("refuses numbers that cannot be", function()
    local wrong = {
      { round = 0 }, { round = -1 }, { last = -1 }, { last = math.maxinteger }, { written = 101 },
      { written = -1 }, { last_seq = -3 }, { last_round = -3 }, { last_nonce = 1 },
      { last_seq = 8 }, { last_round = 1 }, { seq = -1 },
    }
    for i, changes in ipairs(wrong) do
      local kind, why = wire.read(wire.write(a, "status", status(changes)), a)
      assert.is_nil(kind, i)
      assert.equal("a status cannot have these numbers", why)
    end
    assert.equal("status", (wire.read(wire.write(a, "status", status({ round = wire.MAX,
      last_round = wire.MAX })), a)))
  end)

  it("says of a version before that it is one", function()
    local kind, why = wire.read(string.pack("<c1I8B", "s", 9, 1), a)
    assert.is_nil(kind)
    assert.equal("it is of version 1 of the replicas' format, and this is version 2", why)
  end)
end)

describe("replica.state_transfer", function()
  local me, host, calls = member(1), member(2), nil
  local self

  before_each(function()
    calls = {}
    local function noted(name)
      return function(_, value) table.insert(calls, { name, value }) end
    end
    self = {
      phase = "fetching", seq = 9, room = { me = me }, origin = 1,
      pending = pending.new(function() end),
      recovery = { round = 1, heard = { [host] = true }, statuses = { [host] = { nonce = 7 } } },
      commit = { prove_all = function() end },
      machine = {
        last = 100, terms = {}, journal = { base = { index = 0 } },
        term = function() return { seq = 9, nonce = 7 } end,
        go_back = function() return false end,
        append = function(one, bytes)
          table.insert(calls, { "append", bytes })
          one.last = one.last + 1
          return true
        end,
      },
      say = noted("say"), log_cut = noted("log_cut"), meet_again = noted("meet_again"),
      stop_fetching = noted("stop_fetching"), become_synced = noted("become_synced"),
      follow = function() end,
    }
    self.fetching = state_transfer.fetch(self, host)
    self.fetching:begin()
    calls = {}
  end)

  local function last_piece(bytes)
    local piece = wire.write(host, "piece", {
      seq = 9, to = me, id = self.fetching.id, number = 1, ending = "last", bytes = bytes,
    })
    local why
    corolua.run(function() why = dispatch.message(self, piece, host) end)
    return why
  end

  local function head(from, to) return string.pack("<c1i8i8i8", "r", from, to, 0) end

  it("says of no command that it is dropped where the log cannot go back", function()
    assert.equal("it begins before the log here", last_piece(head(50, 100)))
    assert.same({ { "stop_fetching" } }, calls)
  end)

  it("goes on in no replica that is closed between the last piece and what is behind", function()
    self.machine.go_back = function() return true end
    local one, fetching, looks = self, self.fetching, 0
    local is_over = fetching.is_over
    function fetching.is_over() -- at first once the head was read, then behind the piece
      looks = looks + 1
      if looks == 2 then corolua.spawn(function() one.fetching = nil end) end
      return is_over(fetching)
    end
    last_piece(head(100, 100))
    assert.equal(3, looks)
    assert.same({ { "log_cut", 100 } }, calls)
  end)

  it("does not forget that an own command waits behind the request", function()
    local entry = self.pending:begin(9, 1)
    dispatch.message(self, wire.command(me, 7, 1, entry.number, "a"), me)
    self.pending:lose_quorum(10, 1) -- what waits here is gone, and the host has applied it
    assert.equal("unknown", entry.results[4])
  end)

  it("applies no command of one who was not heard, for others before it may be lost", function()
    self.machine.go_back = function() return true end
    self.fetching:keep(wire.command(host, 7, 5, 1, "a"), host)
    local stranger = member(3)
    self.fetching:keep(wire.command(stranger, 7, 6, 2, "b"), stranger)
    assert.equal(2, #self.fetching.queue)
    assert.is_nil(last_piece(head(100, 100)))
    assert.same({ "log_cut", "append", "meet_again" }, { calls[1][1], calls[2][1], calls[3][1] })
    assert.equal(3, #calls)
  end)
end)
