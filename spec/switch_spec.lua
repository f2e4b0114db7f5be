local network = require("corolua.lab.network")
local sandbox = require("corolua.lab.sandbox")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local switch = require("corolua.switch")
local sys = require("corolua.sys")

local datagram = assert(package.loadlib(support.build .. "/spec/datagram.so",
  "luaopen_datagram"))()

local PORT = 4711

describe("corolua.switch", function()
  local wires -- two links between three nodes, which each spec joins by a switch
  local open = {}

  setup(function()
    assert(sandbox.enter(3))
    wires = assert(network.build({ nodes = 3, links = 2, network = "switch" }))
    wires.switch:close()
  end)

  teardown(function()
    wires:close()
    sandbox.leave()
  end)

  after_each(function()
    for _, object in ipairs(open) do object:close() end
    open = {}
  end)

  local function closing(object)
    table.insert(open, object)
    return object
  end

  local function in_hub(fn) return wires:in_hub(fn) end

  local function ports(links)
    local list = {}
    for link = 0, links - 1 do
      for node = 1, 3 do
        table.insert(list, { name = network.port(link, node), node = node, link = link })
      end
    end
    return list
  end

  local function try(options)
    options = options or {}
    options.ports = options.ports or ports(1)
    return in_hub(function() return switch.start(options) end)
  end

  local function start(options)
    local sw = closing(assert(try(options)))
    assert(sw:ready())
    return sw
  end

  local function socket(node)
    return closing(assert(sandbox.run_in(wires.spaces[node], datagram.open, PORT)))
  end

  local function send(from, to, payload, link)
    assert(from:send(payload, network.address(link or 0, to), PORT))
  end

  -- Payloads until there are that many, or none comes for so long.
  local function receive(from, count, patience)
    local list = {}
    while #list < count do
      local payload = from:receive()
      if payload then
        table.insert(list, payload)
      elseif not support.readable(from:fd(), patience or 0.3) then
        break
      end
    end
    return list
  end

  local function send_numbered(from, to, count, size)
    for i = 1, count do
      send(from, to, ("%06d"):format(i) .. ("x"):rep((size or 6) - 6))
    end
  end

  local function numbers(first, last)
    local list = {}
    for i = first, last do table.insert(list, ("%06d"):format(i)) end
    return list
  end

  -- Nothing vanishes: what came is what went, or stands in a counter.
  local function assert_accounted(cell)
    assert.equal(cell.offered + cell.duplicated, cell.forwarded + cell.blocked + cell.lost
      + cell.discarded + cell.overflow + cell.refused + cell.queued)
  end

  local function counters(sw, from, to)
    local cell = assert(sw:counters())[from][to]
    assert_accounted(cell)
    return cell
  end

  it("forwards to the node a frame is for, and to no other", function()
    local sw = start()
    local a, b, c = socket(1), socket(2), socket(3)
    send(b, 1, "here I am")
    receive(a, 1)
    send(a, 2, "hello")
    assert.same({ "hello" }, receive(b, 1))
    assert.same({}, receive(c, 1, 0.05))
    assert.equal(1, counters(sw, 1, 2).forwarded)
    assert.equal(0, counters(sw, 1, 3).forwarded)
    assert.equal(1, sw:counters().ports[network.port(0, 1)].received)
  end)

  it("forwards a broadcast to every node of its link", function()
    start({ ports = ports(2) })
    local a, b, c = socket(1), socket(2), socket(3)
    assert(a:send("all", "10.77.1.255", PORT))
    assert.same({ "all" }, receive(b, 2, 0.05))
    assert.same({ "all" }, receive(c, 2, 0.05))
  end)

  it("cuts one direction only", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { block = true }))
    send_numbered(a, 2, 5)
    send_numbered(b, 1, 5)
    assert.same(numbers(1, 5), receive(a, 5))
    assert.equal(5, counters(sw, 1, 2).blocked)
    assert(sw:clear())
    send(a, 2, "again")
    assert.same({ "again" }, receive(b, 1))
  end)

  it("has a cut in force when set returns, and a second later", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    send_numbered(a, 2, 200)
    assert(sw:set(1, 2, { block = true }))
    local before = counters(sw, 1, 2).forwarded
    local deadline = scheduler.now() + 1
    while scheduler.now() < deadline do
      send_numbered(a, 2, 20)
      receive(b, 200, 0.02)
    end
    assert.equal(before, counters(sw, 1, 2).forwarded)
    assert.is_true(counters(sw, 1, 2).blocked > 20)
  end)

  it("drops with a cut what waits in the delay queue", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { delay = 0.2 }))
    send_numbered(a, 2, 10)
    assert.equal(10, counters(sw, 1, 2).queued)
    assert(sw:set(1, 2, { block = true }))
    assert.equal(10, counters(sw, 1, 2).blocked)
    assert.same({}, receive(b, 1, 0.4))
    assert.equal(0, counters(sw, 1, 2).forwarded)
  end)

  it("sends what waits at once when the delay ends, in order", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { delay = 60 }))
    send_numbered(a, 2, 50)
    assert(sw:clear())
    assert.same(numbers(1, 50), receive(b, 50))
  end)

  it("delays, with jitter on top", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { delay = 0.05, jitter = 0.05 }))
    local began = scheduler.now()
    send_numbered(a, 2, 100)
    assert.equal(1, #receive(b, 1))
    assert.is_true(scheduler.now() - began >= 0.05)
    assert.equal(99, #receive(b, 99))
    assert.is_true(scheduler.now() - began >= 0.08)
    assert.equal(100, counters(sw, 1, 2).delayed)
  end)

  it("limits the rate", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { rate = 1e6 }))
    local began = scheduler.now()
    send_numbered(a, 2, 20, 1000)
    assert.equal(20, #receive(b, 20))
    local bits = 20 * (1000 + 42) * 8
    assert.near(bits / 1e6, scheduler.now() - began, 0.1)
  end)

  it("counts what a full delay queue drops", function()
    local sw = start()
    local a = socket(1)
    assert(sw:set(1, 2, { delay = 60 }))
    local cell
    repeat
      send_numbered(a, 2, 1000, 1400)
      cell = counters(sw, 1, 2)
    until cell.overflow > 0
    assert.near(16 * 1024 * 1024 / 1500, cell.queued, 500)
    assert(sw:set(1, 2, { block = true }))
    assert.equal(0, counters(sw, 1, 2).queued)
  end)

  it("loses as often as told, and counts it", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { loss = 0.3 }))
    send_numbered(a, 2, 1000)
    local got = #receive(b, 1000, 0.2)
    local cell = counters(sw, 1, 2)
    assert.near(300, cell.lost, 80)
    assert.equal(1000 - cell.lost, got)
  end)

  it("duplicates", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { duplicate = 1 }))
    send_numbered(a, 2, 2)
    assert.same({ "000001", "000001", "000002", "000002" }, receive(b, 4))
    assert.equal(2, counters(sw, 1, 2).duplicated)
  end)

  it("reorders, and loses nothing by it", function()
    local sw = start()
    local a, b = socket(1), socket(2)
    assert(sw:set(1, 2, { reorder = 0.2 }))
    send_numbered(a, 2, 100)
    local got = receive(b, 100)
    assert.are_not.same(numbers(1, 100), got)
    table.sort(got)
    assert.same(numbers(1, 100), got)
    assert.is_true(counters(sw, 1, 2).reordered > 5)
  end)

  describe("the seed", function()
    local faults = { loss = 0.2, duplicate = 0.2, reorder = 0.1, jitter = 0.01 }

    local function outcome(seed, disturb)
      local sw <close> = assert(try({ seed = seed }))
      local a, b, c = socket(1), socket(2), socket(3)
      if disturb then
        assert(sw:set(3, 2, faults))
        send_numbered(c, 2, 50)
        send_numbered(a, 2, 7)
        receive(b, 120, 0.1)
      end
      assert(sw:set(1, 2, faults))
      send_numbered(a, 2, 300)
      local got = receive(b, 600, 0.2)
      local cell = counters(sw, 1, 2)
      for _, one in ipairs({ a, b, c }) do one:close() end
      table.sort(got)
      return { got, cell.lost, cell.duplicated, cell.reordered }
    end

    it("decides the same for the same frames", function()
      assert.same(outcome(7), outcome(7))
    end)

    it("decides the same whatever other cells and earlier frames did", function()
      assert.same(outcome(7), outcome(7, true))
    end)

    it("decides otherwise with another seed", function()
      assert.are_not.same(outcome(7), outcome(8))
    end)
  end)

  describe("corruption", function()
    -- The node's own count of datagrams with a wrong checksum.
    local function wrong_checksums(node)
      return sandbox.run_in(wires.spaces[node], function()
        local file <close> = assert(io.open("/proc/thread-self/net/snmp"))
        local names, values = file:read("a"):match("(Udp:[^\n]*)\n(Udp:[^\n]*)")
        local fields = names:gmatch("%S+")
        for value in values:gmatch("%S+") do
          if fields() == "InCsumErrors" then return tonumber(value) end
        end
      end)
    end

    it("is loss by the receiver's checksum", function()
      local sw = start()
      local a, b = socket(1), socket(2)
      local before = wrong_checksums(2)
      assert(sw:set(1, 2, { corrupt = 1 }))
      send_numbered(a, 2, 50, 101)
      assert.same({}, receive(b, 1, 0.2))
      assert.equal(50, counters(sw, 1, 2).corrupted)
      assert.equal(50, wrong_checksums(2) - before)
    end)

    local function bits_changed(one, other)
      local count = 0
      for i = 1, #one do
        local diff = one:byte(i) ~ other:byte(i)
        while diff > 0 do
          count = count + (diff & 1)
          diff = diff >> 1
        end
      end
      return count
    end

    it("reaches the receiver with repair, one bit in each", function()
      local sw = start()
      local a, b = socket(1), socket(2)
      assert(sw:set(1, 2, { corrupt = 1, repair = true }))
      for size = 1, 100 do send(a, 2, ("z"):rep(size)) end
      local got = receive(b, 100)
      assert.equal(100, #got)
      for size, payload in ipairs(got) do
        assert.equal(1, bits_changed(payload, ("z"):rep(size)))
      end
    end)

    it("ends in the switch where no checksum would find it", function()
      local sw = start()
      local a, b = socket(1), socket(2)
      a:leave_unchecked()
      assert(sw:set(1, 2, { corrupt = 1 }))
      send_numbered(a, 2, 5)
      assert.same({}, receive(b, 1, 0.1))
      assert.equal(5, counters(sw, 1, 2).discarded)
    end)
  end)

  describe("links", function()
    it("have cells of their own", function()
      local sw = start({ ports = ports(2) })
      local a, b = socket(1), socket(2)
      assert(sw:set(1, 2, { block = true }, 1))
      send(a, 2, "by link 0", 0)
      send(a, 2, "by link 1", 1)
      assert.same({ "by link 0" }, receive(b, 2, 0.1))
      assert.equal(0, assert(sw:counters(0))[1][2].blocked)
      assert.equal(1, assert(sw:counters(1))[1][2].blocked)
    end)

    it("are set alike when none is named", function()
      local sw = start({ ports = ports(2) })
      local a, b = socket(1), socket(2)
      assert(sw:set(1, 2, { block = true }))
      send(a, 2, "by link 0", 0)
      send(a, 2, "by link 1", 1)
      assert.same({}, receive(b, 2, 0.1))
      assert.equal(2, counters(sw, 1, 2).blocked)
    end)
  end)

  describe(":apply", function()
    it("sets many cells in one step", function()
      local sw = start()
      local a, b, c = socket(1), socket(2), socket(3)
      assert(sw:apply({ { 1, 2, { block = true } }, { 1, 3, { loss = 1 } }, { 2, 3 } }))
      send(c, 2, "here I am")
      send(b, 3, "yes")
      assert.same({ "yes" }, receive(c, 1))
      assert.same({ "here I am" }, receive(b, 1))
      send(a, 2, "no")
      send(a, 3, "no")
      assert.same({}, receive(b, 1, 0.05))
      assert.equal(1, counters(sw, 1, 2).blocked)
      assert.equal(1, counters(sw, 1, 3).lost)
    end)

    it("changes nothing when an entry is wrong", function()
      local sw = start()
      local a, b = socket(1), socket(2)
      assert.has_error(function()
        sw:apply({ { 1, 2, { block = true } }, { 1, 9 } })
      end)
      assert(sw:set(2, 1, {}))
      send(a, 2, "hello")
      assert.same({ "hello" }, receive(b, 1))
    end)
  end)

  describe("a table that closes the switch while it is read", function()
    local function closer(sw, event)
      return { [event] = function() sw:close() end }
    end

    local function raises(fn) assert.error_matches(fn, "the switch is closed", 1, true) end

    it("is refused by :apply", function()
      local length = start()
      assert.has_error(function() length:apply(setmetatable({}, closer(length, "__len"))) end)
      local entry = start()
      local list = setmetatable({}, { __len = function() return 1 end, __index = function()
        entry:close()
        return { 1, 2, { block = true } }
      end })
      raises(function() entry:apply(list) end)
      local faults = start()
      raises(function() faults:apply({ { 1, 2, setmetatable({}, closer(faults, "__index")) } }) end)
    end)

    it("is refused by :set", function()
      local sw = start()
      raises(function() sw:set(1, 2, setmetatable({}, closer(sw, "__index"))) end)
    end)
  end)

  describe("the capture", function()
    local function output(command)
      local pipe = assert(io.popen(command .. " 2>/dev/null"))
      local text = pipe:read("a")
      pipe:close()
      return text
    end

    it("holds every frame that was forwarded, with finished checksums", function()
      local path = os.tmpname()
      local sw = start({ pcap = path })
      local a, b = socket(1), socket(2)
      assert(sw:set(1, 2, { loss = 0.5, duplicate = 0.5 }))
      send_numbered(a, 2, 100, 400)
      receive(b, 200, 0.2)
      local all = assert(sw:counters())
      local forwarded = 0
      for _, row in ipairs(all) do
        for _, cell in pairs(row) do forwarded = forwarded + cell.forwarded end
      end
      assert.equal(forwarded, all.captured)
      sw:close()
      local read = "tshark -r " .. path .. " -o udp.check_checksum:TRUE -Y udp.checksum.status=="
      assert.equal(forwarded, tonumber(output("capinfos -cMTr " .. path):match("(%d+)%s*$")))
      assert.equal("", output(read .. "0"))
      assert.equal(forwarded, select(2, output(read .. "1"):gsub("\n", "")))
      os.remove(path)
    end)

    it("counts what the file does not take", function()
      local sw = start({ pcap = "/dev/full" })
      local a, b = socket(1), socket(2)
      send_numbered(a, 2, 5)
      assert.equal(5, #receive(b, 5))
      assert(sw:ready())
      local all = assert(sw:counters())
      assert.equal(0, all.captured)
      assert.is_true(all.uncaptured >= 5)
    end)
  end)

  describe("the kernel's part", function()
    it("counts the frames that found the ring full", function()
      local sw = start({ ring_bytes = 3 * 64 * 1024 })
      local a, b = socket(1), socket(2)
      assert(sys.kill(sw:pid(), "STOP"))
      send_numbered(a, 2, 100)
      assert(sys.kill(sw:pid(), "CONT"))
      local got = #receive(b, 100, 0.2)
      local port = assert(sw:counters()).ports[network.port(0, 1)]
      assert.equal(32, port.slots)
      assert.equal(got, port.received)
      assert.equal(100, port.received + port.dropped)
    end)

    local function set_mtu(mtu)
      for node = 1, 2 do
        local name = network.interface(0)
        sandbox.run_in(wires.spaces[node], os.execute, ("ip link set %s mtu %d"):format(name, mtu))
        name = network.port(0, node)
        in_hub(function() os.execute(("ip link set %s mtu %d"):format(name, mtu)) end)
      end
    end

    it("forwards a frame that is longer than a slot", function()
      start()
      local a, b = socket(1), socket(2)
      set_mtu(9000)
      send_numbered(a, 2, 3, 8000)
      local got = receive(b, 3)
      set_mtu(1500)
      assert.equal(3, #got)
      assert.equal(8000, #got[3])
    end)

    it("counts what a cable that is down refuses, and uses it once it is up", function()
      local sw = start()
      local a, b = socket(1), socket(2)
      assert(wires:set_plugged(2, false))
      send_numbered(a, 2, 5)
      assert(sw:ready())
      assert.equal(5, counters(sw, 1, 2).refused)
      assert(wires:set_plugged(2, true))
      send(a, 2, "again")
      assert.same({ "again" }, receive(b, 1))
    end)
  end)

  describe("the process", function()
    local function read_stat(pid)
      local file <close> = io.open("/proc/" .. pid .. "/stat")
      return file and file:read("a")
    end

    -- Times it was put to sleep or preempted, and ticks of CPU time.
    local function activity(pid)
      local switches, file = 0, assert(io.open("/proc/" .. pid .. "/status"))
      for count in file:read("a"):gmatch("ctxt_switches:%s*(%d+)") do
        switches = switches + count
      end
      file:close()
      local user, system = read_stat(pid):match("%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
      return switches, user + system
    end

    it("sleeps while nothing comes, also when a cable is down", function()
      local sw = start()
      local idle = socket(1)
      assert(wires:set_plugged(2, false))
      assert(sw:set(1, 3, { delay = 60 }))
      send(idle, 3, "later")
      assert(sw:ready())
      receive(idle, 1, 0.1)
      local switches, ticks = activity(sw:pid())
      receive(idle, 1, 0.5)
      local switches_after, ticks_after = activity(sw:pid())
      assert(wires:set_plugged(2, true))
      assert.equal(ticks, ticks_after)
      assert.is_true(switches_after - switches <= 2)
    end)

    it("makes its descriptor readable when it ends", function()
      local sw = start()
      assert.is_true(sw:alive())
      assert.is_nil((support.readable(sw:fd(), 0.01)))
      assert(sys.kill(sw:pid(), "KILL"))
      assert.is_true(support.readable(sw:fd(), 1))
      local set, why, code = sw:set(1, 2, { block = true })
      assert.is_nil(set)
      assert.equal("the switch has ended, killed by signal 9", why)
      assert.equal("EPIPE", code)
      assert.is_false(sw:alive())
    end)

    it("ends with close, with <close> and with the collector", function()
      local descriptors = support.descriptors()
      for _, finish in ipairs({
        function(sw) sw:close() end,
        function(sw) local _ <close> = sw end,
        function() end,
      }) do
        local sw = assert(try())
        local pid = sw:pid()
        finish(sw)
        sw = nil -- luacheck: ignore
        collectgarbage()
        assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
      end
      assert.equal(descriptors, support.descriptors())
    end)

    it("may be closed twice, and is of no use then", function()
      local sw = start()
      sw:close()
      sw:close()
      assert.is_false(sw:alive())
      assert.has_error(function() sw:ready() end, "the switch is closed")
    end)

    it("dies with the program", function()
      local script = ([[
        local sw = assert(require("corolua.switch").start({ ports = { %q } }))
        io.write(sw:pid(), "\n"):flush()
        require("corolua").sleep(60)
      ]]):format(network.port(0, 1))
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      file:write(script)
      file:close()
      local pid = in_hub(function()
        local pipe <close> = assert(io.popen(
          ("timeout -s KILL 0.3 %s %s 2>&1"):format(support.program, path)))
        return tonumber(pipe:read("l"))
      end)
      os.remove(path)
      local deadline = scheduler.now() + 2
      repeat
        scheduler.sleep(0.01)
        local stat = read_stat(pid)
      until not stat or stat:match("%) Z") or scheduler.now() > deadline
      assert.is_true(scheduler.now() <= deadline)
    end)
  end)

  it("takes a signal that comes right after the fork for itself", function()
    local script = [[
      local corolua = require("corolua")
      local sw = assert(require("corolua.switch").start({ ports = { "%s" } }))
      print((select(2, sw:ready())))
      print(corolua.sleep(0.05))]]
    local output = in_hub(function()
      local pipe <close> = assert(io.popen(("%s '%s' - 2>&1 <<'EOT'\n%s\nEOT"):format(
        support.preload_stub("fork"), support.program, script:format(network.port(0, 1)))))
      return pipe:read("a")
    end)
    assert.equal("the switch has ended, killed by signal 15\ntrue\n", output)
  end)

  describe("what cannot be", function()
    it("is told: no such interface", function()
      local sw, why, code = try({ ports = { "nowhere" } })
      assert.is_nil(sw)
      assert.equal("no interface 'nowhere' in this network namespace", why)
      assert.equal("ENODEV", code)
    end)

    it("is told: no such folder for the capture", function()
      local sw, why, code = try({ pcap = "/nowhere/at.all" })
      assert.is_nil(sw)
      assert.equal("cannot write '/nowhere/at.all': No such file or directory", why)
      assert.equal("ENOENT", code)
    end)

    it("is told: no right to open a packet socket", function()
      local pipe <close> = assert(io.popen(("setpriv --bounding-set -net_raw %s -e '%s' 2>&1")
        :format(support.program, "print(require(\"corolua.switch\").start({ports={\"lo\"}}))")))
      assert.truthy(pipe:read("a"):find("CAP_NET_RAW is missing in this network", 1, true))
    end)

    it("raises: misuse", function()
      local sw = start()
      local port = network.port(0, 1)
      for message, call in pairs({
        ["from must be an integer of 1 to 3, got 4"] = function() sw:set(4, 1) end,
        ["to must be an integer of 1 to 3, got x"] = function() sw:set(1, "x") end,
        ["from and to are the same node"] = function() sw:set(2, 2) end,
        ["unknown fault 'los', did you mean 'loss'?"] = function() sw:set(1, 2, { los = 1 }) end,
        ["option 'loss' must be a number of 0 to 1.0, got 2"] = function()
          sw:set(1, 2, { loss = 2 })
        end,
        ["option 'loss' must be a number of 0 to 1.0, got -nan"] = function()
          sw:set(1, 2, { loss = 0 / 0 })
        end,
        ["option 'block' must be a boolean, got number"] = function()
          sw:set(1, 2, { block = 1 })
        end,
        ["a table of faults was expected, got boolean"] = function() sw:set(1, 2, true) end,
        ["link must be an integer of 0 to 0, got 1"] = function() sw:set(1, 2, {}, 1) end,
        ["each entry must be a table"] = function() sw:apply({ 1 }) end,
        ["a switch has 1 to 128 ports, got 0"] = function() switch.start({ ports = {} }) end,
        ["option 'ports' must be a table, got nil"] = function() switch.start({}) end,
        ["unknown option 'port', did you mean 'ports'?"] = function()
          switch.start({ port = {} })
        end,
        ["is named twice"] = function() switch.start({ ports = { port, port } }) end,
        ["are both node 1 on link 0"] = function()
          switch.start({ ports = { "a", { name = "b", node = 1 } } })
        end,
        ["option 'seed' must be an integer"] = function()
          switch.start({ ports = { port }, seed = 0.5 })
        end,
      }) do
        local ok, why = pcall(call)
        assert.is_false(ok, message)
        assert.truthy(tostring(why):find(message, 1, true), why)
      end
    end)
  end)
end)
