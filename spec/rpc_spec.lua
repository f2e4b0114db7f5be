-- Not sanitized: Lua above groups, whose specs reach the same C.
-- corolua.rpc: what a service does while the cluster does nothing to it. What
-- faults do stands in rpc_faults_spec.lua.
local corolua = require("corolua")
local lab = require("corolua.lab")
local rpc = require("corolua.rpc")
local support = require("spec.support")

local eventually = support.comes

-- The part of a message of an error behind the place where it was raised.
local function sentence(fn, ...)
  local ok, problem = pcall(fn, ...)
  assert.is_false(ok)
  local place, text = problem:match("^(%S+:%d+): (.*)$")
  assert.matches("rpc_spec%.lua:", place)
  return text
end

describe("rpc", function()
  local cluster, services

  local methods = {
    add = function(numbers) return numbers[1] + numbers[2] end,
    echo = function(value) return value end,
    boom = function() error("boom") end,
    object = function() error({ why = "none" }) end,
    nothing = function() end,
    print = function() return print end,
    long = function(size) return ("x"):rep(size) end,
    sleep = function(seconds)
      corolua.sleep(seconds)
      return seconds
    end,
    caller = function(_, from) return tostring(from) end,
    spin = function()
      while true do end -- luacheck: ignore 542
    end,
  }

  -- Seconds of the clock, for a method that takes one of CPU on a busy machine.
  local BUSY = 60

  -- A service on each node; its method `node` tells which.
  local function open_all(name, given, group_options)
    local list = {}
    for i = 1, 3 do
      local own = setmetatable({}, { __index = methods })
      for key, fn in pairs(methods) do own[key] = fn end
      function own.node() return i end
      function own.ask(arguments, from) return list[i]:call("echo", arguments, { to = from }) end
      list[i] = assert(rpc.open(cluster[i]:group(name, group_options), own, given))
    end
    eventually(function()
      for i = 1, 3 do
        if #list[i].group.members ~= 3 then return false end
      end
      return true
    end)
    return list
  end

  local function close_all(list)
    for _, service in ipairs(list) do assert(service:close()) end
  end

  local function fields(parts, name)
    local list = {}
    for i, part in ipairs(parts) do list[i] = part[name] end
    return list
  end

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
    services = open_all("calc")
  end)

  teardown(function()
    close_all(services)
    cluster:close()
  end)

  describe(".open", function()
    for _, case in ipairs({
      { "a name that is none", { "" }, "a group's name has 1 to 127 bytes, got 0" },
      { "what is no group", { {} }, "rpc.open: a group or its name was expected, got table" },
      { "methods that are no table", { "a", 7 },
        "rpc.open: methods must be a table of functions by name, got 7" },
      { "a method that is no function", { "a", { add = 7 } },
        "rpc.open: the method 'add' must be a function, got 7" },
      { "a method without a name", { "a", { print } },
        "rpc.open: a method's name must be a string, got 1" },
      { "a method of a long name", { "a", { [("x"):rep(256)] = print } },
        "rpc.open: a method's name has 1 to 255 bytes, got 256" },
      { "an unknown option", { "a", {}, { timout = 1 } },
        "rpc.open: unknown option 'timout', did you mean 'timeout'?" },
      { "a negative timeout", { "a", {}, { call_timeout = -1 } },
        "rpc.open: option 'call_timeout' must be a number of seconds, 0 to 1000000, got -1" },
      { "no deadline", { "a", {}, { call_timeout = math.huge } },
        "rpc.open: option 'call_timeout' must be a number of seconds, 0 to 1000000, got inf" },
      { "an unknown codec", { "a", {}, { codec = "xml" } },
        "rpc.open: option 'codec' must be \"string\", \"json\" or { encode =, decode = }, "
          .. "got \"xml\"" },
      { "no room for calls", { "a", {}, { max_running = 0 } },
        "rpc.open: option 'max_running' must be an integer of 1 or more, got 0" },
    }) do
      it("refuses " .. case[1], function()
        assert.equal(case[3], sentence(function()
          local service = rpc.open(table.unpack(case[2]))
          return service
        end))
      end)
    end

    it("refuses a group with a codec of its own", function()
      assert.equal("rpc.open: group 'x' must have codec = \"string\"", sentence(function()
          local service = rpc.open(cluster[1]:group("x", { codec = "json" }))
          return service
        end))
    end)

    it("refuses a name that is joined on the node", function()
      assert.equal("rpc.open: group 'calc' is joined already on this node by this program",
        sentence(function()
          local service = rpc.open(cluster[1]:group("calc"))
          return service
        end))
    end)

    it("fails where there is no daemon", function()
      local single <close> = assert(lab.start({ nodes = 1 }))
      assert(single[1]:kill())
      local service, message, code = rpc.open(single[1]:group("x"))
      assert.is_nil(service)
      assert.is_string(message)
      assert.equal("ERR_LIBRARY", code)
    end)

    it("needs no methods", function()
      local service <close> = assert(rpc.open(cluster[1]:group("bare")))
      assert.equal("unknown method 'add'", service:call("add", nil, { to = "all" })[1].error)
    end)

    it("performs calls and tells events only once the script waits again", function()
      local told, service = {}, nil
      local function note() table.insert(told, service ~= nil) end
      local other <close> = assert(rpc.open(cluster[2]:group("early")))
      local calling = corolua.spawn(function()
        local me
        eventually(function()
          for _, member in ipairs(other.group.members) do
            if member ~= other.group.me then me = member end
          end
          return me
        end)
        return other:call("note", nil, { to = me })
      end)
      local function open()
        local opened = assert(rpc.open(cluster[1]:group("early"), { note = note }))
        opened.on.members = note
        return opened
      end
      service = open()
      calling:wait()
      eventually(function() return #told >= 2 end)
      for _, is_open in ipairs(told) do assert.is_true(is_open) end
      assert(service:close())
    end)
  end)

  describe(":call", function()
    it("asks all, the caller included, in the order of members", function()
      local parts = assert(services[2]:call("node", nil, { to = "all" }))
      assert.same({ 1, 2, 3 }, fields(parts, "result"))
      for i = 1, 3 do assert.equal(services[i].group.me, parts[i].member) end
      assert.same({}, fields(parts, "error"))
    end)

    it("asks one, and returns its result", function()
      for i = 1, 3 do
        assert.equal(i, (services[1]:call("node", nil, { to = services[i].group.me })))
      end
    end)

    it("asks those in a list, each once", function()
      local third, first = services[3].group.me, services[1].group.me
      local parts = assert(services[2]:call("node", nil, { to = { third, first, third } }))
      assert.same({ 1, 3 }, fields(parts, "result"))
    end)

    it("asks all for a majority, and returns once more than half have answered", function()
      local gate = {}
      local list = {}
      for i = 1, 3 do
        list[i] = assert(rpc.open(cluster[i]:group("majority"), {
          vote = function()
            if i == 2 then eventually(function() return gate.is_open end) end
            return i
          end,
        }))
      end
      eventually(function() return #list[1].group.members == 3 end)
      local parts = assert(list[1]:call("vote", nil, { to = "majority" }))
      assert.same({ 1, 3 }, fields(parts, "result"))
      gate.is_open = true
      eventually(function() return list[1]:stats().late == 1 end)
      close_all(list)
    end)

    it("tells a method who asks", function()
      local parts = services[3]:call("caller", nil, { to = "all" })
      local me = tostring(services[3].group.me)
      assert.same({ me, me, me }, fields(parts, "result"))
    end)

    it("takes what JSON has", function()
      local to = services[2].group.me
      for _, value in ipairs({ { 1, 2, { a = "b" } }, "text", 7, 1.5, false, {} }) do
        assert.same(value, (services[1]:call("echo", value, { to = to })))
      end
    end)

    it("takes no arguments, and no result", function()
      local results = table.pack(services[1]:call("nothing", nil, { to = services[2].group.me }))
      assert.is_nil(results[1])
      assert.is_nil(results[2])
      local parts = services[1]:call("echo", nil, { to = "all" })
      assert.equal(3, #parts)
      assert.same({ member = services[1].group.me }, parts[1])
    end)

    it("may be called by a method", function()
      assert.same({ "x", "x", "x" }, fields(services[1]:call("ask", "x", { to = "all" }), "result"))
    end)

    it("tells the text of an error with the member", function()
      local value, message, code = services[1]:call("boom", nil, { to = services[3].group.me })
      assert.is_nil(value)
      assert.matches("^%S+rpc_spec%.lua:%d+: boom$", message)
      assert.equal("ERR_REMOTE", code)
      local parts = services[1]:call("object", nil, { to = "all" })
      assert.equal(3, #parts)
      for i, part in ipairs(parts) do
        assert.equal(services[i].group.me, part.member)
        assert.equal("error object { why = \"none\" }", part.error)
        assert.is_nil(part.result)
      end
    end)

    it("tells the caller of an unknown method, and the server nothing", function()
      local told
      services[2].on.raised = function() told = true end
      local value, message, code = services[1]:call("ad", {}, { to = services[2].group.me })
      assert.is_nil(value)
      assert.equal("unknown method 'ad', did you mean 'add'?", message)
      assert.equal("ERR_NO_METHOD", code)
      services[2].on.raised = nil
      assert.is_nil(told)
    end)

    it("tells the caller of a result that cannot be sent", function()
      local to = { to = services[2].group.me }
      local _, message = services[1]:call("print", nil, to)
      assert.equal("the result of 'print' is a function, which JSON does not have", message)
      _, message = services[1]:call("long", 2000000, to)
      assert.equal("the result of 'long' has 2000002 bytes, over the limit of 1047525 bytes",
        message)
    end)

    it("cuts long texts of errors", function()
      local service <close> = assert(rpc.open(cluster[1]:group("long"), {
        boom = function() error(("x"):rep(100000), 0) end,
      }))
      local parts = service:call("boom", nil, { to = "all" })
      assert.equal(("x"):rep(8192) .. " …", parts[1].error)
    end)

    it("ends a method over the limit of handlers, and goes on", function()
      local _, message, code = services[1]:call("spin", nil,
        { to = services[2].group.me, timeout = BUSY })
      assert.matches("handler ran longer than 1%.0 s of CPU", message)
      assert.equal("ERR_REMOTE", code)
      assert.equal(2, (services[1]:call("node", nil, { to = services[2].group.me })))
    end)

    it("goes on beside methods that wait", function()
      local to = { to = services[2].group.me }
      local slow = corolua.spawn(function() return services[1]:call("sleep", 0.3, to) end)
      eventually(function() return services[2]:stats().running == 1 end)
      assert.equal(2, (services[1]:call("node", nil, to)))
      assert.is_false(slow:is_done())
      assert.equal(0.3, (slow:wait()))
    end)

    it("ends at its deadline", function()
      local value, message, code = services[1]:call("sleep", 1,
        { to = services[2].group.me, timeout = 0.1 })
      assert.is_nil(value)
      assert.equal("timed out after 0.1 s", message)
      assert.equal("ERR_TIMEOUT", code)
      local parts = services[1]:call("sleep", 1, { to = "all", timeout = 0.1 })
      assert.equal(3, #parts)
      for _, part in ipairs(parts) do assert.equal("timed out after 0.1 s", part.error) end
      value, message, code = services[1]:call("sleep", 1, { timeout = 0.1, to = "majority" })
      assert.is_nil(value)
      assert.equal("timed out after 0.1 s: 0 of 3 members answered", message)
      assert.equal("ERR_TIMEOUT", code)
      value, message, code = services[1]:call("node", nil, { to = "all", timeout = 0 })
      assert.equal("timed out after 0 s", message)
      assert.is_nil(value)
      assert.equal("ERR_TIMEOUT", code)
      assert.equal(0, services[1]:stats().pending)
    end)

    it("tells of members that are not there", function()
      local list = open_all("gone")
      local member = list[3].group.me
      assert(list[3]:close())
      eventually(function() return #list[1].group.members == 2 end)
      local value, message, code = list[1]:call("node", nil, { to = member })
      assert.is_nil(value)
      assert.equal("the member is not in the group", message)
      assert.equal("ERR_NOT_EXIST", code)
      local parts = list[1]:call("node", nil, { to = { member, list[2].group.me } })
      assert.same({ 2 }, { parts[1].result })
      assert.equal(member, parts[2].member)
      assert.equal("the member is not in the group", parts[2].error)
      assert(list[1]:close())
      assert(list[2]:close())
    end)

    for _, case in ipairs({
      { "a method without a name", { 7 }, "call: a method's name must be a string, got 7" },
      { "a method of no name", { "" }, "call: a method's name has 1 to 255 bytes, got 0" },
      { "arguments that cannot be sent", { "add", { print }, { to = "all" } },
        "call: the arguments[1] is a function, which JSON does not have" },
      { "arguments that are too long", { "echo", ("x"):rep(2000000), { to = "all" } },
        "call: the message has 2000034 bytes, over the limit of 1047552 bytes "
          .. "(packed groups may send more: see fragment)" },
      { "a call of nobody", { "add", {} },
        "call: option 'to' must be \"all\", \"majority\", a member or a list of members, got nil" },
      { "an unknown option", { "add", {}, { too = "all" } },
        "call: unknown option 'too', did you mean 'to'?" },
      { "a negative timeout", { "add", {}, { to = "all", timeout = -1 } },
        "call: option 'timeout' must be a number of seconds, 0 to 1000000, got -1" },
      { "no number", { "add", {}, { to = "all", timeout = "5" } },
        "call: option 'timeout' must be a number of seconds, 0 to 1000000, got \"5\" (a string)" },
      { "an unknown word", { "add", {}, { to = "majorty" } },
        "call: option 'to' must be \"all\", \"majority\", a member or a list of members, "
          .. "got \"majorty\", did you mean 'majority'?" },
      { "a node for a member", { "add", {}, { to = 2 } },
        "call: option 'to' must be \"all\", \"majority\", a member or a list of members, got 2" },
      { "nobody", { "add", {}, { to = {} } },
        "call: option 'to' must list 1 to 255 members, got 0" },
      { "a list of nodes", { "add", {}, { to = { 2 } } },
        "call: option 'to'[1] must be a member, got 2" },
    }) do
      it("refuses " .. case[1], function()
        assert.equal(case[3], sentence(function()
          services[1]:call(table.unpack(case[2], 1, 3))
        end))
        assert.equal(0, services[1]:stats().pending)
      end)
    end

    it("refuses to wait where nobody can", function()
      assert.matches("call waits, which only a task can", sentence(function()
        coroutine.wrap(function() services[1]:call("node", nil, { to = "all" }) end)()
      end))
    end)
  end)

  describe("a service", function()
    it("sends strings as they are", function()
      local list = open_all("strings", { codec = "string" })
      local bytes = "\0\1\255" .. ("x"):rep(1000)
      local all = { to = "all" }
      assert.same({ bytes, bytes, bytes }, fields(list[1]:call("echo", bytes, all), "result"))
      assert.same({ "", "", "" }, fields(list[1]:call("echo", "", { to = "all" }), "result"))
      assert.equal("call: the arguments must be a string, got table "
        .. "(codec = \"json\" sends tables)",
        sentence(function() list[1]:call("echo", {}, { to = "all" }) end))
      local parts = list[1]:call("node", nil, { to = "all" })
      assert.matches("^the result of 'node' must be a string, got number", parts[1].error)
      close_all(list)
    end)

    it("takes a codec of the script's, and tells what it cannot read", function()
      local picky = { encode = tostring, decode = function(bytes)
        if bytes == "bad" then error("a bad one", 0) end
        return bytes
      end }
      local list = open_all("custom", { codec = picky })
      assert.equal("good", (list[1]:call("echo", "good", { to = list[2].group.me })))
      local _, message, code = list[1]:call("echo", "bad", { to = list[2].group.me })
      assert.equal("the arguments cannot be read: a bad one", message)
      assert.equal("ERR_REMOTE", code)
      close_all(list)
    end)

    it("goes on when the codec exceeds the limit of handlers", function()
      local slow = { encode = tostring, decode = function(bytes)
        while bytes == "spin" do end -- luacheck: ignore 542
        return bytes
      end }
      local service <close> = assert(rpc.open(cluster[2]:group("slow"), methods, { codec = slow }))
      local other <close> = assert(rpc.open(cluster[1]:group("slow"), nil, { codec = slow }))
      eventually(function() return #other.group.members == 2 end)
      local to = { to = service.group.me }
      local _, message, code = other:call("echo", "spin", { to = to.to, timeout = BUSY })
      assert.matches("handler ran longer than 1%.0 s of CPU", message)
      assert.equal("ERR_REMOTE", code)
      assert.equal("x", (other:call("echo", "x", to)))
    end)

    it("works over packed groups, and in fragments", function()
      local list = open_all("packed", { codec = "string" }, { packed = true, fragment = true })
      local big = ("x"):rep(3000000)
      local parts = assert(list[1]:call("echo", big, { to = "all" }))
      for i = 1, 3 do assert.equal(big, parts[i].result) end
      close_all(list)
    end)

    it("tells its server what raised, with a traceback", function()
      local list = open_all("raised")
      local told
      list[2].on.raised = function(...) told = table.pack(...) end
      list[1]:call("boom", nil, { to = list[2].group.me })
      eventually(function() return told end)
      assert.equal("boom", told[1])
      assert.equal(list[1].group.me, told[2])
      assert.matches("boom\nstack traceback:", told[3])
      assert.equal(1, list[2]:stats().raised)
      close_all(list)
    end)

    it("keeps no more than 1 MiB of what raised, for a server that is slow to hear", function()
      local told, is_open = 0, false
      local service <close> = assert(rpc.open(cluster[1]:group("slow"), {
        boom = function() error(("x"):rep(100000), 0) end,
      }))
      function service.on.raised()
        corolua.wait(function() return is_open end, 30)
        told = told + 1
      end
      for _ = 1, 30 do service:call("boom", nil, { to = "all" }) end
      assert.equal(30, service:stats().raised)
      is_open = true
      eventually(function() return told >= 10 end)
      service:call("boom", nil, { to = "all" })
      eventually(function() return told > 10 end)
      assert.is_true(told <= 12)
    end)

    it("reads what is no call of a peer without an error", function()
      local service <close> = assert(rpc.open(cluster[1]:group("malformed"), methods))
      local told = {}
      function service.on.malformed(bytes, from, why)
        table.insert(told, { bytes, tostring(from), why })
      end
      local peer = cluster[2]:group("malformed")
      assert(peer:join())
      local me = service.group.me
      local function head(version, kind, nodeid, pid)
        return string.pack("<BBi8i8I4I4", version, kind, 7, 8, nodeid, pid)
      end
      local bad = {
        "", "x", head(2, 1, 0, 0), head(1, 9, 0, 0), head(1, 1, 0, 0), head(1, 1, 0, 0) .. "\9abc",
        head(1, 1, 0, 0) .. "\3abc", head(1, 1, 0, 0) .. "\3abc\7", head(1, 2, 0, 0) .. "\5abc",
        head(1, 1, 0, 0) .. "\3abc\0x",
      }
      for _, bytes in ipairs(bad) do assert(peer:send(bytes)) end
      -- A reply to nobody, and a call that is good but for its arguments.
      assert(peer:send(head(1, 3, me.nodeid, me.pid) .. "\1x"))
      assert(peer:send(head(1, 1, 0, 0) .. "\4echo\1{{{"))
      local reply = assert(peer:next("message", 5))
      while #reply < 26 or reply:byte(2) ~= 4 do
        reply = assert(peer:next("message", 5))
      end
      assert.matches("the arguments cannot be read: ", reply)
      eventually(function() return #told == #bad end)
      for i, bytes in ipairs(bad) do
        assert.equal(bytes, told[i][1])
        assert.equal(tostring(peer.me), told[i][2])
      end
      assert.equal(#bad, service:stats().malformed)
      assert.equal("version 2 is not known", told[3][3])
      assert(peer:leave())
    end)

    it("refuses more calls than it may perform at a time", function()
      local gate = {}
      local function wait() return corolua.wait(function() return gate.is_open end, 10) end
      local service <close> = assert(rpc.open(cluster[1]:group("full"), { wait = wait },
        { max_running = 10 }))
      local other <close> = assert(rpc.open(cluster[2]:group("full")))
      eventually(function() return #other.group.members == 2 end)
      local to = { to = service.group.me }
      local results, ended, refused = {}, 0, 0
      for i = 1, 30 do
        corolua.spawn(function()
          local ok, message, code = other:call("wait", nil, to)
          results[i], ended = ok or code, ended + 1
          if code == "ERR_OVERLOAD" then
            refused = refused + 1
            assert.equal("the member is overloaded: 10 calls run", message)
          end
        end)
      end
      eventually(function() return refused == 20 end)
      gate.is_open = true
      eventually(function() return ended == 30 end)
      for i = 1, 10 do assert.is_true(results[i]) end
      assert.equal(0, service:stats().running)
    end)

    it("begins calls in one order everywhere", function()
      local seen, list = { {}, {}, {} }, {}
      for i = 1, 3 do
        list[i] = assert(rpc.open(cluster[i]:group("order"), {
          note = function(value) table.insert(seen[i], value) end,
        }))
      end
      eventually(function() return #list[1].group.members == 3 end)
      local done = 0
      for n = 1, 300 do
        corolua.spawn(function()
          assert(list[n % 3 + 1]:call("note", n, { to = "all", timeout = BUSY }))
          done = done + 1
        end)
      end
      eventually(function() return done == 300 end, BUSY)
      assert.equal(300, #seen[1])
      assert.same(seen[1], seen[2])
      assert.same(seen[1], seen[3])
      close_all(list)
    end)

    it("takes calls by the thousand", function()
      local done = 0
      for n = 1, 5000 do
        corolua.spawn(function()
          local parts = services[n % 3 + 1]:call("add", { n, 1 }, { to = "all", timeout = BUSY })
          for _, part in ipairs(assert(parts)) do assert.equal(n + 1, part.result) end
          done = done + 1
        end)
      end
      eventually(function() return done == 5000 end, BUSY)
      for i = 1, 3 do
        local stats = services[i]:stats()
        assert.equal(0, stats.pending + stats.running + stats.unsent)
      end
    end)

    it("takes by the thousand calls of methods that wait", function()
      local is_open, done, most = false, 0, 0
      local list = {}
      for i = 1, 3 do
        list[i] = assert(rpc.open(cluster[i]:group("waiting"), {
          wait = function() return corolua.wait(function() return is_open end, BUSY) end,
        }, { codec = "json", timeout = 30 }))
      end
      eventually(function() return #list[1].group.members == 3 end)
      for n = 1, 1500 do
        corolua.spawn(function()
          local to = list[n % 2 + 2].group.me
          assert.is_true((list[1]:call("wait", nil, { to = to, timeout = BUSY })))
          done = done + 1
        end)
      end
      eventually(function()
        most = math.max(most, list[2]:stats().running + list[3]:stats().running)
        return most == 1500
      end, BUSY)
      is_open = true
      eventually(function() return done == 1500 end, BUSY)
      close_all(list)
    end)

    it("ends calls when it is closed", function()
      local list = open_all("closing")
      local calling = corolua.spawn(function() return list[1]:call("sleep", 1, { to = "all" }) end)
      eventually(function() return list[1]:stats().running == 1 end)
      assert(list[1]:close())
      local value, message, code = calling:wait()
      assert.is_nil(value)
      assert.equal("the service is closed", message)
      assert.equal("ERR_NOT_EXIST", code)
      value, message, code = list[1]:call("node", nil, { to = "all" })
      assert.is_nil(value)
      assert.equal("the group is not joined", message)
      assert.equal("ERR_NOT_EXIST", code)
      assert.is_true(list[1]:close())
      assert(list[2]:close())
      assert(list[3]:close())
    end)

    it("is closed by <close>, and can be opened again", function()
      for _ = 1, 3 do
        local service <close> = assert(rpc.open(cluster[1]:group("again"), methods))
        assert.equal(3, service:call("add", { 1, 2 }, { to = "all" })[1].result)
      end
    end)

    it("names the nearest event", function()
      assert.equal("unknown event 'member', did you mean 'members'?", sentence(function()
        services[1].on.member = print
      end))
    end)

    it("prints by its name", function() assert.equal("rpc 'calc'", tostring(services[1])) end)

    it("leaves nothing behind that keeps the program", function()
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write([[
        local lab, rpc = require("corolua.lab"), require("corolua.rpc")
        local cluster <close> = assert(lab.start({ nodes = 1 }))
        local service = assert(rpc.open(cluster[1]:group("x"), { one = function() return 1 end }))
        print(service:call("one", nil, { to = "all" })[1].result)
        print(service:call("one", nil, { to = "all", timeout = 10000 })[1].result)
      ]])
      file:close()
      local pipe = assert(io.popen(("timeout 100 '%s' '%s' 2>&1"):format(support.program, path)))
      local output = pipe:read("a")
      local ok = pipe:close()
      os.remove(path)
      assert.equal("1\n1\n", output)
      assert.is_true(ok)
    end)
  end)
end)
