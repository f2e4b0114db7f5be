local support = require("spec.support")

-- All programs of these specs run side by side from the start, as most of them
-- wait for seconds: each has a script, what it prints, and how it ends.
local PRELUDE = [[
  local corolua = require("corolua")
  local scheduler = require("corolua.task.scheduler")
  local pid = io.open("/proc/self/stat"):read("n")
  local function kill() io.popen("kill -TERM " .. pid):close() end
  local function closing(fn) return setmetatable({}, { __close = fn }) end
  local began
  local function stop() began = corolua.now() corolua.stop() end
  local function took() return corolua.now() - began end
]]

local PROGRAMS = {
  { "wakes tasks in the order they were made", [[
      for i = 1, 40 do
        corolua.spawn(function() corolua.sleep(10) io.write(i, " ") end)
      end
      corolua.after(0.05, stop)
      print(select(3, corolua.wait(function() end)))]],
    "^ERR_INTERRUPT\n1 2 3 4 5 .*38 39 40 $", 0 },
  { "raises in a task that goes on, where the script waits, and lets it close what waits", [[
      local function wait_for_ever() while true do corolua.sleep(10) end end
      corolua.spawn(function()
        local _ <close> = closing(function(_, why)
          print(why, corolua.sleep(0.1), took() >= 1)
          print(corolua.spawn(function() corolua.sleep(0.1) return "waited" end):wait())
        end)
        wait_for_ever()
      end)
      corolua.after(0.05, stop)]],
    "^the program is stopping\ttrue\ttrue\nwaited\n$", 0 },
  { "interrupts a task that never waits, and its own coroutines", [[
      for i = 1, 3 do
        corolua.spawn(function()
          local _ <close> = closing(function(_, why) print(why, corolua.sleep(0.01)) end)
          if i == 2 then coroutine.wrap(function() while true do end end)() end
          while true do end
        end)
      end
      kill()]],
    "^the program is stopping\ttrue\nthe program is stopping\ttrue\n"
    .. "the program is stopping\ttrue\n$", 0, "--handler-limit 0" },
  { "interrupts one that never waits inside a function of corolua, behind it", [[
      corolua.spawn(function()
        local n, ran = 0, 0
        local ok, why = pcall(function()
          while true do
            n = n + 1
            corolua.spawn(function() ran = ran + 1 end)
            for _ = 1, 1000 do end
          end
        end)
        corolua.sleep(0.05)
        while ran < n do corolua.sleep(0.01) end
        print(ok, why, n == ran)
      end)
      kill()]],
    "^false\tthe program is stopping\ttrue\n$", 0 },
  { "interrupts at each instruction a task that catches the first", [[
      corolua.spawn(function()
        while true do pcall(function() while true do end end) end
      end)
      kill()]], "^$", 0 },
  { "interrupts a condition that never returns, and lets its task close what waits", [[
      corolua.spawn(function()
        local asked = 0
        local _ <close> = closing(function(_, why) print(why, corolua.sleep(0.01)) end)
        corolua.wait(function()
          asked = asked + 1
          if asked == 2 then kill() end
          while asked == 2 do end
        end)
      end)]], "^the program is stopping\ttrue\n$", 0, "--handler-limit 0" },
  { "interrupts <close> variables that never end, in a task that is closed", [[
      corolua.spawn(function()
        local _ <close> = closing(function() while true do end end)
        os.exit(3)
      end)
      scheduler.at_exit(function() print("the end") end)]], "^the end\n$", 3 },
  { "interrupts those of a coroutine that a task closes", [[
      corolua.spawn(function()
        local inner = coroutine.create(function()
          local _ <close> = closing(function() while true do end end)
          coroutine.yield()
        end)
        coroutine.resume(inner)
        print(coroutine.close(inner))
      end)
      kill()]], "^false\tthe program is stopping\n$", 0 },
  { "interrupts a coroutine that catches what os.exit raises, and goes on", [[
      coroutine.wrap(function() while true do pcall(os.exit, 3) end end)()
      print("not reached")]], "^$", 3 },
  { "goes on to the end where a wait cannot take back what it began", [[
      corolua.spawn(function()
        local _ <close> = closing(function() print("closed") end)
        local function begin() return function() error("stuck") end end
        scheduler.await(begin, nil, { interruptible = false })
      end)
      scheduler.at_exit(function() print("the end") end)
      corolua.after(0.05, stop)]],
    "^corolua: closed a task [^\n]*\nclosed\nthe end\n"
    .. "corolua: while a task was closed: [^\n]*stuck\n$", 1 },
  { "tells of the error of a task whose <close> variable the stop interrupts", [[
      corolua.spawn(function()
        local _ <close> = closing(function() while true do corolua.sleep(10) end end)
        error("oops")
      end)
      corolua.after(0.05, stop)]], "^corolua: [^\n]*oops\nstack traceback:", 1 },
  { "tells of it where the task is closed before that is over", [[
      corolua.spawn(function()
        local _ <close> = closing(function()
          while true do pcall(function() while true do corolua.sleep(10) end end) end
        end)
        error("oops")
      end)
      corolua.after(0.05, stop)]],
    "^corolua: closed a task [^\n]*\ncorolua: [^\n]*oops\nstack traceback:", 1 },
  { "closes a task that still waits at the deadline, and names it", [[
      corolua.spawn(function()
        local _ <close> = closing(function() print("closed") end)
        while true do
          pcall(function() while true do corolua.sleep(60) end end)
        end
      end)
      scheduler.at_exit(function() print("the end", took() >= 5, took() < 10) end)
      corolua.after(0.05, stop)]],
    "corolua: closed a task that did not end within 5 s of the stop, at %(command line%):12\n"
    .. "closed\nthe end\ttrue\ttrue\n$", 0 },
  { "does the work of at_exit side by side, under one deadline", [[
      for i = 1, 6 do
        scheduler.at_exit(function() print(i, corolua.sleep(i == 1 and 60 or 2)) end)
      end
      local last = scheduler.at_exit(function() print("last", took() > 4.9, took() < 10) end, 2)
      stop()]],
    "^6\ttrue\n5\ttrue\n4\ttrue\n3\ttrue\n2\ttrue\n1\tfalse\nlast\ttrue\ttrue\n$", 0 },
  { "lets tasks close what waits after an error", [[
      corolua.spawn(function()
        local _ <close> = closing(function() print(corolua.sleep(0.05)) end)
        corolua.sleep(60)
      end)
      corolua.sleep(0)
      error("oops")]],
    "^true\ncorolua: [^\n]*oops", 1 },
  { "lets all tasks but the one that calls os.exit close what waits", [[
      corolua.spawn(function()
        local _ <close> = closing(function() print(corolua.sleep(0.05)) end)
        corolua.sleep(60)
      end)
      corolua.sleep(0)
      local _ <close> = closing(function() print("first") end)
      pcall(os.exit, 3)
      print("not reached")]],
    "^first\ntrue\n$", 3 },
  { "tells of the error of a task which nobody waits for any more", [[
      local task = corolua.spawn(function() assert(corolua.sleep(10), "slept badly") end)
      corolua.after(0.05, stop)
      print(task:wait())]],
    "^nil\tstopping\tERR_INTERRUPT\ncorolua: [^\n]*slept badly", 1 },
  { "tells once of the error that a task was about to raise as another ended the run", [[
      local first = corolua.spawn(function() scheduler.park() error("handed on") end)
      local second = corolua.spawn(function() scheduler.park() error("second") end)
      corolua.spawn(function() first:wait() end)
      corolua.sleep(0.01)
      scheduler.unpark(first)
      scheduler.unpark(second)
      corolua.sleep(10)]],
    "^corolua: [^\n]*second.*\nthen[^\n]*\n[^\n]*handed on[^\n]*\nstack traceback:"
    .. "\n[^\n]*\n[^\n]*\n$", 1 },
  { "tells nothing of an error that was caught as another ended the run", [[
      local first = corolua.spawn(function() scheduler.park() error("caught") end)
      local second = corolua.spawn(function() scheduler.park() error("second") end)
      corolua.spawn(function() pcall(first.wait, first) end)
      corolua.sleep(0.01)
      scheduler.unpark(first)
      scheduler.unpark(second)
      corolua.sleep(10)]],
    "^corolua: [^\n]*second\nstack traceback:\n[^\n]*\n[^\n]*\n$", 1 },
  { "unparks no task that a stop has woken, and that waits for something else", [[
      local parked = corolua.spawn(function()
        print(select(3, scheduler.park()))
        local _ <close> = closing(function() print(corolua.sleep(0.2)) end)
        while true do corolua.sleep(10) end
      end)
      corolua.spawn(function()
        local _ <close> = closing(function()
          corolua.sleep(0.05)
          print(scheduler.unpark(parked, "early"))
        end)
        while true do corolua.sleep(10) end
      end)
      corolua.after(0.05, stop)]],
    "^ERR_INTERRUPT\nfalse\ntrue\n$", 0 },
  { "gives no results of a task that the stop ended", [[
      local task = corolua.spawn(function() while true do corolua.sleep(10) end end)
      corolua.spawn(function()
        local _ <close> = closing(function() print(task:wait()) end)
        while true do corolua.sleep(10) end
      end)
      corolua.after(0.05, stop)]],
    "^nil\tstopping\tERR_INTERRUPT\n$", 0 },
}

