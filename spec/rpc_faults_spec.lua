-- Not sanitized: Lua above groups, whose specs reach the same C.
-- corolua.rpc: what becomes of calls when members, nodes and daemons go.
local corolua = require("corolua")
local lab = require("corolua.lab")
local rpc = require("corolua.rpc")

local function eventually(condition, timeout)
  assert(corolua.wait(condition, timeout or 15))
end

describe("rpc under faults", function()
  local cluster, services, gates

  -- Answers once its gate is open; says whom it answered and when.
  local function open(node, name, options)
    local gate = gates[node]
    local service = assert(rpc.open(cluster[node]:group(name or "calls"), {
      node = function() return node end,
      wait = function()
        gate.waiting = gate.waiting + 1
        corolua.wait(function() return gate.is_open end, 20)
        gate.waiting = gate.waiting - 1
        return node
      end,
    }, options))
    return service
  end

  local function has_members(count)
    return function()
      for i = 1, 3 do
        if services[i] and #(services[i].group.members or {}) ~= count then return false end
      end
      return true
    end
  end

  -- Starts a call of a method that waits, and returns once all have begun it.
  local function start(options, count, from)
    local call = corolua.spawn(function()
      return services[from or 1]:call("wait", nil, options)
    end)
    eventually(function()
      return gates[1].waiting + gates[2].waiting + gates[3].waiting == (count or 1)
    end)
    return call
  end

  local function open_gates()
    for i = 1, 3 do gates[i].is_open = true end
  end

  before_each(function()
    cluster = cluster or assert(lab.start({ nodes = 3 }))
    gates = {}
    for i = 1, 3 do gates[i] = { waiting = 0, is_open = false } end
    services = {}
    for i = 1, 3 do services[i] = open(i) end
    eventually(has_members(3))
  end)

  after_each(function()
    open_gates()
    eventually(function()
      return gates[1].waiting + gates[2].waiting + gates[3].waiting == 0
    end)
    for i = 1, 3 do
      if services[i] then
        assert.equal(0, services[i]:stats().pending)
        services[i]:close()
      end
    end
    assert(cluster:heal())
    for i = 1, 3 do
      if cluster[i].paused then assert(cluster[i]:resume()) end
      if not cluster[i]:is_running() then assert(cluster[i]:start()) end
    end
    assert(cluster:settle())
  end)

  teardown(function() cluster:close() end)

  -- Each ends what node 3 was asked; within the deadline of 15 s.
  local ways = {
    { "leaves", "leave", function()
      assert(services[3]:close())
      services[3] = nil
    end },
    { "loses its node", "nodedown", function() assert(cluster[3]:kill()) end },
    { "is cut off", "nodedown", function() assert(cluster:isolate(3)) end },
    { "is on a node that hangs", "nodedown", function() assert(cluster[3]:pause()) end },
  }

  for _, way in ipairs(ways) do
    local name, reason, go = table.unpack(way)

    it("ends the part of a member that " .. name .. " in the middle", function()
      gates[1].is_open, gates[2].is_open = true, true
      local call = start({ to = "all", timeout = 15 })
      go()
      local parts = assert(call:wait())
      assert.equal(3, #parts)
      assert.equal(1, parts[1].result)
      assert.equal(2, parts[2].result)
      assert.is_nil(parts[3].result)
      assert.equal(("the member left (%s)"):format(reason), parts[3].error)
      assert.equal("ERR_LEFT", parts[3].code)
    end)

    it("ends a call of that member alone that " .. name, function()
      local call = start({ to = services[3].group.me, timeout = 15 })
      go()
      local value, message, code = call:wait()
      assert.is_nil(value)
      assert.equal(("the member left (%s)"):format(reason), message)
      assert.equal("ERR_LEFT", code)
    end)
  end

  it("ends the part of a process that is killed", function()
    local process = assert(cluster[3]:run("spec/support/rpc_member.lua", "killed"))
    local service <close> = open(1, "killed")
    eventually(function() return #service.group.members == 2 end)
    local call = corolua.spawn(function()
      return service:call("wait", nil, { to = "all", timeout = 15 })
    end)
    eventually(function() return gates[1].waiting == 1 end)
    assert.equal("begun", process:next(10))
    gates[1].is_open = true
    assert(process:kill("KILL"))
    local parts = assert(call:wait())
    assert.equal(1, parts[1].result)
    assert.equal("the member left (procdown)", parts[2].error)
  end)

  it("has a majority without those who left", function()
    local call = start({ to = "majority", timeout = 15 }, 3)
    assert(cluster[3]:kill())
    eventually(function() return #services[1].group.members == 2 end)
    assert.is_false(call:is_done())
    gates[1].is_open, gates[2].is_open = true, true
    local parts = assert(call:wait())
    assert.same({ 1, 2 }, { parts[1].result, parts[2].result })
    assert.equal("the member left (nodedown)", parts[3].error)
  end)

  it("has no majority once too many left", function()
    local call = start({ to = "majority", timeout = 15 }, 3)
    assert(services[2]:close())
    assert.is_false(call:is_done())
    assert(services[3]:close())
    services[2], services[3] = nil, nil
    local value, message, code = call:wait()
    assert.is_nil(value)
    assert.equal("no majority: 0 of 3 members answered, and too many left", message)
    assert.equal("ERR_LEFT", code)
  end)

  it("ends all calls when the own daemon dies, and goes on by itself", function()
    local told = {}
    local service = services[1]
    function service.on.down(why) table.insert(told, why.code) end
    function service.on.up() table.insert(told, "up") end
    local all, one = start({ to = "all", timeout = 15 }, 3), start({ to = services[2].group.me }, 4)
    assert(cluster[1]:kill())
    for _, call in ipairs({ all, one }) do
      local value, message, code = call:wait()
      assert.is_nil(value)
      assert.is_string(message)
      assert.equal("ERR_LIBRARY", code)
    end
    local value, _, code = service:call("node", nil, { to = "all" })
    assert.is_nil(value)
    assert.equal("ERR_LIBRARY", code)
    assert(cluster[1]:start())
    eventually(function() return #told == 2 end)
    assert.same({ "ERR_LIBRARY", "up" }, told)
    eventually(has_members(3))
    open_gates()
    eventually(function() return gates[2].waiting + gates[3].waiting == 0 end)
    local parts = assert(service:call("node", nil, { to = "all" }))
    assert.same({ 1, 2, 3 }, { parts[1].result, parts[2].result, parts[3].result })
  end)

  it("refuses calls without quorum, and takes them again with it", function()
    local states = {}
    services[1].on.quorum = function(state) table.insert(states, state.quorate) end
    assert(cluster:isolate(1))
    eventually(function() return states[#states] == false end)
    local value, message, code = services[1]:call("node", nil, { to = "all" })
    assert.is_nil(value)
    assert.equal("not quorate", message)
    assert.equal("ERR_NOT_QUORATE", code)
    local parts = assert(services[2]:call("node", nil, { to = "all" }))
    assert.same({ 2, 3 }, { parts[1].result, parts[2].result })
    assert(cluster:heal())
    eventually(has_members(3))
    parts = assert(services[1]:call("node", nil, { to = "all" }))
    assert.equal(3, #parts)
  end)

  it("does not perform what comes back without quorum", function()
    -- Node 3 does not know yet that it is alone, and the token does not come to
    -- it any more, unless it was there at that moment: then once more.
    local value, message, code
    for _ = 1, 5 do
      assert(cluster:isolate(3))
      local before = services[3]:stats().performed
      value, message, code = services[3]:call("node", nil, { to = "all", timeout = 20 })
      if not value then
        assert.equal(before, services[3]:stats().performed)
        break
      end
      assert(cluster:settle())
      assert(cluster:heal())
      eventually(has_members(3))
    end
    assert.is_nil(value)
    assert.equal("not quorate when the call came back", message)
    assert.equal("ERR_NOT_QUORATE", code)
  end)

  it("sends replies that had no quorum once there is one", function()
    -- Nodes 1 and 2 lose quorum together while node 2 answers node 1.
    local five <close> = assert(lab.start({ nodes = 5 }))
    local is_open, begun = false, false
    local first = assert(rpc.open(five[1]:group("late")))
    local second = assert(rpc.open(five[2]:group("late"), {
      wait = function()
        begun = true
        return corolua.wait(function() return is_open end, 20)
      end,
    }))
    eventually(function() return #first.group.members == 2 end)
    local call = corolua.spawn(function()
      return first:call("wait", nil, { to = second.group.me, timeout = 30 })
    end)
    eventually(function() return begun end)
    assert(five:partition({ { 1, 2 }, { 3, 4, 5 } }))
    eventually(function() return not second.group.view.quorate end)
    is_open = true
    eventually(function() return second:stats().performed == 1 end)
    assert.is_false(call:is_done())
    assert.equal(1, second:stats().running)
    assert(five:heal())
    assert.is_true((call:wait()))
    eventually(function() return second:stats().running == 0 end)
    assert.equal(0, second:stats().unsent)
    assert(first:close())
    assert(second:close())
  end)

  it("holds the deadline while the own daemon hangs, also with a full window", function()
    local room = cluster[1]:group("hangs", { window = 2 })
    local service = assert(rpc.open(room, { node = function() return 1 end }))
    assert(cluster[1]:pause())
    local took, done = 0, 0
    for i = 1, 10 do
      corolua.spawn(function()
        local before = corolua.now()
        local value, _, code = service:call("node", nil, { to = "all", timeout = 0.2 + i / 100 })
        assert.is_nil(value)
        assert.equal("ERR_TIMEOUT", code)
        took, done = math.max(took, corolua.now() - before), done + 1
      end)
    end
    eventually(function() return done == 10 end)
    assert.is_true(took < 2, "took " .. took)
    assert.equal(0, service:stats().pending)
    assert(cluster[1]:resume())
    local parts = assert(service:call("node", nil, { to = "all", timeout = 15 }))
    assert.equal(1, parts[1].result)
    assert(service:close())
  end)

  it("gives no reply to a call of a later service of the same process", function()
    -- The same process and number of call: only the nonce tells them apart.
    local caller = open(1, "nonce")
    local server = open(2, "nonce")
    eventually(function() return #server.group.members == 2 end)
    local first = corolua.spawn(function()
      return caller:call("wait", nil, { to = server.group.me })
    end)
    eventually(function() return gates[2].waiting == 1 end)
    assert(caller:close())
    assert.equal("ERR_NOT_EXIST", select(3, first:wait()))
    local again = open(1, "nonce")
    assert.equal(caller.group.me, again.group.me)
    local second = corolua.spawn(function()
      return again:call("wait", nil, { to = server.group.me })
    end)
    eventually(function() return gates[2].waiting == 2 end)
    -- The reply to the first call comes first, and must not end the second.
    gates[2].is_open = true
    assert.equal(2, (second:wait()))
    assert.equal(0, again:stats().late)
    assert(again:close())
    assert(server:close())
  end)

  it("drops replies that come too late, whichever call is next", function()
    local to = services[2].group.me
    for _ = 1, 20 do
      local value, _, code = services[1]:call("wait", nil, { to = to, timeout = 0.01 })
      assert.is_nil(value)
      assert.equal("ERR_TIMEOUT", code)
    end
    open_gates()
    assert.equal(2, (services[1]:call("node", nil, { to = to })))
    eventually(function() return services[1]:stats().late == 20 end)
  end)

  it("is over when the group gives up", function()
    local room = cluster[1]:group("gives up", { reconnect = false })
    local service = assert(rpc.open(room, {
      wait = function() corolua.wait(function() return gates[1].is_open end, 20) end,
    }))
    local call = corolua.spawn(function()
      return service:call("wait", nil, { to = "all", timeout = 15 })
    end)
    eventually(function() return service:stats().running == 1 end)
    assert(cluster[1]:kill())
    assert.equal("ERR_LIBRARY", select(3, call:wait()))
    assert.equal("ERR_NOT_EXIST", select(3, service:call("wait", nil, { to = "all" })))
    gates[1].is_open = true
    eventually(function() return service:stats().running == 0 end)
  end)

  it("keeps calls by the thousand right through a kill and a partition", function()
    local done, right, wrong, failed, total = 0, 0, 0, 0, 5000
    local function call(n)
      local parts, _, code = services[n % 3 + 1]:call("node", nil, { to = "all", timeout = 10 })
      done = done + 1
      if not parts then
        failed = failed + (code and 1 or 0)
        wrong = wrong + (code and 0 or 1)
        return
      end
      for _, part in ipairs(parts) do
        if part.result == part.member.nodeid or part.error then right = right + 1
        else wrong = wrong + 1 end
      end
    end
    local made = 0
    local function make(count)
      for _ = 1, count do
        made = made + 1
        corolua.spawn(call, made)
      end
    end
    make(total // 2)
    eventually(function() return done > total // 4 end)
    assert(cluster[3]:kill())
    make(total // 4)
    eventually(function() return #services[1].group.members == 2 end)
    assert(cluster:isolate(2))
    make(total // 4)
    eventually(function() return done == total end, 20)
    assert.same({ 0, true, true }, { wrong, right > 0, failed > 0 })
  end)
end)
