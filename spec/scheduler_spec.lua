local corolua = require("corolua")
local scheduler = require("corolua.scheduler")

describe("corolua.scheduler", function()
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
