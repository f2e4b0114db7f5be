local loop = require("corolua.loop")
local scheduler = require("corolua.scheduler")
local support = require("spec.support")

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

  it("cancels a timer, twice", function()
    local fired = false
    local timer = loop.timer(0, function() fired = true end)
    timer:cancel()
    timer:cancel()
    scheduler.sleep(0.005)
    assert.is_false(fired)
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
