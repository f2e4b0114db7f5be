-- Not sanitized: a sanitizer keeps what was freed, and so does valgrind.
local groups = require("spec.support.groups")
local support = require("spec.support")

describe("memory of corosync.cpg", function()
  local on = groups.new()

  setup(on.start)
  teardown(on.stop)

  -- Nothing closes what a coroutine held that has died.
  it("leaves no memory behind with a handler that raises in a coroutine", function()
    local payload, joined = ("x"):rep(500000), false
    local handle <close> = on.open(1, {
      confchg = function() joined = true end,
      deliver = function() error("no") end,
    })
    assert(handle:join("raising"))
    support.dispatch_until(handle, function() return joined end)
    local function raise()
      on.send(handle, payload)
      local ok
      repeat
        ok = coroutine.resume(coroutine.create(handle.dispatch), handle, "one")
      until not ok
    end
    local function resident()
      collectgarbage()
      local file <close> = assert(io.open("/proc/self/status"))
      return tonumber(file:read("a"):match("VmRSS:%s*(%d+)")) / 1024
    end
    for _ = 1, 5 do raise() end
    local before = resident()
    for _ = 1, 100 do raise() end
    assert.is_true(resident() - before < 20, "of 50 MB")
  end)
end)
