local cpg = require("corosync.cpg")
local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

-- What the scripts here begin with: a member of the group, and how it signals
-- itself, as nobody else knows when it is ready; os.execute would ignore SIGINT
-- meanwhile.
local PRELUDE = [[
  local corolua = require("corolua")
  local cpg = require("corosync.cpg")
  local pid = io.open("/proc/self/stat"):read("n")
  local function signal(name) io.popen("kill -" .. name .. " " .. pid):close() end
  local joined = false
  local handle = assert(cpg.initialize({ confchg = function() joined = true end }))
  assert(handle:join("spec"))
  while not joined do handle:dispatch("one") end
]]

describe("the program, on a signal", function()
  local cluster, witness, left

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
    left = {}
    witness = assert(cluster[1]:enter(cpg.initialize, {
      confchg = function(_, _, _, gone)
        for _, change in ipairs(gone) do table.insert(left, change.reason) end
      end,
    }))
    assert(witness:join("spec"))
  end)

  teardown(function()
    witness:finalize()
    cluster:close()
  end)

  local function run(script, ...)
    return assert(cluster[1]:tool("timeout", "-k", "1", "20", support.program, "-e",
      PRELUDE .. script, ...))
  end

  -- The reason that the others saw the script go with.
  local function reason()
    support.dispatch_until(witness, function() return #left > 0 end)
    return table.remove(left)
  end

  for _, name in ipairs({ "TERM", "INT" }) do
    it("leaves joined thin groups at a first SIG" .. name, function()
      local result = run("signal('" .. name .. "') print(corolua.sleep(10))")
      assert.equal(0, result.status)
      assert.matches("^false\n", result.output)
      assert.equal("leave", reason())
    end)
  end

  it("leaves them within a second, though the script goes on", function()
    local begin = corolua.now()
    local result = run([[signal("TERM") while true do corolua.sleep(0.01) end]])
    assert.equal(0, result.status, result.output)
    assert.equal("leave", reason())
    assert.is_true(corolua.now() - begin < 3)
  end)

  it("ends a handler that goes on, which is no failure", function()
    local result = run([[
      kept = handle -- which is over once the script has returned
      local room = corolua.group("tea")
      function room.on.message()
        local _ <close> = setmetatable({}, { __close = function(_, why) print(why) end })
        signal("TERM")
        while true do corolua.sleep(10) end
      end
      assert(room:join())
      assert(room:send("x"))
      print(corolua.sleep(60))]])
    assert.same({ status = 0, output = "false\nthe program is stopping\n" }, result)
    assert.equal("leave", reason())
  end)

  it("leaves them at the end of the script, and after an error", function()
    assert.equal(0, run("").status)
    assert.equal("leave", reason())
    assert.equal(1, run("error('oops')").status)
    assert.equal("leave", reason())
    assert.equal(3, run("os.exit(3)").status)
    assert.equal("leave", reason())
  end)

  it("ends a blocking dispatch at the first", function()
    local result = run([[
      os.execute("(sleep 0.2; kill -TERM " .. pid .. ") &")
      print(handle:dispatch("blocking"))]])
    assert.equal(0, result.status, result.output)
    assert.equal("leave", reason())
  end)

  for name, number in pairs({ TERM = 15, INT = 2 }) do
    it("ends at once at a second SIG" .. name .. ", while it burns CPU", function()
      local result = run("signal('TERM') signal('" .. name .. "') while true do end")
      assert.equal(128 + number, result.status, result.output)
      assert.equal("procdown", reason())
    end)
  end

  it("says after a Ctrl-C that it is stopping, where the script goes on", function()
    local busy = "local begin = corolua.now() while corolua.now() - begin < 0.8 do end"
    for name, expected in pairs({
      INT = "corolua: stopping; again to end at once\n", TERM = "",
    }) do
      local result = run("signal('" .. name .. "') " .. busy)
      assert.same({ status = 0, output = expected }, result)
      assert.equal("leave", reason())
    end
  end)

  it("ends at once at a second one, while it waits for the work at the end", function()
    local result = run([[
      require("corolua.task.scheduler").at_exit(function() signal("TERM") corolua.sleep(10) end)
      signal("TERM")]])
    assert.equal(143, result.status, result.output)
    assert.equal("procdown", reason())
  end)

  it("keeps a signal ignored that its parent had ignored", function()
    local result = assert(cluster[1]:tool("sh", "-c",
      ([[trap '' INT; exec '%s' -e '
        local pid = io.open("/proc/self/stat"):read("n")
        io.popen("kill -INT " .. pid):close()
        print(require("corolua").sleep(0.01))']]):format(support.program)))
    assert.same({ status = 0, output = "true\n" }, result)
  end)
end)
