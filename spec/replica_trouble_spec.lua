-- corolua.replica where members differ, leave in the middle, or find their files
-- damaged; and what their readers see meanwhile.
local corolua = require("corolua")
local file = require("corolua.file")
local replica = require("corolua.replica")
local replicas = require("spec.support.replicas")

local FORM = { packed = true, fragment = true }

local function eventually(condition, timeout)
  local ok, message = corolua.wait(condition, timeout or 20)
  assert(ok, message)
end

local function count(state)
  state.n = state.n + 1
  return state.n
end

local function number_of(state) return state.n end

describe("replica in trouble", function()
  local on = replicas.new()
  local cluster, opened

  setup(function()
    on.start(3)
    cluster = on.cluster
  end)
  teardown(function() on.stop() end)

  before_each(function() opened = {} end)

  after_each(function()
    for _, one in ipairs(opened) do
      if one:status().state ~= "closed" then one:leave() end
    end
    assert(cluster:heal())
    assert(cluster:settle())
  end)

  local function open(node, name, options)
    local given = { apply = count, initial = { n = 0 }, dir = on.folder() }
    for key, value in pairs(options or {}) do given[key] = value end
    local one = assert(replica.open(cluster[node]:group(name, FORM), given))
    table.insert(opened, one)
    return one
  end

  local function are_synced(list)
    for _, one in ipairs(list) do
      if one:status().state ~= "synced" then return false end
    end
    return true
  end

  local function open_all(name, options)
    local list = {}
    for node = 1, 3 do list[node] = open(node, name, options and options[node]) end
    eventually(function() return are_synced(list) end)
    return list
  end

  -- Some tasks that submit until they are told to stop.
  local function put_load_on(one, tasks)
    local load = { acked = 0, running = true }
    for i = 1, tasks do
      load[i] = corolua.spawn(function()
        while load.running do
          local index = one:submit("x", { timeout = 20 })
          if index then load.acked = math.max(load.acked, index) else corolua.sleep(0.01) end
        end
      end)
    end
    function load.stop()
      load.running = false
      for _, task in ipairs(load) do task:wait() end
    end
    return load
  end

  local LONG = { snapshot_after = 1 << 30 }

  it("never reads behind what was acknowledged here, while rings change", function()
    local list = open_all("back", { LONG, LONG, LONG })
    local load = put_load_on(list[1], 100)
    eventually(function() return load.acked > 5000 end, 60)
    local lowest, looks = 0, 0
    local watch = corolua.spawn(function()
      while load.running do
        lowest = math.min(lowest, list[1]:read(number_of) - load.acked)
        looks = looks + 1
        corolua.sleep(0)
      end
    end)
    for _ = 1, 3 do
      assert(cluster:isolate(3))
      eventually(function() return list[3]:status().state == "inquorate" end)
      assert(cluster:heal())
      eventually(function() return are_synced(list) end)
    end
    load.stop()
    watch:wait()
    assert.is_true(looks > 100)
    assert.equal(0, lowest)
  end)

  it("stays closed where it is left while it builds its state", function()
    local slow = { snapshot_after = 1 << 30, apply = function(state)
      state.x = ("x"):rep(20000):reverse():find("y")
      return count(state)
    end }
    local list = open_all("left", { slow, LONG, LONG })
    local load = put_load_on(list[1], 50)
    eventually(function() return load.acked > 1500 end, 60)
    local machine = list[1].member.machine
    local left
    local leaver = corolua.spawn(function()
      while not left do
        left = machine.is_building and list[1]:leave() or left
        corolua.sleep(0)
      end
    end)
    for _ = 1, 20 do
      if left then break end
      assert(cluster:isolate(3))
      assert(cluster:settle())
      assert(cluster:heal())
      assert(cluster:settle())
    end
    left = left or "never"
    load.stop()
    leaver:wait()
    assert.is_true(left)
    eventually(function() return not machine.is_building end)
    assert.equal("closed", list[1]:status().state)
    assert.equal("ERR_NOT_EXIST", (select(3, list[1]:submit("y"))))
  end)

  it("keeps nothing of a submit that ran into its timeout", function()
    local one = open(1, "freed")
    for _ = 1, 100 do
      assert.equal("ERR_TRY_AGAIN", (select(3, one:submit("x", { timeout = 0 }))))
    end
    assert.is_nil(next(one.member.waiting))
    assert.is_nil(next(one.member.pending.sent))
  end)

  -- What each member is told of the others, as "own nodeid, other's nodeid".
  local function note_differences(list, told)
    for node, one in ipairs(list) do
      function one.on.diverged(member, index)
        assert.is_true(index > 0)
        told[node .. " of " .. member.nodeid] = index
      end
    end
  end

  local function differ(name, options)
    local wrong = { apply = function(state)
      state.n = state.n + 2
      return state.n
    end }
    for key, value in pairs(options) do wrong[key] = value end
    local list, told = open_all(name, { options, options, wrong }), {}
    note_differences(list, told)
    return list, told
  end

  it("tells both of members whose snapshots of one record differ, and goes on", function()
    local list, told = differ("snapshots", { snapshot_after = 2000 })
    local load = put_load_on(list[1], 5)
    eventually(function()
      return told["1 of 3"] and told["2 of 3"] and told["3 of 1"] and told["3 of 2"]
    end)
    load.stop()
    assert.is_nil(told["1 of 2"] or told["2 of 1"])
    assert.is_true(are_synced(list))
    assert(list[3]:submit("x"))
  end)

  it("tells it of digests where there is a function for them", function()
    local list, told = differ("digests", { digest = function(state) return tostring(state.n) end })
    assert(list[1]:submit("x"))
    assert(list[2]:leave())
    list[2] = open(2, "digests", { digest = function(state) return tostring(state.n) end })
    eventually(function() return told["1 of 3"] and told["3 of 1"] end)
  end)

  it("tells nothing where digests are off, nor of states that are equal", function()
    local options = { digest = false, snapshot_after = 2000 }
    local list, told = differ("off", options)
    local equal = open_all("equal", { { snapshot_after = 2000 }, { snapshot_after = 2000 },
      { snapshot_after = 2000 } })
    note_differences(equal, told)
    local loads = { put_load_on(list[1], 5), put_load_on(equal[1], 5) }
    eventually(function()
      for _, one in ipairs({ list[1], list[3], equal[1], equal[3] }) do
        if one.member.journal.base.index == 0 then return false end
      end
      return equal[1].member.marks.own ~= nil
    end)
    for _, load in ipairs(loads) do load.stop() end
    assert.same({}, told)
  end)

  it("tells of a round file that cannot be, and has no part in decisions", function()
    local dir = on.folder()
    local one = open(1, "poisoned", { dir = dir })
    local two = open(2, "poisoned")
    assert(one:submit("x"))
    assert(one:leave())
    local bytes = string.pack("<c4i8i8", "CRR2", 5, math.maxinteger)
    local out = assert(io.open(dir .. "/round", "wb"))
    out:write(bytes, string.pack("<I4", file.crc32(bytes)))
    out:close()
    one = assert(replica.open(cluster[1]:group("poisoned", FORM), {
      apply = count, initial = { n = 0 }, dir = dir,
    }))
    table.insert(opened, one)
    local told
    function one.on.trouble(message, code) told = { message, code } end
    eventually(function() return told end)
    assert.matches("round %d+ of ring 5 cannot be; this member has no part", told[1])
    assert.equal("ERR_CORRUPT", told[2])
    eventually(function() return one:status().state == "synced" end)
    assert.is_false(one.member.ballot:may_decide(one:status().ring))
    assert.equal(2, one:submit("x"))
    assert(cluster:isolate(3))
    assert(cluster:settle())
    eventually(function() return are_synced({ one, two }) end)
    assert.is_true(one.member.ballot:may_decide(one:status().ring))
    assert.equal(3, two:submit("x"))
  end)

  it("tells of a folder of the version before", function()
    local dir = on.folder()
    local one = open(1, "old", { dir = dir })
    assert(one:leave())
    local bytes = string.pack("<I8I4", 5, 1)
    local out = assert(io.open(dir .. "/round", "wb"))
    out:write(bytes, string.pack("<I4", file.crc32(bytes)))
    out:close()
    local opened_old, message, code = replica.open(cluster[1]:group("old", FORM),
      { apply = count, dir = dir })
    assert.is_nil(opened_old)
    assert.matches("/round': it is of version 1 of the replicas' files", message)
    assert.equal("ERR_VERSION", code)
  end)

  it("acknowledges beside a member that tells of no votes, and counts its messages", function()
    local list = open_all("votes")
    local process = assert(cluster[3]:run("-e", [[
      local corolua = require("corolua")
      local room = corolua.group("votes", { packed = true, fragment = true })
      room.on.message = function() end
      assert(room:join())
      assert(room:send(string.pack("<c1I8BI4i8I8I4i8I8I8I2I2I2", "s", room.view.ring.seq, 0, 1,
        0, 0, 0, 0, 0, 0, 65535, 65535, 0)))
      print("sent")
      corolua.sleep(60)
    ]]))
    assert.equal("sent", process:next(20))
    eventually(function() return list[1]:stats().malformed == 1 end)
    assert.equal(1, (assert(list[1]:submit("x", { timeout = 20 }))))
    process:kill("KILL")
    process:wait(10)
  end)
end)
