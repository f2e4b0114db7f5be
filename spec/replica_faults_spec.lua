-- Not sanitized: Lua above groups and journals, whose specs reach the same C.
-- corolua.replica when nodes, processes, cables and disks fail.
local corolua = require("corolua")
local dispatch = require("corolua.replica.dispatch")
local replica = require("corolua.replica")
local replicas = require("spec.support.replicas")
local support = require("spec.support")

local FORM = { packed = true, fragment = true }
local CLIENT = "spec/support/replica_client.lua"

local function eventually(condition, timeout)
  local ok, message = corolua.wait(condition, timeout or 20)
  assert(ok, message)
end

local function append(state, command)
  table.insert(state, command)
  return #state
end

-- A busy machine may take a ring apart once more. What was not applied is said again.
local function submit_applied(one, command)
  local deadline = corolua.now() + 20
  repeat
    eventually(function() return one:status().state ~= "inquorate" end)
    local index, why, _, fate = one:submit(command)
    assert(index or fate == "never" and corolua.now() < deadline, why)
    if index then return index end
  until false
end

local function list_of(state) return table.concat(state, "\n") end

local function count_of(state) return #state end

describe("replica under faults", function()
  local on = replicas.new()
  local cluster
  local opened, processes

  setup(function()
    on.start(3)
    cluster = on.cluster
  end)
  teardown(function() on.stop() end)

  before_each(function() opened, processes = {}, {} end)

  after_each(function()
    for _, process in ipairs(processes) do process:kill("KILL") end
    for _, one in ipairs(opened) do
      if one:status().state ~= "closed" then one:leave() end
    end
    assert(cluster:heal())
    for node = 1, 3 do
      if not cluster[node]:is_running() then assert(cluster[node]:start()) end
    end
    assert(cluster:settle())
  end)

  local function open(node, name, options)
    options = options or {}
    options.apply = options.apply or append
    local one = assert(replica.open(cluster[node]:group(name, FORM), options))
    table.insert(opened, one)
    return one
  end

  local function open_all(name, options)
    local list, dirs = {}, {}
    for node = 1, 3 do
      dirs[node] = on.folder()
      local own = { dir = dirs[node] }
      for key, value in pairs(options or {}) do own[key] = value end
      list[node] = open(node, name, own)
    end
    return list, dirs
  end

  local function run(node, ...)
    local process = assert(cluster[node]:run(CLIENT, ...))
    table.insert(processes, process)
    return process
  end

  -- Waits until all are in sync and have the same.
  local function wait_same(list, timeout)
    eventually(function()
      for _, one in ipairs(list) do
        local status = one:status()
        if status.state ~= "synced" or status.index ~= list[1]:status().index then return false end
      end
      return true
    end, timeout)
    for i = 2, #list do assert.equal(list[1]:read(list_of), list[i]:read(list_of)) end
  end

  local function wait_same_state(list, state)
    eventually(function()
      for _, one in ipairs(list) do
        if one:status().state ~= state then return false end
      end
      return true
    end)
  end

  -- How often each command is in the log; fails if one is in it twice.
  local function commands_of(one)
    local set = {}
    one:read(function(state)
      for _, command in ipairs(state) do
        assert.is_nil(set[command], command)
        set[command] = true
      end
    end)
    return set
  end

  -- Some tasks that submit until they are told to stop; what they got.
  local function put_load_on(list, tasks)
    local work = { acked = {}, refused = {}, count = 0, running = true }
    for node, one in ipairs(list) do
      for task = 1, tasks do
        work[#work + 1] = corolua.spawn(function()
          local n = 0
          while work.running do
            n = n + 1
            local command = ("%d.%d.%d"):format(node, task, n)
            local index, _, code, fate = one:submit(command, { timeout = 20 })
            work.count = work.count + 1
            if index then
              work.acked[command] = true
            else
              work.refused[command] = { code = code, fate = fate }
              corolua.sleep(0.01)
            end
          end
        end)
      end
    end
    function work.stop()
      work.running = false
      for _, task in ipairs(work) do task:wait() end
    end
    return work
  end

  local function assert_kept(work, one)
    local set = commands_of(one)
    for command in pairs(work.acked) do assert.is_true(set[command], command) end
    for command, refusal in pairs(work.refused) do
      if refusal.fate == "never" then assert.is_nil(set[command], command) end
      if refusal.fate == "applied" then assert.is_true(set[command], command) end
    end
  end

  it("goes on in the majority, and throws away what the minority could not commit", function()
    local list = open_all("partition")
    wait_same(list)
    local work = put_load_on(list, 5)
    eventually(function() return work.count > 200 end)
    assert(cluster:partition({ { 1, 2 }, { 3 } }))
    eventually(function() return list[3]:status().state == "inquorate" end)
    local at = work.count
    local function minority()
      local codes = {}
      for command, refusal in pairs(work.refused) do
        if command:find("^3%.") then codes[refusal.code] = true end
      end
      return codes
    end
    eventually(function() return work.count > at + 200 and next(minority()) end)
    assert.same({ ERR_NOT_QUORATE = true }, minority())
    assert(cluster:heal())
    eventually(function() return list[3]:status().state == "synced" end)
    work.stop()
    wait_same(list)
    assert_kept(work, list[1])
  end)

  it("drops records that only the minority has", function()
    local list = open_all("drop", { durable = "written" })
    wait_same(list)
    assert(list[3]:submit("first"))
    wait_same(list)
    -- A log in which one member alone has written on: a marker of its own would
    -- come only with quorum, so the record is put into its log.
    local member = list[3].member
    local record = require("corolua.replica.log_entry")
    assert(cluster:isolate(3))
    eventually(function() return list[3]:status().state == "inquorate" end)
    assert(member.machine:append(record.command(1, 1, 1, 3, 1, "alone")))
    assert.equal("first\nalone", list[3]:read(list_of))
    assert(list[1]:submit("second"))
    assert(cluster:heal())
    wait_same(list)
    assert.equal("first\nsecond", list[3]:read(list_of))
  end)

  it("keeps what was acknowledged when daemons die and views change under load", function()
    local list = open_all("storm", { snapshot_after = 20000 })
    wait_same(list)
    local work = put_load_on(list, 5)
    for round = 1, 3 do
      local at = work.count
      eventually(function() return work.count > at + 100 end)
      local node = cluster[round % 3 + 1]
      assert(node:kill())
      assert(node:start())
      assert(cluster:partition({ { round }, { round % 3 + 1, (round + 1) % 3 + 1 } }))
      assert(cluster:settle())
      assert(cluster:heal())
      assert(cluster:settle())
    end
    work.stop()
    wait_same(list)
    assert_kept(work, list[1])
  end)

  it("has everything acknowledged after kill -9 of a process, which comes back", function()
    local dir = on.folder()
    local list = {}
    for node = 1, 2 do list[node] = open(node, "killed", { dir = on.folder() }) end
    local acked = {}
    local process = run(3, "killed", dir, "majority", "submit")
    for _ = 1, 50 do table.insert(acked, assert(process:next(20)):match("^ok\t(.*)$")) end
    process:kill("KILL")
    process:wait(10)
    wait_same(list)
    local set = commands_of(list[1])
    for _, command in ipairs(acked) do assert.is_true(set[command], command) end
    assert(list[1]:submit("meanwhile"))
    local total = list[1]:read(count_of)
    local again = run(3, "killed", dir, "majority", "wait", tostring(total))
    assert.equal("there", again:next(20))
  end)

  it("has everything acknowledged after kill -9 of all at once", function()
    local dirs, members, acked = {}, {}, {}
    for node = 1, 3 do
      dirs[node] = on.folder()
      members[node] = run(node, "all-killed", dirs[node], "all", "submit")
    end
    for node = 1, 3 do
      for _ = 1, 30 do table.insert(acked, assert(members[node]:next(20)):match("^ok\t(.*)$")) end
    end
    for node = 1, 3 do members[node]:kill("KILL") end
    for node = 1, 3 do assert(cluster[node]:kill()) end
    for node = 1, 3 do members[node]:wait(10) end
    for node = 1, 3 do assert(cluster[node]:start()) end
    local list = {}
    for node = 1, 3 do
      list[node] = open(node, "all-killed", { dir = dirs[node], durable = "all" })
    end
    wait_same(list)
    local set = commands_of(list[2])
    for _, command in ipairs(acked) do assert.is_true(set[command], command) end
    assert(list[3]:submit("on it goes"))
  end)

  it("decides anew when all processes come back in the same ring", function()
    local list, dirs = open_all("same-ring")
    for n = 1, 3 do
      wait_same(list)
      assert.equal(n, list[n]:submit("x" .. n))
      for node = 1, 3 do assert(list[node]:leave()) end
      for node = 1, 3 do list[node] = open(node, "same-ring", { dir = dirs[node] }) end
    end
    wait_same(list)
    assert.equal("x1\nx2\nx3", list[1]:read(list_of))
  end)

  -- corosync is not known to lose messages within a ring, so the gap is told by
  -- hand, to one of them or to all.
  it("comes back into sync within a ring, without a record lost or doubled", function()
    local list = open_all("gaps", { snapshot_after = 20000 })
    wait_same(list)
    local work = put_load_on(list, 5)
    local function miss_messages()
      for round = 1, 12 do
        local at = work.count
        eventually(function() return work.count > at + 50 end)
        for node = 1, 3 do
          local one = list[node]
          if round % 4 == 0 or round % 3 + 1 == node then
            dispatch.gap(one.member, list[node % 3 + 1].room.me)
          end
        end
      end
    end
    -- A busy machine may change the ring at any time.
    local ring
    repeat
      wait_same_state(list, "synced")
      ring = list[1].room.view.ring
      miss_messages()
      wait_same_state(list, "synced")
    until ring == list[1].room.view.ring
    work.stop()
    wait_same(list)
    assert.is_true(list[1].member.recovery.round > 1)
    assert_kept(work, list[1])
  end)

  it("starts when the expected votes are lowered for a node that is alone", function()
    local one = open(1, "alone", { dir = on.folder() })
    local two = open(2, "alone", { dir = on.folder() })
    assert(one:submit("both"))
    assert(two:leave())
    assert(cluster[2]:stop())
    assert(cluster[3]:stop())
    eventually(function() return one:status().state == "inquorate" end)
    assert.equal("ERR_NOT_QUORATE", (select(3, one:submit("no"))))
    local result = assert(cluster[1]:tool("corosync-quorumtool", "-e", "1"))
    assert.equal(0, result.status, result.output)
    eventually(function() return one:status().state ~= "inquorate" end)
    assert.equal(2, one:submit("alone"))
  end)

  it("goes on without a process that is stopped, which then catches up", function()
    local list = {}
    for node = 1, 2 do list[node] = open(node, "stopped", { dir = on.folder() }) end
    local process = run(3, "stopped", on.folder(), "majority", "wait", "3")
    submit_applied(list[1], "one")
    eventually(function() return #list[1]:status().members == 3 end)
    wait_same(list)
    process:kill("STOP")
    submit_applied(list[1], "two")
    assert(cluster:isolate(2))
    eventually(function() return list[2]:status().state == "inquorate" end)
    assert(cluster:heal())
    assert.equal(3, submit_applied(list[1], "three"))
    process:kill("CONT")
    assert.equal("there", process:next(20))
  end)

  describe("with a newcomer", function()
    -- Two members with a state of some 4 MB, and load on them.
    local function open_two(name)
      local list = {}
      for node = 1, 2 do
        list[node] = open(node, name, { dir = on.folder(), snapshot_after = 1 << 16 })
      end
      local filler = ("x"):rep(100000)
      for n = 1, 40 do assert(list[1]:submit(n .. filler)) end
      wait_same(list)
      return list
    end

    local function open_third(name)
      return open(3, name, { dir = on.folder(), snapshot_after = 1 << 16 })
    end

    it("gives it the state while commands go on", function()
      local list = open_two("newcomer")
      local work = put_load_on(list, 5)
      local third = open_third("newcomer")
      local at = work.count
      eventually(function() return third:status().state == "synced" end)
      eventually(function() return work.count > at + 100 end)
      assert(third:submit("third"))
      work.stop()
      wait_same({ list[1], list[2], third })
      assert_kept(work, third)
    end)

    -- Until the newcomer fetches; then ends who it fetches from.
    local function interrupt(name, how)
      local list = open_two(name)
      local third = open_third(name)
      local host
      eventually(function()
        local from = third:status().from
        local fetching = third.member.fetching
        if from and fetching.number > 2 then host = from.nodeid end
        return host or third:status().state == "synced"
      end)
      assert(host, "the transfer was over too soon")
      how(host, list[host])
      eventually(function() return third:status().state == "synced" end)
      wait_same({ list[3 - host], third })
      assert.equal(40, third:read(count_of))
    end

    it("goes on with another sender when the first leaves", function()
      interrupt("leaves", function(_, one) assert(one:leave()) end)
    end)

    it("goes on with another sender when the first one's daemon dies", function()
      interrupt("dies", function(host) assert(cluster[host]:kill()) end)
    end)
  end)

  it("stops a member whose disk is full, with its error, and the others go on", function()
    local list = {}
    for node = 1, 2 do list[node] = open(node, "full", { dir = on.folder(), durable = "all" }) end
    local dir = on.folder()
    local result = assert(cluster[3]:tool("env", "DISK=" .. dir .. ".calls",
      support.preload_stub("disk"), support.program, CLIENT, "full", dir, "all", "fill"))
    os.remove(dir .. ".calls")
    assert.equal("failed\tERR_NO_SPACE\nsubmit\tERR_NO_SPACE\nstatus\tfailed\nagain\tERR_NO_SPACE\n"
      .. "read\t2\n", result.output)
    assert.equal(0, result.status)
    wait_same(list)
    assert(list[1]:submit("on"))
  end)
end)
