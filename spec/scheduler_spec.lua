local corolua = require("corolua")
local scheduler = require("corolua.task.scheduler")

describe("corolua.condition", function()
  it("wakes all that wait, in the order they came, and nobody later", function()
    local changed, order = corolua.condition(), {}
    assert.equal(0, changed:notify())
    for i = 1, 100 do
      corolua.spawn(function()
        local woken = changed:wait()
        order[#order + 1] = { i, woken }
      end)
    end
    corolua.sleep(0)
    assert.equal(100, changed:notify())
    local late = corolua.spawn(changed.wait, changed, 0.01)
    assert.equal("ERR_TIMEOUT", select(3, late:wait()))
    assert.equal(100, #order)
    for i = 1, 100 do assert.same({ i, true }, order[i]) end
  end)

  it("forgets who has waited long enough", function()
    local changed = corolua.condition()
    assert.equal("ERR_TIMEOUT", select(3, changed:wait(0.001)))
    local task = corolua.spawn(changed.wait, changed)
    corolua.sleep(0)
    assert.equal(1, changed:notify())
    assert.is_true(task:wait())
    local ok, why = pcall(changed.wait, changed, -1)
    assert.is_false(ok)
    assert.truthy(why:find("condition:wait: the time must be a number of seconds", 1, true), why)
  end)

  -- A condition that is asked after every event would be.
  it("costs those that do not wait for it nothing", function()
    local changed, asked = corolua.condition(), 0
    for _ = 1, 5000 do
      corolua.spawn(function()
        changed:wait()
        asked = asked + 1
      end)
    end
    for _ = 1, 50 do corolua.sleep(0) end
    assert.equal(0, asked)
    assert.equal(5000, changed:notify())
    assert.is_true(corolua.wait(function() return asked == 5000 end, 20))
  end)
end)

describe("corolua.task.scheduler", function()
  it("never sleeps too short", function()
    for _, seconds in ipairs({ 0, 0.0001, 0.0015, 0.01, 0.03 }) do
      local begin = corolua.now()
      assert.is_true(corolua.sleep(seconds))
      assert.is_true(corolua.now() - begin >= seconds)
    end
  end)

  it("gives a task's results to whoever waits", function()
    local task = corolua.spawn(function(...) corolua.sleep(0.001) return ... end, 1, nil, 3)
    assert.same({ n = 3, 1, nil, 3 }, table.pack(task:wait()))
    assert.same({ n = 3, 1, nil, 3 }, table.pack(task:wait()))
    assert.is_true(task:is_done())
  end)

  it("raises a task's error value where it is waited for", function()
    local problem = {}
    local task = corolua.spawn(function() error(problem) end)
    local ok, raised = pcall(task.wait, task)
    assert.is_false(ok)
    assert.equal(problem, raised)
  end)

  it("runs out of patience", function()
    local task = corolua.spawn(function() corolua.sleep(0.1) end)
    assert.equal("ERR_TIMEOUT", select(3, task:wait(0.001)))
    assert.equal("ERR_TIMEOUT", select(3, corolua.wait(function() end, 0.001)))
    assert.equal("ERR_TIMEOUT", select(3, scheduler.await(function() end, 0.001)))
    task:wait()
  end)

  it("takes the first resume, and takes back what a wait began", function()
    local taken, second = 0, nil
    local a, b = scheduler.await(function(resume)
      corolua.after(0, function() resume(1, 2) second = resume(3) end)
      return function() taken = taken + 1 end
    end)
    assert.same({ 1, 2, 1 }, { a, b, taken })
    assert.is_false(second)
  end)

  it("refuses what could not take back a wait", function()
    local ok, problem = pcall(scheduler.await, function() return true end)
    assert.is_false(ok)
    assert.equal("await: start must return a function or nothing, got boolean", problem)
  end)

  it("fires 10,000 timers", function()
    local fired = 0
    for _ = 1, 10000 do corolua.after(0.01, function() fired = fired + 1 end) end
    assert.is_true(corolua.wait(function() return fired == 10000 end, 20))
  end)

  it("calls every time until cancelled", function()
    local count = 0
    local timer = corolua.every(0.001, function() count = count + 1 end)
    assert(corolua.wait(function() return count >= 3 end, 5))
    timer:cancel()
    timer:cancel()
  end)

  it("calls no function of a timer that was cancelled after it fired", function()
    local called = false
    local function call() called = true end
    local timers = { corolua.after(0, call), corolua.every(0.000001, call) }
    -- These take more than one turn, and the timers fire behind the first.
    local last
    for i = 1, 600 do
      last = corolua.spawn(function()
        if i == 600 then for _, timer in ipairs(timers) do timer:cancel() end end
      end)
    end
    last:wait()
    for _ = 1, 3 do corolua.sleep(0) end
    assert.is_false(called)
  end)

  it("lets nobody else resume a task", function()
    local co
    local task = corolua.spawn(function()
      co = coroutine.running()
      return corolua.sleep(0.05)
    end)
    corolua.sleep(0)
    local begin = corolua.now()
    local ok, why = coroutine.resume(co, "woken")
    assert.is_false(ok)
    assert.equal("cannot resume a task, which goes on by itself (see task:wait)", why)
    assert.same({ false, why }, { coroutine.wrap(function() return coroutine.resume(co) end)() })
    assert.same({ false, "cannot close a task, which ends by itself" },
      { pcall(coroutine.close, co) })
    assert.is_true(task:wait())
    assert.is_true(corolua.now() - begin > 0.02)
  end)

  it("gives and raises what Lua's own coroutine functions do", function()
    local function close_running() coroutine.close(coroutine.running()) end
    local _, refusal = pcall(close_running)
    assert.matches("^[^\n]*scheduler_spec.lua:%d+: cannot close a running coroutine$", refusal)
    local add = coroutine.wrap(function(a, b)
      while true do a, b = coroutine.yield(a + b, nil) end
    end)
    assert.same({ n = 2, 3 }, table.pack(add(1, 2)))
    assert.same({ n = 2, 7 }, table.pack(add(3, 4)))
    local problem = {}
    local ok, raised = pcall(coroutine.wrap(function() error(problem) end))
    assert.is_false(ok)
    assert.equal(problem, raised)
    local co = coroutine.create(function(...) return select("#", ...), coroutine.isyieldable() end)
    assert.same({ true, 3, true }, { coroutine.resume(co, nil, nil, nil) })
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
    assert.same({ false, "cannot resume non-suspended coroutine" },
      { coroutine.resume((coroutine.running())) })
    assert.is_false(pcall(coroutine.resume, 1))
    assert.is_false(pcall(coroutine.wrap, 1))
  end)

  it("does at the end of a turn what that puts off, too", function()
    local done = {}
    scheduler.at_turn_end(function()
      table.insert(done, "first")
      scheduler.at_turn_end(function() table.insert(done, "second") end)
    end)
    corolua.sleep(0)
    assert.same({ "first", "second" }, done)
  end)

  it("says where it cannot wait", function()
    local ok, why = pcall(table.sort, { 2, 1 }, function() corolua.sleep(0) end)
    assert.is_false(ok)
    assert.truthy(why:find("table.sort", 1, true))
    ok, why = pcall(corolua.wait, function() corolua.sleep(0) end)
    assert.is_false(ok)
    assert.truthy(why:find("must not wait", 1, true))
    ok, why = coroutine.resume(coroutine.create(corolua.sleep), 0)
    assert.is_false(ok)
    assert.truthy(why:find("corolua.spawn", 1, true))
  end)
end)