describe("the end of a program", function()
  local pipes = {}

  local function start(script, options)
    return assert(io.popen(("timeout -k 1 60 '%s' %s -e '%s' 2>&1; echo \" $?\"")
      :format(support.program, options or "", PRELUDE .. script)))
  end

  local function finish(pipe)
    local output, status = pipe:read("a"):match("^(.*) (%d+)\n$")
    pipe:close()
    return output, tonumber(status)
  end

  setup(function()
    for i, row in ipairs(PROGRAMS) do pipes[i] = start(row[2], row[5]) end
  end)

  for i, row in ipairs(PROGRAMS) do
    it(row[1], function()
      local output, status = finish(pipes[i])
      assert.equal(row[4], status, output)
      assert.truthy(output:find(row[3]), output)
    end)
  end

  -- The order of addresses decided it once.
  it("ends alike in each of ten runs", function()
    local script = [[
      for _ = 1, 20 do
        corolua.spawn(function()
          local task = corolua.spawn(function() assert(corolua.sleep(10), "slept badly") end)
          io.write(select(3, task:wait()), " ")
        end)
      end
      corolua.after(0.01, stop)]]
    local running = {}
    for i = 1, 10 do running[i] = start(script) end
    for i = 1, 10 do
      local output, status = finish(running[i])
      assert.equal(1, status, output)
      assert.truthy(output:find(("ERR_INTERRUPT "):rep(20), 1, true), output)
      assert.equal(1, select(2, output:gsub("slept badly", "")), output)
    end
  end)
end)
