-- Not sanitized: Lua alone.
local check = require("corolua.check")
local played = require("spec.support.played")

-- The place of the n-th event of a kind that has these fields.
local function find(events, n, fields)
  for i, event in ipairs(events) do
    local is_it = true
    for key, value in pairs(fields) do is_it = is_it and event[key] == value end
    if is_it then n = n - 1 end
    if is_it and n == 0 then return i, event end
  end
  error("there is no such event")
end

-- Deliveries of one member, in the middle of a ring of the run.
local function recv(events, h, n) return find(events, n, { k = "recv", h = h }) end

local function copy(event)
  local other = {}
  for key, value in pairs(event) do other[key] = value end
  return other
end

-- One thing is broken in a run that keeps everything, and what must be named first.
local broken = {
  { "Strong Total Order", "two deliveries of one member in the other order", function(events)
    local i, j = recv(events, 2, 7), recv(events, 2, 8)
    events[i].f, events[j].f = events[j].f, events[i].f
    events[i].x, events[j].x = events[j].x, events[i].x
  end },
  { "Virtual Synchrony", "a message that one member does not deliver", function(events)
    table.remove(events, (recv(events, 2, 8)))
  end },
  { "Self Delivery", "an own message that a member does not deliver", function(events)
    table.remove(events, (find(events, 2, { k = "recv", h = 3, f = "3/100" })))
  end },
  { "No Duplication", "a message that comes twice", function(events)
    local i, event = recv(events, 4, 6)
    table.insert(events, i + 1, copy(event))
  end },
  { "Delivery Integrity", "a message that nobody sent", function(events)
    local i, event = recv(events, 5, 9)
    local other = copy(event)
    other.x = "fffffffffffff"
    table.insert(events, i, other)
  end },
  { "Same View Delivery", "a message that one member delivers in another ring", function(events)
    local i, event = recv(events, 1, 12)
    table.remove(events, i)
    table.insert(events, (find(events, 2, { k = "ring", h = 1 })) + 1, event)
  end },
  { "Sender in View", "a message for a member that does not have its sender in its view",
    function(events)
      local _, event = find(events, 4, { k = "recv", h = 3, f = "3/100" })
      local other = copy(event)
      other.h = 1
      table.insert(events, (find(events, 2, { k = "ring", h = 1 })) + 1, other)
    end },
  { "Initial View Event", "a message before the own join", function(events)
    local i, event = recv(events, 4, 1)
    table.remove(events, i)
    table.insert(events, (find(events, 1, { k = "join", h = 4 })), event)
  end },
  { "Self Inclusion", "a view without the member itself", function(events)
    local _, event = find(events, 2, { k = "conf", h = 2 })
    event.members = { "1/100", "3/100" }
  end },
  { "View Arithmetic", "a member too many in a view", function(events)
    local _, event = find(events, 3, { k = "conf", h = 1 })
    event.members = { "1/100", "2/100", "3/100", "5/100" }
  end },
  { "Agreement on Views", "a ring whose nodes differ", function(events)
    local _, event = find(events, 2, { k = "ring", h = 4 })
    event.nodes = { 3, 4 }
  end },
  { "Local Monotonicity", "a ring with a lower seq", function(events)
    local _, event = find(events, 2, { k = "ring", h = 5 })
    event.ring = "3.2"
  end },
  { "Ring of Quorum", "the quorum of a ring that nobody was in", function(events)
    local _, event = find(events, 2, { k = "quorum", n = 3 })
    event.ring = "3.999"
  end },
  { "Exclusive Quorum", "two halves that are quorate at once", function(events)
    for n = 1, 2 do
      local _, event = find(events, 2, { k = "quorum", n = n })
      event.quorate = true
    end
  end },
  { "Self Delivery", "a send that never comes back", function(events)
    local i = find(events, 14, { k = "send" })
    table.insert(events, i,
      { k = "send", t = events[i].t, h = 2, m = 99, x = "0000000000001", b = 1 })
  end },
  { "FIFO Delivery", "two messages of one sender in the other order", function(events)
    for h = 1, 5 do
      local i, j = find(events, 2, { k = "recv", h = h, f = "1/100" }),
        find(events, 3, { k = "recv", h = h, f = "1/100" })
      events[i].x, events[j].x = events[j].x, events[i].x
    end
  end },
}

-- A member is lost, and nobody goes along with the one that this is about.
local lost = {
  { "Causal Delivery", "a message before what its sender had read before it", function()
    local run = played.run(3)
    run:fault("kill", false)
    run:say(1, "a")
    run:say(3, "b", { 1, 2 })
    run:lose(3, { 1, 2 })
    for h = 1, 2 do
      local i, j = recv(run.events, h, 1), recv(run.events, h, 2)
      run.events[i], run.events[j] = run.events[j], run.events[i]
    end
    return run
  end },
  { "Reliable FIFO", "a message passed over", function()
    local run = played.run(2)
    run:fault("kill", false)
    run:say(2, "a")
    run:say(2, "b", { 2 })
    run:say(2, "c")
    run:lose(2, { 1 })
    return run
  end },
}

local function judge(events, options) return check.events(played.each(events), options) end

