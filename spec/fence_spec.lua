-- Not sanitized: Lua alone.
local fence = require("corolua.group.fence")

-- Members need only be different from each other here.
local A, B, C = "1/1", "2/2", "3/3"

local function ring(seq) return { nodeid = 1, seq = seq } end

local function change(member, reason) return { member = member, reason = reason } end

-- A fence whose outcome is a list of lines.
local function recorder(options)
  local told, view = {}, nil
  local out = {}
  local function line(...) table.insert(told, table.concat({ ... }, " ")) end
  local function list(changes)
    local words = {}
    for i, entry in ipairs(changes) do words[i] = entry.member .. ":" .. entry.reason end
    return table.concat(words, ",")
  end
  function out:view(now, changed) -- luacheck: ignore self
    view = now
    if changed then
      line("view", now.ring.seq, tostring(now.quorate), table.concat(now.members, ","),
        "+" .. list(now.joined), "-" .. list(now.left))
    end
  end
  function out:quorum(state, now) -- luacheck: ignore self
    view = now
    line("quorum", state.ring.seq, tostring(state.quorate), tostring(state.changed),
      "+" .. table.concat(state.joined, ","), "-" .. table.concat(state.left, ","))
  end
  function out:message(payload) -- luacheck: ignore self
    line("message", payload, view.ring.seq, tostring(view.quorate))
  end
  function out:entered() end -- luacheck: ignore self
  return fence.new(out, options), told
end

local function quorum_event(seq, quorate, joined, left)
  return { kind = "quorum", {
    quorate = quorate, ring = ring(seq), nodes = {}, joined = joined or {}, left = left or {},
  } }
end

local function ring_event(seq) return { kind = "ring", ring(seq), {} } end
local function message_event(payload) return { kind = "message", payload, A } end
local function confchg_event(members, left, joined)
  return { kind = "confchg", members, left, joined }
end
local OWN_JOIN = confchg_event({ A }, {}, { change(A, "join") })

local function feed(gate, event) gate[event.kind](gate, table.unpack(event)) end

local function run(events, options)
  local gate, told = recorder(options)
  for _, event in ipairs(events) do feed(gate, event) end
  return told, gate
end

-- Calls the function with every way to read two sockets.
local function interleave(cpg, quorum, fn)
  local order = {}
  local function step(i, j)
    if i > #cpg and j > #quorum then return fn(order) end
    if i <= #cpg then
      table.insert(order, cpg[i])
      step(i + 1, j)
      table.remove(order)
    end
    if j <= #quorum then
      table.insert(order, quorum[j])
      step(i, j + 1)
      table.remove(order)
    end
  end
  step(1, 1)
end

