--- Tasks over `corolua.loop`: coroutines that wait for events without blocking
--- one another. Everything above the thin modules waits, sleeps and reads the
--- clock through this module only.
---
--- A first-in, first-out queue holds the tasks that can go on. It is emptied
--- after every event of the loop; what waits is in nobody's queue and is woken
--- by the function that `await` gave to whoever it waits for.

local checks = require("corolua.task.checks")
local describe = require("corolua.base.describe")
local ending = require("corolua.task.ending")
local failures = require("corolua.task.failures")
local limit = require("corolua.limit")
local loop = require("corolua.loop")
local timers = require("corolua.task.timers")
local waits = require("corolua.task.waits")

local check_function, check_seconds = checks.callable, checks.seconds

local scheduler = {}

-- Tasks that wake one another must not keep the loop from its events: so many
-- go on in one turn, the rest in the next.
local TURN_MAX = 256

local NO_VALUES, WOKEN = { n = 0 }, { n = 1, true }
local INTERRUPTED = { n = 3, nil, "stopping", "ERR_INTERRUPT" }

---@class corolua.Task
---@field private co thread
---@field private number integer in the order of making
---@field private results table? once it has ended
---@field private waiting integer? the wait it is in
---@field private deaf boolean? a stop does not end that wait
---@field private resume function? how it goes on, if not by `limit.step`
---@field private has_left boolean? it called `exit`, and is not to go on
local methods = {}
local task_mt = { __name = "corolua.task", __index = methods }

-- What runs: the tasks alive (each true), those that can go on, what is put off
-- to the end of the turn.
local alive = {}
local alive_count = 0
local ready, first, last = {}, 1, 0
local deferred = {}

local current -- the task that runs
local made = 0 -- how many tasks there ever were
local running = false -- inside `run`
local stopping = false
local the_end -- how all this ends
local ended -- why the loop is to be left: "failed", "exit", "idle", "late"
local exit_status -- what `exit` was called with
local goes_on -- tells whether the loop has something left to wait for
local again -- a timer of no length that continues a long turn

local pack, unpack = table.pack, table.unpack

local function leave_loop(why)
  ended = ended or why
  if running then loop.stop(failures.text()) end
end

-- Where memory is short this raises, and nothing has changed.
local function push_ready(task, values)
  task.values = values
  ready[last + 1] = task
  last = last + 1
end

-- Ends the wait a task is in; false if it is in another one by now.
local function wake(task, id, values)
  if task.waiting ~= id then return false end
  push_ready(task, values)
  task.waiting = nil
  return true
end

-- What the wait of a task holds is let go, once it is over.
local function drop_wait(task)
  local timer, cancel = task.timer, task.cancel
  task.timer, task.cancel = nil, nil
  if timer then timer:cancel() end
  if cancel then cancel() end
end

-- Whether anybody waited for it, and was told.
local function finish(task, ...)
  task.results = pack(...)
  alive[task] = nil
  alive_count = alive_count - 1
  local waiters, is_told = task.waiters, false
  task.waiters = nil
  if not waiters then return false end
  for i = 1, #waiters do
    is_told = wake(waiters[i].task, waiters[i].id, NO_VALUES) or is_told
  end
  return is_told
end

