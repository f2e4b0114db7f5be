-- Not sanitized: Lua above faults that lab_faults_spec.lua sanitizes.
local lab = require("corolua.lab")
local schedule = require("corolua.lab.schedule")
local scheduler = require("corolua.task.scheduler")

local FIVE = { nodes = 5, network = "switch" }

describe("a schedule of faults", function()
  it("is the same for the same seed", function()
    local first = tostring(schedule.draw(FIVE, { seed = 42 }))
    assert.same(first, tostring(schedule.draw(FIVE, { seed = 42 })))
    assert.are_not.same(first, tostring(schedule.draw(FIVE, { seed = 43 })))
  end)

  it("does not hang on the generator of the program, and leaves it alone", function()
    math.randomseed(7)
    local expected = math.random()
    math.randomseed(7)
    schedule.draw(FIVE, { seed = 1 })
    assert.same(expected, math.random())
  end)

  it("is a list that a person can read", function()
    local list = schedule.draw(FIVE, { seed = 42, lasting = 4 })
    assert.same([[
return {
  lasting = 4,
  { at = 1.612, fault = "link", 2, 5, { duplicate = 0.115 } },
  { at = 3.04, fault = "heal" },
}
]], tostring(list))
  end)

  it("is read from the file that it was saved in", function()
    local list = schedule.draw(FIVE, { seed = 3 })
    local path = os.tmpname()
    assert(list:save(path))
    assert.same(tostring(list), tostring(schedule.read(path, 1)))
    os.remove(path)
  end)

  it("keeps to the weights, the pauses and the time", function()
    local list = schedule.draw(FIVE, {
      faults = { kill = 1, partition = 3, loss = 0 }, pause = { 0.1, 0.2 }, lasting = 60, seed = 5,
    })
    local count, last = {}, 0
    for _, entry in ipairs(list) do
      count[entry.fault] = (count[entry.fault] or 0) + 1
      assert.is_true(entry.at - last >= 0.099 and entry.at - last <= 0.201)
      last = entry.at
    end
    assert.is_true(last < 60)
    assert.is_true(count.partition > count.kill)
    assert.same({ kill = true, partition = true, heal = true, start = true }, (function()
      local kinds = {}
      for kind in pairs(count) do kinds[kind] = true end
      return kinds
    end)())
  end)

  it("draws every kind of fault that the nodes allow, but none that breaks corosync", function()
    local text = tostring(schedule.draw(FIVE, { seed = 1, lasting = 2000 }))
    for _, word in ipairs({
      "partition", "isolate", "block", "ring", "bridge_node", "loss", "delay", "duplicate",
      "reorder", "corrupt", "rate", "kill", "stop", "restart", "pause", "unplug",
    }) do
      assert.is_truthy(text:find(word, 1, true), word)
    end
    assert.is_nil(text:find("repair", 1, true))
    local asked = schedule.draw(FIVE, { seed = 1, faults = { corrupt_repaired = 1 } })
    assert.is_truthy(tostring(asked):find("repair = true", 1, true))
  end)

  it("never takes more nodes away than leave a majority", function()
    for seed = 1, 20 do
      local away = {}
      for _, entry in ipairs(schedule.draw(FIVE, { seed = seed, lasting = 200 })) do
        if entry.fault == "kill" or entry.fault == "stop" or entry.fault == "pause" then
          away[entry[1]] = true
        elseif entry.fault == "start" or entry.fault == "resume" then
          away[entry[1]] = nil
        end
        local count = 0
        for _ in pairs(away) do count = count + 1 end
        assert.is_true(count <= 2)
      end
    end
  end)

  local function complaint(given, cluster)
    local ok, why = pcall(function() schedule.draw(cluster or FIVE, given) end)
    assert.is_false(ok)
    return why:gsub("^[^:]*:%d+: ", "")
  end

  it("names the fault that was meant", function()
    assert.same("unknown fault 'partiton', did you mean 'partition'?",
      (complaint({ faults = { partiton = 1 } })))
    assert.same("nemesis: unknown option 'sed', did you mean 'seed'?", (complaint({ sed = 1 })))
  end)

  it("refuses what the cluster cannot have", function()
    assert.same("fault 'ring' needs 4 nodes, the cluster has 3",
      (complaint({ faults = { ring = 1 } }, { nodes = 3, network = "switch" })))
    assert.same("fault 'loss' needs network = \"switch\", the cluster has a bridge",
      (complaint({ faults = { loss = 1 } }, { nodes = 3, network = "bridge" })))
    assert.same("nemesis: no fault has a weight above 0", (complaint({ faults = { kill = 0 } })))
    assert.same("nemesis: the weight of fault 'kill' must be a number, 0 or more, got -1",
      (complaint({ faults = { kill = -1 } })))
    assert.same("nemesis: option 'pause' must be { shortest, longest } in seconds, got 3",
      (complaint({ pause = 3 })))
  end)
end)

