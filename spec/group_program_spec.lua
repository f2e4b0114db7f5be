local lab = require("corolua.lab")
local support = require("spec.support")

local eventually = support.comes

-- Scripts with groups as processes of their own, and what others see of them.
describe("a program with groups", function()
  local cluster, witness, told

  setup(function()
    cluster = assert(lab.start({ nodes = 2 }))
  end)

  teardown(function()
    cluster:close()
  end)

  before_each(function()
    told = {}
    witness = cluster[2]:group("program")
    function witness.on.members(view)
      for _, list in ipairs({ view.left, view.joined }) do
        for _, change in ipairs(list) do
          if change.member.nodeid == 1 then table.insert(told, change.reason) end
        end
      end
    end
    function witness.on.message(payload) table.insert(told, payload) end
    assert(witness:join())
  end)

  after_each(function()
    assert(witness:leave())
  end)

  local function script(source)
    return assert(cluster[1]:run("-e", [[
      local corolua = require("corolua")
      local room = corolua.group("program")
    ]] .. source))
  end

  local function run(source)
    local result = assert(cluster[1]:tool(support.program, "-e", [[
      local corolua = require("corolua")
      local room = corolua.group("program")
    ]] .. source))
    return result.status, result.output
  end

  it("goes on while it is a member, and leaves on SIGTERM", function()
    local running = script([[assert(room:join()) assert(room:send("here"))]])
    eventually(function() return told[2] == "here" end)
    running:kill("TERM")
    assert(running:wait(10))
    eventually(function() return #told == 3 end)
    assert.same({ "join", "here", "leave" }, told)
  end)

  it("leaves after its last messages when it stops itself", function()
    local status = run([[
      assert(room:join())
      for n = 1, 3 do assert(room:send("last " .. n)) end
      corolua.stop()
    ]])
    assert.equal(0, status)
    eventually(function() return #told == 5 end)
    assert.same({ "join", "last 1", "last 2", "last 3", "leave" }, told)
  end)

  it("ends with status 1 and a traceback when a handler raises, and leaves", function()
    local status, output = run([[
      function room.on.message(payload) error("cannot take " .. payload) end
      assert(room:join())
      assert(room:send("this"))
    ]])
    assert.equal(1, status)
    assert.matches("group 'program', handler of 'message': .*cannot take this\nstack traceback:",
      output)
    assert.not_matches("corolua/group/inbox", output)
    eventually(function() return told[#told] == "leave" end)
  end)

  it("ends a handler that computes for longer than the limit", function()
    local result = assert(cluster[1]:tool(support.program, "--handler-limit", "0.2", "-e", [[
      local room = require("corolua").group("program")
      function room.on.message() while true do end end
      assert(room:join())
      assert(room:send("this"))
    ]]))
    assert.equal(1, result.status)
    assert.matches("handler of 'message': .*longer than 0.2 s of CPU", result.output)
  end)

  it("gives a handler new time after it has waited, and for each message", function()
    local status, output = run([[
      local function compute()
        local start = os.clock()
        while os.clock() - start < 0.4 do end
      end
      function room.on.message(payload)
        compute()
        corolua.sleep(0.001)
        compute()
        if payload == "3" then corolua.stop() end
      end
      assert(room:join())
      for n = 1, 3 do assert(room:send(tostring(n))) end
    ]])
    assert.equal(0, status, output)
  end)

  it("follows quorum without a group until it takes the handler away", function()
    local status, output = run([[
      function corolua.on.quorum(state)
        print(state.quorate, #state.nodes, corolua.quorum().quorate)
        corolua.on.quorum = nil
      end
    ]])
    assert.same({ 0, "true\t2\ttrue\n" }, { status, output })
  end)

  it("goes on after errors of timers and tasks where on.error says so", function()
    local status, output = run([[
      function corolua.on.error(message, source, event)
        print(event, getmetatable(source).__name, (message:match("oh %l+")))
        return true
      end
      corolua.spawn(function() error("oh dear") end)
      corolua.sleep(0)
      corolua.after(0, function() error("oh no") end)
      corolua.sleep(0.01)
      local count = 0
      local timer
      timer = corolua.every(0.01, function()
        count = count + 1
        if count == 2 then timer:cancel() end
        error("oh well")
      end)
      assert(corolua.wait(function() return count == 2 end, 5))
      corolua.sleep(0.05)
      print(count)
    ]])
    assert.same({ 0, table.concat({
      "task\tcorolua.task\toh dear", "timer\tcorolua.timer\toh no",
      "timer\tcorolua.timer\toh well", "timer\tcorolua.timer\toh well", "2", "",
    }, "\n") }, { status, output })
  end)

  it("ends with both errors where on.error raises as well", function()
    local status, output = run([[
      function corolua.on.error() error("and that") end
      corolua.spawn(function() error("this") end)
      corolua.sleep(5)
    ]])
    assert.equal(1, status)
    assert.matches("this.*and in corolua.on.error:.*and that", output)
  end)

  it("runs many groups, each with its own order", function()
    local status, output = run([[
      local rooms, got = {}, 0
      for n = 1, 30 do
        rooms[n] = corolua.group("many " .. n)
        local last = 0
        rooms[n].on.message = function(payload)
          assert(tonumber(payload) == last + 1)
          last, got = last + 1, got + 1
        end
        assert(rooms[n]:join())
      end
      for number = 1, 20 do
        for n = 1, 30 do assert(rooms[n]:send(tostring(number))) end
      end
      assert(corolua.wait(function() return got == 600 end, 10))
      corolua.stop()
    ]])
    assert.equal(0, status, output)
  end)

  it("keeps the order of messages that corosync does not take at once", function()
    local status, output = run([[
      local last = 0
      function room.on.message(payload)
        assert(tonumber(payload:match("^%d+")) == last + 1)
        last = last + 1
        if last == 200 then corolua.stop() end
      end
      assert(room:join())
      for n = 1, 200 do assert(room:send(n .. " " .. ("x"):rep(200000))) end
    ]])
    assert.equal(0, status, output)
  end)

  it("raises outside a task rather than block", function()
    local status, output = run([[
      local small = corolua.group("small", { window = 1 })
      assert(small:join())
      assert(small:send("1"))
      local co = coroutine.wrap(function() small:send("2") end)
      local ok, why = pcall(co)
      print(ok, why)
      corolua.stop()
    ]])
    assert.equal(0, status, output)
    assert.matches("^false\t.*only a task can wait; use try_send", output)
  end)
end)