describe("corolua.group.fence", function()
  it("gives the own join once the state of its ring has been read", function()
    local gate, told = recorder()
    feed(gate, OWN_JOIN)
    feed(gate, ring_event(4))
    assert.same({}, told)
    feed(gate, quorum_event(4, true))
    assert.same({ "view 4 true 1/1 +1/1:join -", "quorum 4 true true + -" }, told)
  end)

  it("makes one view of what is left and joined in one ring", function()
    local told = run({
      OWN_JOIN, ring_event(4), quorum_event(4, true),
      confchg_event({ A }, { change(B, "nodedown") }, {}),
      confchg_event({ A, B, C }, {}, { change(B, "nodeup"), change(C, "nodeup") }),
      confchg_event({ A, B }, { change(C, "procdown") }, {}),
      ring_event(8), message_event("x"), quorum_event(8, false),
    })
    assert.same({
      "view 8 false 1/1,2/2 +2/2:nodeup,3/3:nodeup -2/2:nodedown,3/3:procdown",
      "quorum 8 false true + -", "message x 8 false",
    }, { table.unpack(told, 3) })
  end)

  it("gives joins and leaves within a ring at once", function()
    local told = run({
      OWN_JOIN, ring_event(4), quorum_event(4, true),
      confchg_event({ A, B }, {}, { change(B, "join") }), message_event("x"),
      confchg_event({ A }, { change(B, "procdown") }, {}),
    })
    assert.same({
      "view 4 true 1/1,2/2 +2/2:join -", "message x 4 true", "view 4 true 1/1 + -2/2:procdown",
    }, { table.unpack(told, 3) })
  end)

  it("joins in the last ring before the own join, repeated or not", function()
    local before = {
      ring_event(4), quorum_event(4, true), ring_event(8), quorum_event(8, true, { 2 }), OWN_JOIN,
    }
    local expected = { "view 8 true 1/1 +1/1:join -", "quorum 8 true true + -" }
    assert.same(expected, (run(before)))
    table.insert(before, ring_event(8))
    assert.same(expected, (run(before)))
  end)

  it("takes a further state of the current ring where it is read", function()
    local told = run({
      OWN_JOIN, ring_event(4), quorum_event(4, false), message_event("x"),
      quorum_event(4, true), message_event("y"),
    })
    assert.same({ "message x 4 false", "quorum 4 true true + -", "message y 4 true" },
      { table.unpack(told, 3) })
  end)

  it("adds up the nodes of rings that were skipped", function()
    local told = run({
      OWN_JOIN, ring_event(4), quorum_event(4, true),
      quorum_event(8, false, {}, { 2, 3 }), quorum_event(12, true, { 2 }, { 3 }), ring_event(12),
    })
    assert.same({ "quorum 12 true false +2 -2,3" }, { table.unpack(told, 3) })
  end)

  it("gives what was read when the connection is over, as inquorate", function()
    local told, gate = run({
      OWN_JOIN, ring_event(4), quorum_event(4, true), message_event("x"),
      ring_event(8), message_event("y"),
      confchg_event({ A, B }, {}, { change(B, "join") }),
    })
    gate:down()
    assert.same({ "message x 4 true", "message y 8 false", "view 8 false 1/1,2/2 +2/2:join -" },
      { table.unpack(told, 3) })
    assert.equal(1, gate.skipped)
  end)

  it("compares the first view of a new connection with the last of the old", function()
    local told = run({
      confchg_event({ A, C }, {}, { change(A, "join") }), ring_event(4), quorum_event(4, true),
    }, { previous = { members = { A, B } } })
    assert.equal("view 4 true 1/1,3/3 +1/1:join,3/3:nodeup -1/1:nodedown,2/2:nodedown", told[1])
  end)

  it("counts everything as quorate without a quorum provider", function()
    local told = run({ OWN_JOIN, ring_event(4), message_event("x"), ring_event(8) },
      { free = true })
    assert.same({
      "view 4 true 1/1 +1/1:join -", "quorum 4 true true + -", "message x 4 true",
      "quorum 8 true false + -",
    }, told)
  end)

  it("comes to the same whatever order the sockets are read in", function()
    local cpg = {
      OWN_JOIN, ring_event(4), message_event("a"),
      confchg_event({ A, B }, {}, { change(B, "nodeup") }), ring_event(8), message_event("b"),
      ring_event(12), message_event("c"),
    }
    -- Ring 8 never gets a state.
    local quorum = { quorum_event(4, false), quorum_event(12, true, { 2 }) }
    local expected = {
      "view 4 false 1/1 +1/1:join -", "quorum 4 false true + -", "message a 4 false",
      "view 8 false 1/1,2/2 +2/2:nodeup -", "message b 8 false",
      "quorum 12 true true +2 -", "message c 12 true",
    }
    local ways = 0
    interleave(cpg, quorum, function(order)
      ways = ways + 1
      assert.same(expected, (run(order)))
    end)
    assert.equal(45, ways)
  end)

  -- A history of rings, some without a state, and the two sockets' events.
  local function history(random)
    local cpg, quorum, states = { OWN_JOIN }, {}, {}
    local rings = random(2, 6)
    for n = 1, rings do
      local seq = n * 4
      if random(3) == 1 and n > 1 then
        table.insert(cpg, confchg_event({ A }, { change(B, "nodedown") }, {}))
        if random(2) == 1 then
          table.insert(cpg, confchg_event({ A, B }, {}, { change(B, "nodeup") }))
        end
      end
      table.insert(cpg, ring_event(seq))
      for i = 1, random(0, 3) do table.insert(cpg, message_event(seq .. "." .. i)) end
      if random(3) ~= 1 or n == rings then
        states[seq] = random(2) == 1
        table.insert(quorum, quorum_event(seq, states[seq]))
      end
    end
    return cpg, quorum, states
  end

  local function shuffle(cpg, quorum, random)
    local order, i, j = {}, 1, 1
    while i <= #cpg or j <= #quorum do
      if j > #quorum or (i <= #cpg and random(2) == 1) then
        table.insert(order, cpg[i])
        i = i + 1
      else
        table.insert(order, quorum[j])
        j = j + 1
      end
    end
    return order
  end

  it("never tells of a message under another ring's quorum", function()
    math.randomseed(1)
    local random = math.random
    for _ = 1, 2000 do
      local cpg, quorum, states = history(random)
      local first
      for _ = 1, 5 do
        local told = run(shuffle(cpg, quorum, random))
        first = first or told
        assert.same(first, told)
      end
      local messages = {}
      for _, line in ipairs(first) do
        local sent, seq, quorate = line:match("^message (%d+)%.%d+ (%d+) (%a+)$")
        if sent then
          table.insert(messages, line:match("^message ([%d.]+)"))
          assert.equal(sent, seq)
          assert.equal(tostring(states[tonumber(seq)] or false), quorate)
        end
      end
      local given = {}
      for _, event in ipairs(cpg) do
        if event.kind == "message" then table.insert(given, event[1]) end
      end
      assert.same(given, messages)
    end
  end)
end)
