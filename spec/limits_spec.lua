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

  -- Most of the time of these handlers is spent in functions of corolua.
  it("raises in the script's own code alone, and loses no task", function()
    local result = run([[
      local corolua, limit = require("corolua"), require("corolua.limit")
      local made, ran, hooked, elsewhere = 0, 0, 0, 0
      local function count()
        ran = ran + 1
        if debug.gethook() then hooked = hooked + 1 end
      end
      local function spawn_for_ever()
        while true do
          corolua.spawn(count)
          made = made + 1
        end
      end
      for _ = 1, 5 do
        local handler = corolua.spawn(function()
          local _, why = limit.pcall(tostring, spawn_for_ever)
          if not why:find("^%(command line%):%d+: handler ran") then elsewhere = elsewhere + 1 end
        end)
        handler.resume = limit.resume
        handler:wait()
      end
      corolua.spawn(count):wait()
      -- A handler may be cut between the two lines of its loop.
      print(made > 5, ran - made >= 1, ran - made <= 6, hooked, elsewhere)]],
      "--handler-limit", "0.03")
    assert.same({ status = 0, output = "true\ttrue\ttrue\t0\t0\n" }, result)
  end)

  it("cuts handlers that spawn, send, wait, catch and close, and breaks nothing", function()
    local seed = math.random(2 ^ 31)
    print("seed of the handlers that are cut: " .. seed)
    local pipe <close> = assert(io.popen(
      ("timeout -k 1 120 '%s' --handler-limit 0.03 bench/limits_soak.lua %d 5 2 2>&1")
        :format(support.program, seed)))
    local output = pipe:read("a")
    assert.truthy(pipe:close(), output)
    assert.matches("^seed %d+: [1-9]%d* handlers cut, %d+ tasks, 0 problems\n$", output)
  end)

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

describe("--memory-limit", function()
  it("ends the run with its sentence, wherever it is reached", function()
    local seed = math.random(2 ^ 31)
    print("seed of the sizes: " .. seed)
    math.randomseed(seed)
    for _ = 1, 5 do
      local size = math.random(6000, 12000)
      local pipe <close> = assert(io.popen(
        ("timeout -k 1 60 '%s' --memory-limit %dK bench/limits_soak.lua memory 2>&1")
          :format(support.program, size)))
      local output = pipe:read("a")
      local _, how, status = pipe:close()
      assert.same({ "exit", 1 }, { how, status }, output)
      assert.matches("corolua: [^\n]*not enough memory\n", output)
    end
  end)

  it("refuses a task and loses none, where a script goes on behind it", function()
    local script = [[
      local corolua = require("corolua")
      local ran, made, refused = 0, 0, 0
      local function task() ran = ran + 1 end
      local function put(list, i, size) list[i] = ("x"):rep(size) end
      for _ = 1, 100 do
        local ballast, n, size = table.pack(table.unpack({}, 1, 200)), 0, 1 << 20
        while size >= 32 do
          local fits = n < 199 and pcall(put, ballast, n + 1, size)
          if fits then n = n + 1 else size = size // 2 end
        end
        for i = 1, 40 do
          if pcall(corolua.spawn, task) then made = made + 1 else refused = refused + 1 end
          if i % 4 == 0 then
            ballast[n] = nil
            n = n - 1
          end
        end
        ballast = nil
        corolua.sleep(0)
      end
      corolua.wait(function() return ran == made end, 10)
      print(ran == made, made > 0, refused > 0)]]
    local pipe <close> = assert(io.popen(("timeout -k 1 60 '%s' --memory-limit 3M -e '%s' 2>&1")
      :format(support.program, script)))
    assert.equal("true\ttrue\ttrue\n", pipe:read("a"))
  end)
end)