-- Called where the error is raised, before its stack is gone; nothing catches it
-- any more. An error that came out of a task waited for keeps the traceback it
-- had there.
local function note_problem(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  current.problem = problem
  local from = current.awaited
  if from and from.failed and rawequal(from.problem, problem) then
    current.trace = from.trace
  else
    current.trace = failures.trace(problem)
  end
  return problem
end

-- Every task is a protected call, so that its <close> variables may wait also
-- when it raises.
local function body(fn, ...) return xpcall(fn, note_problem, ...) end

-- The stop's own error is none of the task's; where it came in a <close> variable
-- behind an error, that one counts. Errors are raised by whoever waits for the
-- task, or else end the run.
local function fail(task, problem)
  if rawequal(problem, limit.STOPPED) then
    if not task.trace then return finish(task, unpack(INTERRUPTED, 1, 3)) end
    problem = task.problem
  end
  task.failed, task.problem = true, problem
  task.trace = task.trace or describe(problem)
  local is_told = finish(task)
  if exit_status then return end
  if is_told then return failures.hand_on(task) end
  local timer = task.timer_of
  local failure = failures.ask(task.trace, timer or task, timer and "timer" or "task")
  if not failure then return end
  failures.add(failure)
  leave_loop("failed")
end

-- A wait yields nothing, and the end of a body yields what xpcall gives.
local function settle(task, resumed, ok, ...)
  if resumed and ok == nil or coroutine.status(task.co) ~= "dead" then return end
  if resumed and ok then return finish(task, ...) end
  if resumed then return fail(task, (...)) end
  fail(task, ok)
end

local function step(task)
  local values = task.values
  task.values = nil
  current = task
  local resume = task.resume or limit.step
  settle(task, resume(task.co, unpack(values, 1, values.n)))
  current = nil
end

local function run_ready()
  local stop_at = first + TURN_MAX
  while first <= last and first < stop_at and not ended do
    local task = ready[first]
    ready[first] = nil
    first = first + 1
    if not task.results then step(task) end
  end
  if first > last then first, last = 1, 0 end
end

-- What was put off is done once, in order; then what that has put off.
local function do_deferred()
  while deferred[1] do
    local now = deferred
    deferred = {}
    for i = 1, #now do now[i]() end
  end
end

-- What happens after every event of the loop.
local function turn()
  run_ready()
  do_deferred()
  waits.check(wake)
  if ended then return end
  if first <= last then
    again = again or loop.timer(0, function() again = nil end)
  elseif not goes_on() then
    leave_loop("idle")
  end
end

-- Runs the loop until it is left, and says why it was.
local function drive(condition)
  goes_on, ended = condition, nil
  -- The first turn, too, is one of the loop.
  loop.timer(0, function() end)
  repeat
    local ok, problem = pcall(loop.run)
    if not ok and not exit_status then
      failures.add(problem)
      ended = "failed"
    end
  until ended
  return ended
end

--- Whether the caller may wait: it is a task, in no function of C that Lua
--- cannot yield through.
---@return boolean
function scheduler.can_wait()
  return current ~= nil and current.co == coroutine.running() and coroutine.isyieldable()
    and not waits.is_asking()
end

--- Raises, at the caller of the function that waits, unless it may.
---@param name string of that function
---@return corolua.Task # that runs
function scheduler.check_wait(name)
  if scheduler.can_wait() then return current end
  checks.may_wait(name, current and current.co, waits.is_asking())
end

local waiting_task = scheduler.check_wait

local last_id = 0

-- Whether a stop ends the waits of a task: those of one that it has interrupted
-- go on, until it is too late for them as well.
local function is_interrupted(task)
  return stopping and (the_end.is_overdue or not limit.is_told(task.co))
end

-- Waits for `resume` to be called. `kind` is "deaf" for a wait that a stop
-- does not end.
local function await(task, start, timeout, kind)
  last_id = last_id + 1
  local id = last_id
  task.waiting, task.deaf = id, kind == "deaf"
  local function resume(...)
    if task.waiting ~= id then return false end
    return wake(task, id, select("#", ...) == 0 and NO_VALUES or pack(...))
  end
  if not task.deaf and is_interrupted(task) then
    wake(task, id, INTERRUPTED)
  else
    task.cancel = start(resume, id)
    if timeout and task.waiting == id then
      task.timer = loop.timer(timeout, function()
        wake(task, id, { n = 3, nil, ("timed out after %g s"):format(timeout), "ERR_TIMEOUT" })
      end)
    end
  end
  local function done(...)
    drop_wait(task)
    return ...
  end
  return done(coroutine.yield())
end

--- The bare `await`, for waits that come with every few messages: waits until
--- `unpark` is called with this task. It takes back nothing by itself.
---@return any ... what `unpark` was given, or nil, message, "ERR_INTERRUPT"
function scheduler.park()
  local task = waiting_task("park")
  last_id = last_id + 1
  task.waiting, task.deaf, task.parked = last_id, false, last_id
  if is_interrupted(task) then wake(task, last_id, INTERRUPTED) end
  return coroutine.yield()
end

--- Ends the wait of a task in `park`; false if it is not in it.
---@param task corolua.Task
---@param ... any what `park` returns
---@return boolean
function scheduler.unpark(task, ...)
  local id = task.parked
  if not id or task.waiting ~= id then return false end
  return wake(task, id, ... == true and select("#", ...) == 1 and WOKEN or pack(...))
end

--- The task that runs, or nil.
---@return corolua.Task?
function scheduler.current() return current end

--- Has the function called once, when the tasks that can go on now have done
--- so. It must not wait.
---@param fn function
function scheduler.at_turn_end(fn) deferred[#deferred + 1] = fn end

--- Starts a task, which runs once the caller waits or ends.
---@param fn function
---@param ... any its arguments
---@return corolua.Task
function scheduler.spawn(fn, ...)
  check_function(fn, "spawn")
  made = made + 1
  local task = setmetatable({
    co = coroutine.create(body), number = made, values = pack(fn, ...),
  }, task_mt)
  if stopping and current and limit.is_told(current.co) then limit.excuse(task.co) end
  -- Memory may be short up to here: then there is no such task.
  ready[last + 1], alive[task] = task, true
  alive_count, last = alive_count + 1, last + 1
  return task
end

--- Waits until the task has ended: its results, or its error, raised here.
---@param timeout number? in seconds
---@return any ... or nil, message, "ERR_TIMEOUT" or "ERR_INTERRUPT"
function methods:wait(timeout)
  check_seconds(timeout, "task:wait", true)
  if not self.results then
    local task = waiting_task("task:wait")
    if task == self then error("a task cannot wait for itself", 2) end
    task.awaited = self
    self.waiters = self.waiters or {}
    local entry = { task = task }
    local _, message, code = await(task, function(_, id)
      entry.id = id
      table.insert(self.waiters, entry)
    end, timeout)
    for i, waiter in ipairs(self.waiters or {}) do
      if waiter == entry then table.remove(self.waiters, i) break end
    end
    if code then return nil, message, code end
  end
  if self.failed then
    failures.take_over(self)
    error(self.problem, 0)
  end
  return unpack(self.results, 1, self.results.n)
end

--- Whether the task has ended.
---@return boolean
function methods:is_done() return self.results ~= nil end

timers.add_to(scheduler)
waits.add_to(scheduler, await, waiting_task)

-- Those alive, in the order they were made.
local function tasks_alive()
  local tasks = {}
  for task in pairs(alive) do tasks[#tasks + 1] = task end
  table.sort(tasks, function(a, b) return a.number < b.number end)
  return tasks
end

-- Closes a task where it is, which runs its <close> variables; they cannot wait,
-- and are interrupted where they go on for a second.
local function close(task)
  task.waiting = nil
  local dropped, problem = pcall(drop_wait, task)
  limit.excuse(task.co)
  local _, closed, close_problem = limit.within(task.co, coroutine.close, task.co)
  finish(task, unpack(INTERRUPTED, 1, 3))
  -- An error whose <close> variables are not over.
  if task.trace then failures.add(task.trace) end
  if not dropped then return problem end
  if not closed then return close_problem end
end

local function interrupt(task)
  if task.waiting and not task.deaf and is_interrupted(task) then
    wake(task, task.waiting, INTERRUPTED)
  end
end

the_end = ending.new({
  tasks = tasks_alive, close = close, drive = drive, interrupt = interrupt, leave = leave_loop,
  count = function() return alive_count end,
  spawn = scheduler.spawn,
})

--- Ends the program: sleeps return false, other waits "ERR_INTERRUPT", timers
--- end. Tasks that go on longer than a second get an error, and are closed if
--- they are not over 5 s after the stop. Then the work that `at_exit` was given
--- is done.
function scheduler.stop()
  stopping = true
  the_end:stop(running)
end

--- Whether the program is stopping.
---@return boolean
function scheduler.is_stopping() return stopping end

--- Has the function called when the program ends in whatever way short of a
--- second signal: as a task that may wait, and that a stop does not interrupt.
--- All of one rank run side by side, under one deadline; ranks follow each other.
---@param fn function
---@param rank integer? 1 unless told; higher for what others need until they are over
---@return corolua.AtExit
function scheduler.at_exit(fn, rank)
  check_function(fn, "at_exit")
  return ending.at_exit(fn, rank or 1)
end

--- Ends the run with this error, as a task that raises does.
---@param message string with its traceback
function scheduler.fail(message)
  if exit_status then return end
  failures.add(message)
  leave_loop("failed")
end

--- Ends the program with this status, as `os.exit` does in the host: the tasks
--- are closed, `at_exit` work is done. Never returns.
---@param status integer
function scheduler.exit(status)
  if not exit_status then the_end:watch_exit() end
  exit_status = exit_status or status
  leave_loop("exit")
  if scheduler.can_wait() then
    current.has_left = true
    coroutine.yield()
  end
  error(ending.RAISED, 0)
end

local function program_goes_on()
  return loop.pending() > 0 and (alive_count > 0 or not stopping)
end

--- Runs the function as a task, and the loop until nothing is left to wait
--- for. Called from a task, it just calls the function.
---@param fn function
---@param ... any its arguments
---@return any ... the function's results
function scheduler.run(fn, ...)
  check_function(fn, "run")
  if running then return fn(...) end
  running, stopping, exit_status = true, false, nil
  failures.clear()
  the_end:reset()
  local main = scheduler.spawn(fn, ...)
  local why = drive(program_goes_on)
  stopping = true
  the_end:wind_up(why)
  running = false
  failures.add_pending()
  local failure = failures.text()
  if failure and not exit_status then error(failure, 0) end
  return unpack(main.results, 1, main.results.n)
end

--- The status that `exit` was called with in the last run, or nil.
---@return integer?
function scheduler.exit_status() return exit_status end

loop.after_each(turn)

-- Stock lua5.4 found this file where all the others are.
local folder = debug.getinfo(1, "S").source:match("^(@.*)scheduler%.lua$")
if folder then limit.set_own(folder) end

return scheduler
