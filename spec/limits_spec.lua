local lab = require("corolua.lab")
local support = require("spec.support")

-- A script that sends one message, the handler of which is `%s`.
local SCRIPT = [[
  local cpg = require("corosync.cpg")
  local done = false
  local handle
  handle = assert(cpg.initialize({ deliver = function() done = true %s end }))
  assert(handle:join("spec"))
  assert(handle:mcast_joined("go"))
  local ok, why = pcall(function() while not done do assert(handle:dispatch("one")) end end)
  print(ok, why)
]]

local BURN = "local function burn(s) local t = os.clock() while os.clock() - t < s do end end "

local HANDLERS = {
  { "ends a loop", "while true do end" },
  { "ends a loop of protected calls", "while true do pcall(function() while true do end end) end" },
  { "ends a loop in a coroutine", "coroutine.wrap(function() while true do end end)()" },
  { "ends a loop in a coroutine's coroutine",
    [[local function deep(n)
        if n == 0 then while true do end end
        return coroutine.resume(coroutine.create(deep), n - 1)
      end
      deep(3) while true do end]] },
}

describe("--handler-limit", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 1 })) end)
  teardown(function() cluster:close() end)

  local function run(script, ...)
    local command = { "timeout", "-k", "1", "20", support.program, ... }
    command[#command + 1] = "-e"
    command[#command + 1] = script
    return assert(cluster[1]:tool(table.unpack(command)))
  end

  for _, row in ipairs(HANDLERS) do
    it(row[1], function()
      local result = run(SCRIPT:format(row[2]), "--handler-limit", "0.1")
      assert.equal(0, result.status, result.output)
      assert.matches("^false\t.*handler ran longer than 0.1 s of CPU", result.output)
    end)
  end

  it("is not for the script's own chunk, nor for tasks", function()
    local result = run(BURN .. [[burn(0.3)
      require("corolua").spawn(function() burn(0.3) print("done") end)]],
      "--handler-limit", "0.1")
    assert.same({ status = 0, output = "done\n" }, result)
  end)

  it("does not count what a handler waits", function()
    local result = run(SCRIPT:format("os.execute('sleep 0.4')"), "--handler-limit", "0.1")
    assert.same({ status = 0, output = "true\tnil\n" }, result)
  end)

  it("counts each call anew", function()
    local result = run(BURN .. [[
      local cpg = require("corosync.cpg")
      local calls = 0
      local handle = assert(cpg.initialize({
        deliver = function() calls = calls + 1 burn(0.07) end,
      }))
      assert(handle:join("spec"))
      for _ = 1, 5 do assert(handle:mcast_joined("go")) end
      while calls < 5 do assert(handle:dispatch("all")) end
      print(calls)]], "--handler-limit", "0.2")
    assert.same({ status = 0, output = "5\n" }, result)
  end)

  it("is off at 0", function()
    local result = run(BURN .. SCRIPT:format("burn(1.3)"), "--handler-limit", "0")
    assert.same({ status = 0, output = "true\tnil\n" }, result)
  end)

  it("is 1 second unless told", function()
    local result = run(BURN .. SCRIPT:format("burn(3)"))
    assert.matches("^false\t.*handler ran longer than 1.0 s of CPU", result.output)
  end)
end)
