-- Not sanitized: it ends programs by signals, which leaves a sanitizer nothing to tell.
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local sys = require("corolua.sys")
local traces = require("spec.support.traces")

-- root without the right to make namespaces, as in a container, goes the same
-- way as an ordinary user
local WITHOUT_RIGHTS = {
  "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin",
}

local function command(...)
  local words = {}
  if sys.id().uid == 0 then
    for i, word in ipairs(WITHOUT_RIGHTS) do words[i] = word end
  end
  for _, word in ipairs({ ... }) do words[#words + 1] = word end
  return words
end

-- How often a random moment is tried; more for a thorough run.
local ROUNDS = tonumber(os.getenv("COROLUA_ROUNDS") or 10)

-- Seconds until nothing may be left: a thorough run holds the lab to what its
-- pages say; a machine with other work takes as long as it needs.
local PATIENCE = os.getenv("COROLUA_ROUNDS") and 2 or 30

local VICTIM = "spec/support/victim.lua"

local SHELL = "SHELL=spec/support/crowd_shell.sh"

-- The victim in that way, or the command that opens a shell.
local function victim(way, as_user)
  local words = way == "shell" and { support.program, "lab", "--shell" }
    or { support.program, VICTIM, way, tostring(math.random(0xffffffff)) }
  return traces.start(as_user and command(table.unpack(words)) or words, SHELL)
end

local function is_up(program)
  return scheduler.wait(function() return program.output:find("up") or program.ended end, 20)
end

describe("a program with a lab leaves nothing behind", function()
  local places

  setup(function() places = traces.places() end)

  local function check(program)
    traces.assert_none(program, PATIENCE)
    assert.same(places, traces.places())
  end

  local function leaves_nothing(who)
    local as_user = who == "user"

    it("when it ends, as " .. who, function()
      local program = victim("end", as_user)
      check(program)
      assert.same("exit 0", program.ended, program.output)
    end)

    it("when it raises, as " .. who, function()
      local program = victim("error", as_user)
      check(program)
      assert.same("exit 1", program.ended)
      assert.matches("on purpose", program.output)
    end)

    it("when it gets SIGTERM, as " .. who, function()
      local program = victim("wait", as_user)
      assert(is_up(program))
      assert(sys.kill(program.pid, "TERM"))
      check(program)
      assert.same("exit 0", program.ended)
    end)

    it("when it is killed at any moment, as " .. who, support.draws(function()
      for i = 0, ROUNDS - 1 do
        local program = victim("wait", as_user)
        scheduler.wait(function() return program.ended end, (i + math.random()) * 0.5 / ROUNDS)
        assert(sys.kill(program.pid, "KILL"))
        check(program)
      end
    end))

    for way, name in pairs({
      faults = "in the middle of faults", nested = "with a lab inside a node of its lab",
      shell = "with a shell on a node",
    }) do
      it("when it is killed " .. name .. ", as " .. who, support.draws(function()
        for _ = 1, way == "faults" and ROUNDS // 2 or ROUNDS // 4 do
          local program = victim(way, as_user)
          assert(is_up(program))
          scheduler.wait(function() return program.ended end, math.random() * 0.5)
          assert.is_nil(program.ended, program.output)
          assert(#traces.processes(program) > 5)
          assert(sys.kill(program.pid, "KILL"))
          check(program)
        end
      end))
    end
  end

  leaves_nothing("root")
  support.describe_user("without rights", function() leaves_nothing("user") end)

  it("when a cluster is closed, time after time", function()
    local program = traces.start({ support.program, "-e", ([[
      local lab = require("corolua.lab")
      for i = 1, %d do
        local cluster <close> = assert(lab.start({ nodes = 3 }))
        local inodes = { cluster.network.hub:inode() }
        for id, space in ipairs(cluster.network.spaces) do inodes[id + 1] = space:inode() end
        print("spaces " .. table.concat(inodes, " "))
        assert(cluster[1]:run("-e", "os.execute('env -i setsid sleep 1000 &') print(1)"):next(10))
      end
      print("closed")
      require("corolua").sleep(1000)
    ]]):format(ROUNDS) })
    assert(scheduler.wait(function() return program.output:find("closed") end, 10 * ROUNDS))
    local left
    traces.eventually(function()
      left = traces.processes(program)
      return #left == 1
    end, PATIENCE)
    assert(#left == 1, table.concat(left, ", "))
    assert(sys.kill(program.pid, "KILL"))
    check(program)
  end)

  local function run_at_once(is_user)
    local programs = {}
    for i = 1, 4 do programs[i] = victim("end", is_user and i % 2 == 0) end
    for _, program in ipairs(programs) do
      check(program)
      assert.same("exit 0", program.ended, program.output)
    end
  end

  it("when several run at once", function() run_at_once(false) end)

  support.describe_user("beside programs without rights", function()
    it("when several run at once", function() run_at_once(true) end)
  end)

  it("when it runs inside another lab's node", function()
    local lab = require("corolua.lab")
    local outer <close> = assert(lab.start({ nodes = 1 }))
    local result = assert(outer[1]:tool(support.program, VICTIM, "end"))
    assert.matches("up\n$", result.output)
    assert.same(0, result.status)
  end)
end)

support.describe_user("without rights of its own", function()
  it("refuses to start a lab over open handles", function()
    local program = traces.start(command(support.program, "-e", [[
      local debug = require("debug")
      debug.getregistry()["corosync.handles"] = { [{}] = true }
      print(require("corolua.lab").start())
    ]]))
    assert(scheduler.wait(function() return program.ended end, 10))
    assert.matches("call lab.start before opening them\tERR_BUSY", program.output)
  end)

  it("starts a second lab in the namespaces of the first", function()
    local program = traces.start(command(support.program, "-e", [[
      local lab = require("corolua.lab")
      for _ = 1, 2 do
        local cluster <close> = assert(lab.start({ nodes = 2 }))
        print(cluster:state()[1].status)
      end
    ]]))
    assert(scheduler.wait(function() return program.ended end, 20))
    assert.same("running\nrunning\n", program.output)
  end)
end)