local function violated(verdict)
  local list = {}
  for _, finding in ipairs(verdict.findings) do
    if finding.class == "violated" then list[#list + 1] = finding.property end
  end
  return list
end

describe("corolua.check", function()
  it("finds nothing in a run that keeps everything", function()
    local verdict = judge(played.split_and_heal().events)
    assert.same({}, verdict.findings)
    assert.equal("kept: 189 deliveries at 5 members in 4 rings, one order, nothing twice, own "
      .. "messages back, the same messages in each view, no known loss of corosync",
      verdict.sentence)
  end)

  it("finds nothing where a member is lost", function()
    local run = played.run(3)
    run:fault("kill", false)
    run:say(1, "a")
    run:say(3, "b", { 1, 2 })
    run:lose(3, { 1, 2 })
    run:stop(true)
    assert.equal("kept", judge(run.events).status)
  end)

  -- A group of node 1 tells what it handled in its first two rings.
  local function with_handled(...)
    local events, at = played.split_and_heal().events, { 0, 0 }
    for n, ruling in ipairs({ ... }) do
      local place, event = find(events, n + 1, { k = "ring", h = 1 })
      for i = 1, place do
        if events[i].k == "recv" and events[i].h == 1 then at[n] = at[n] + 1 end
      end
      table.insert(events, place, { k = "handled", t = event.t, h = 1, as = ruling[1],
        ring = ruling[2], i = at[n] })
    end
    return judge(events)
  end

  it("judges what groups handled messages as", function()
    assert.equal("kept", with_handled({ "message", "1.4" }, { "inquorate", "1.8" }).status)
    for what, wrong in pairs({
      ["nothing but quorum there"] = { { "inquorate", "1.4" } },
      ["no quorum there"] = { { "message", "1.4" }, { "message", "1.8" } },
      ["in ring 1.8 and handled it as one of ring 1.4"] =
        { { "message", "1.4" }, { "message", "1.4" } },
    }) do
      local verdict = with_handled(table.unpack(wrong))
      assert.same({ "Fence" }, violated(verdict), verdict.sentence)
      assert.is_truthy(verdict.sentence:find(what, 1, true), verdict.sentence)
    end
  end)

  it("judges whether a cluster came together again", function()
    local events = played.split_and_heal().events
    table.remove(events, (find(events, 3, { k = "quorum", n = 2 })))
    assert.same({ "Convergence" }, violated(judge(events)))
    -- Not where a fault may be in force, nor where there was no time for it.
    local _, heal = find(events, 1, { k = "fault", op = "heal" })
    heal.op = "unblock"
    assert.equal("kept", judge(events).status)
    heal.op = "heal"
    events[#events].settled = false
    assert.equal("kept", judge(events).status)
    events[#events].t = heal.t + 34000000
    assert.same({ "Convergence" }, violated(judge(events)))
    table.insert(events, #events, { k = "proc", t = heal.t, n = 2, what = "kill" })
    assert.equal("kept", judge(events).status)
  end)

  -- What clients did to a register, as { type, f, value, id }.
  local function with_operations(list)
    local events = played.split_and_heal().events
    local stop = table.remove(events)
    for i, one in ipairs(list) do
      table.insert(events, { k = "op", t = stop.t + i, n = one[4], id = one[4], type = one[1],
        f = one[2], value = one[3] })
    end
    stop.t = stop.t + #list + 1
    table.insert(events, stop)
    return judge(events)
  end

  it("judges the operations on registers", function()
    assert.equal("kept", with_operations({
      { "invoke", "write", { "x", 1 }, 1 }, { "invoke", "read", { "x" }, 2 },
      { "ok", "read", { "x", 1 }, 2 }, { "info", "write", { "x", 1 }, 1 },
      { "invoke", "read", { "y" }, 2 }, { "ok", "read", { "y" }, 2 },
      { "invoke", "write", { "x", 2 }, 3 }, { "fail", "write", { "x", 2 }, 3 },
      { "invoke", "transfer", 5, 3 }, { "ok", "transfer", 6, 3 },
    }).status)
    local verdict = with_operations({
      { "invoke", "write", 1, 1 }, { "ok", "write", 1, 1 },
      { "invoke", "write", "1", 1 }, { "ok", "write", "1", 1 },
      { "invoke", "read", nil, 2 }, { "ok", "read", 1, 2 },
    })
    assert.same({ "Linearizability" }, violated(verdict))
    assert.is_truthy(verdict.sentence:find("3 operations are not linearizable: node 2's read", 1,
      true), verdict.sentence)
  end)

  for _, case in ipairs(lost) do
    local property, name, make = table.unpack(case)
    it("names " .. property .. ": " .. name, function()
      local run = make()
      run:stop(true)
      local verdict = judge(run.events)
      assert.same({ property }, violated(verdict), verdict.sentence)
    end)
  end

  for _, case in ipairs(broken) do
    local property, name, break_it = table.unpack(case)
    it("names " .. property .. " first, and for one cause once: " .. name, function()
      local events = played.split_and_heal().events
      break_it(events)
      local verdict = judge(events)
      assert.equal("violated", verdict.status, verdict.sentence)
      assert.same({ property }, violated(verdict), verdict.sentence)
      assert.equal("violated: " .. property, verdict.sentence:match("^violated: [%a ]+"))
      for _, witness in ipairs(verdict.findings[1].witness) do
        assert.is_truthy(events[witness.line])
      end
    end)
  end
end)
