local loop = require("corolua.loop")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local sys = require("corolua.sys")

-- The pid of a process that is our grandchild.
local function child_pid(command)
  local pipe <close> = assert(io.popen(command .. " & echo $!"))
  return pipe:read("n")
end

describe("corolua.loop", function()
  it("refuses what epoll cannot watch", function()
    local watch, _, code = loop.fd(10000, "r", function() end)
    assert.is_nil(watch)
    assert.equal("EBADF", code)
  end)

  it("raises on wrong arguments", function()
    for _, call in ipairs({
      function() loop.fd(-1, "r", print) end,
      function() loop.fd(0, "x", print) end,
      function() loop.fd(0, "r", nil) end,
      function() loop.timer(-1, print) end,
      function() loop.timer(0 / 0, print) end,
      function() loop.signal(99, print) end,
      function() loop.run() end,
    }) do
      assert.is_false(pcall(call))
    end
  end)

  it("tells the time of day", function()
    assert.is_true(math.abs(loop.clock() - os.time()) < 2)
  end)

  it("cancels a timer, twice", function()
    local fired = false
    local timer = loop.timer(0, function() fired = true end)
    timer:cancel()
    timer:cancel()
    scheduler.sleep(0.005)
    assert.is_false(fired)
  end)

  it("fires timers in the order they are due, and never early", function()
    local fired, soonest, latest, watches = {}, {}, {}, {}
    for i = 1, 2000 do
      local seconds = math.random(0, 20) / 1000
      soonest[i] = loop.now() + seconds
      watches[i] = loop.timer(seconds, function()
        assert.is_true(loop.now() >= soonest[i])
        table.insert(fired, i)
      end)
      latest[i] = loop.now() + seconds + 1e-6
    end
    local left = 2000
    for i = 1, 2000, 3 do
      watches[i]:cancel()
      left = left - 1
    end
    assert.is_true(scheduler.wait(function() return #fired == left end, 5))
    for i = 2, left do
      assert.is_true(soonest[fired[i - 1]] <= latest[fired[i]])
    end
  end)

  it("lets timers begin and cancel others", function()
    local order = {}
    scheduler.await(function(resume)
      local last
      loop.timer(0, function()
        table.insert(order, "first")
        last:cancel()
        loop.timer(0, function() table.insert(order, "begun") resume() end)
      end)
      last = loop.timer(0, function() table.insert(order, "cancelled") end)
    end, 5)
    assert.same({ "first", "begun" }, order)
  end)

  it("counts what keeps the program running", function()
    local before = loop.pending()
    local watch = loop.timer(60, print)
    assert.equal(before + 1, loop.pending())
    assert.equal(watch, watch:unref():unref())
    assert.equal(before, loop.pending())
    assert.equal(watch, watch:ref():ref())
    assert.equal(before + 1, loop.pending())
    watch:unref():cancel()
    watch:ref()
    assert.equal(before, loop.pending())
    watch = loop.timer(60, print):unref():ref()
    watch:cancel()
    assert.equal(before, loop.pending())
  end)

  it("leaves time for descriptors between timers without end", function()
    local ended, seen = false, false
    local function again()
      if not ended then loop.timer(0, again) end
    end
    for _ = 1, 1000 do again() end
    local reading, writing = sys.pipe()
    writing:close()
    local watch = assert(loop.fd(reading:fileno(), "r", function() seen = true end))
    assert(scheduler.wait(function() return seen end, 5))
    ended = true
    watch:cancel()
  end)

  it("refuses a descriptor that is watched already, or is a file", function()
    local reading, writing = sys.pipe()
    local watch = assert(loop.fd(reading:fileno(), "r", print))
    assert.equal("EEXIST", (select(3, loop.fd(reading:fileno(), "r", print))))
    watch:cancel()
    assert(loop.fd(reading:fileno(), "r", print)):cancel()
    writing:close()
    local file = assert(sys.open("README.md", "r"))
    assert.equal("EPERM", (select(3, loop.fd(file:fileno(), "r", print))))
  end)

  it("catches a signal", function()
    local pid = io.open("/proc/self/stat"):read("n")
    local signum = scheduler.await(function(resume)
      local watch = assert(loop.signal(10, resume))
      os.execute("kill -USR1 " .. pid)
      return function() watch:cancel() end
    end, 5)
    assert.equal(10, signum)
  end)

  it("refuses to watch another's child", function()
    local _, _, code = loop.child(child_pid("sleep 0.2 >/dev/null"), print)
    assert.equal("ECHILD", code)
  end)

  it("raises a function's error from run, with its traceback", function()
    local pipe <close> = assert(io.popen(
      ("%s LUA_CPATH='%s/lib/?.so' lua5.4 - 2>&1 <<'EOT'\n%s\nEOT")
      :format(support.preload_stub(), support.build, [[
        local loop = require("corolua.loop")
        local function deep() error("oops") end
        loop.timer(0, function() deep() end)
        local ok, why = pcall(loop.run)
        print(ok, why:find("oops") ~= nil, why:find("in upvalue 'deep'") ~= nil)
        loop.timer(0, loop.stop)
        print(pcall(loop.run))]])))
    assert.equal("false\ttrue\ttrue\ntrue\n", pipe:read("a"))
  end)
end)