describe("a nemesis", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 5 })) end)

  teardown(function() cluster:close() end)

  local function assert_whole()
    assert.same(0, #cluster:faults())
    for _, state in ipairs(cluster:state()) do
      assert.same({ "running", { 1, 2, 3, 4, 5 }, true },
        { state.status, state.nodes, state.quorate })
    end
  end

  it("takes the faults of its schedule, and leaves the cluster whole and settled", function()
    local nemesis = cluster:nemesis({ seed = 2, lasting = 4, pause = { 0.2, 0.4 } })
    assert.is_false(nemesis.task:is_done())
    assert(nemesis:wait())
    assert_whole()
    assert.is_true(nemesis.total > 3, tostring(nemesis))
    assert.same(0, #nemesis.failed, tostring(nemesis))
    assert.same(tostring(schedule.draw(FIVE, { seed = 2, lasting = 4, pause = { 0.2, 0.4 } })),
      tostring(nemesis.list))
  end)

  it("can be seen in the frames on the cables", function()
    local nemesis = cluster:nemesis({
      seed = 4, lasting = 2, pause = { 0.3, 0.5 }, faults = { partition = 1, duplicate = 1 },
    })
    assert(nemesis:wait())
    assert.is_true(nemesis.frames.blocked > 0)
    assert.same(0, nemesis.frames.lost)
  end)

  it("repeats a list, and starts, resumes and heals what that leaves broken", function()
    local seen = {}
    local nemesis = cluster:replay({
      { at = 0, fault = "kill", 1 },
      { at = 0.1, fault = "pause", 2 },
      { at = 0.1, fault = "link", 3, 4, { loss = 0.1 } },
      { at = 0.1, fault = "link", 3, 5, { loss = 0.1 } },
      { at = 0.2, fault = "partition", { { 1, 2, 3 }, { 4, 5 } } },
      { at = 0.3, fault = "unplug", 5 },
    }, { on_fault = function(entry) table.insert(seen, entry.fault) end })
    assert(nemesis:wait())
    assert_whole()
    assert.same({ "kill", "pause", "link", "link", "partition", "unplug" }, seen)
    assert.same({ kill = 1, pause = 1, loss = 1, partition = 1, unplug = 1 }, nemesis.taken)
    assert.same(5, nemesis.total)
  end)

  it("prints with the line that repeats it", function()
    local given = {
      faults = { partition = 2, unplug = 1 }, lasting = 0.5, pause = { 0.1, 0.25 },
      on_fault = function() end,
    }
    local nemesis = assert(cluster:nemesis(given):wait())
    local line = tostring(nemesis):match("; again: (cluster:nemesis%(.*%))$")
    assert.same(("cluster:nemesis({ faults = { partition = 2, unplug = 1 }, lasting = 0.5, "
      .. "pause = { 0.1, 0.25 }, seed = %d })"):format(nemesis.seed), line)
    local again = load("local cluster = ... return " .. line)(cluster)
    assert.same(tostring(nemesis.list), tostring(again.list))
    assert(again:wait())
    local replayed = assert(cluster:replay(nemesis.list):wait())
    assert.matches("; again: cluster:replay(nemesis.list)", tostring(replayed), 1, true)
  end)

  it("keeps every digit of a seed in that line", function()
    local seed = math.maxinteger
    assert.same(("cluster:nemesis({ seed = %d })"):format(seed), schedule.call({}, seed))
  end)

  it("counts what could not be put in force by itself", function()
    local nemesis = cluster:replay({ { at = 0, fault = "resume", 1 } })
    assert(nemesis:wait())
    assert.same({ 0, 0, 1 }, { nemesis.total, nemesis.mended, #nemesis.failed })
    assert.same("node 1 is not paused", nemesis.failed[1].why)
  end)

  it("ends before its time when told to", function()
    local begin = scheduler.now()
    local nemesis = cluster:nemesis({ seed = 1, lasting = 300 })
    nemesis:stop()
    assert(nemesis:wait())
    assert_whole()
    assert.is_true(scheduler.now() - begin < 100)
  end)

  it("does on a bridge what a bridge can", function()
    local other <close> = assert(lab.start({ nodes = 2, network = "bridge" }))
    local nemesis = other:nemesis({ seed = 2, lasting = 2, pause = { 0.2, 0.4 } })
    assert(nemesis:wait())
    assert.same({ 0, {} }, { #nemesis.failed, nemesis.frames })
    assert.is_true(nemesis.total > 0)
  end)

  it("ends with its cluster", function()
    local other = assert(lab.start({ nodes = 2 }))
    local nemesis = other:nemesis({ seed = 1, lasting = 300 })
    other:close()
    assert.same("ERR_INTERRUPT", (select(3, nemesis:wait(5))))
  end)

  it("waits no longer than it is told to", function()
    local nemesis = cluster:nemesis({ seed = 1, lasting = 300 })
    local _, _, code = nemesis:wait(0.05)
    assert.same("ERR_TIMEOUT", code)
    nemesis:stop()
    assert(nemesis:wait())
  end)

  it("refuses a list with a fault that is none, or out of order", function()
    assert.has_error(function() cluster:replay({ { at = 0, fault = "kil", 1 } }) end,
      "unknown fault 'kil', did you mean 'kill'?")
    assert.has_error(function()
      cluster:replay({ { at = 1, fault = "heal" }, { at = 0, fault = "heal" } })
    end, "entry 2 of the list is earlier than the one before")
    assert.has_error(function() cluster:replay({ { at = 0, fault = "kill", 9 } }) end,
      "entry 1 of the list, kill, names node 9; there are nodes 1 to 5")
    assert.has_error(function() cluster:replay({ { fault = "heal" } }) end,
      "entry 1 of the list is not { at = seconds, fault = name, … }")
  end)
end)
