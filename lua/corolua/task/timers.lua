--- The doors of the loop: clocks, descriptors, children, random numbers, and
--- timers that call a function, as a task once or again and again.

local checks = require("corolua.task.checks")
local loop = require("corolua.loop")
local random = require("corolua.base.random")

local check_function, check_seconds = checks.callable, checks.seconds

local timers = {}

local alive = setmetatable({}, { __mode = "k" })

---@class corolua.Timer
local timer_methods = {}
local timer_mt = { __name = "corolua.timer", __index = timer_methods }

--- The function is not called any more, also where its task is about to begin;
--- may be repeated.
function timer_methods:cancel()
  if self.watch then self.watch:cancel() end
  self.watch = nil
  self.cancelled = true
end

-- A task begins some time after the timer has fired.
local function call_once(timer)
  if not timer.cancelled then return timer.fn() end
end

local function start(timer, seconds, fire)
  timer.watch = loop.timer(seconds, fire)
  alive[timer] = true
  return timer
end

local function once(tasks, seconds, fn)
  local timer = setmetatable({ fn = fn }, timer_mt)
  return start(timer, seconds, function()
    timer.watch = nil
    tasks.spawn(call_once, timer).timer_of = timer
  end)
end

local function repeated(tasks, seconds, fn)
  local timer = setmetatable({}, timer_mt)
  local due = loop.now() + seconds
  local function fire() end
  local function set_again()
    if timer.cancelled or tasks.is_stopping() then return end
    local late = loop.now() - due
    due = due + seconds * math.max(1, math.ceil(late / seconds))
    start(timer, math.max(0, due - loop.now()), fire)
  end
  -- Also where the function raises, and the script says that this is no end.
  local again_mt = { __close = set_again }
  local function call()
    if timer.cancelled then return end
    local _ <close> = setmetatable({}, again_mt)
    fn()
  end
  fire = function()
    timer.watch = nil
    tasks.spawn(call).timer_of = timer
  end
  return start(timer, seconds, fire)
end

--- Gives the scheduler its doors.
---@param scheduler { spawn: function, is_stopping: fun(): boolean }
function timers.add_to(scheduler)
  --- What the loop is made of.
  ---@type { libqb: string, lua: string }
  scheduler.versions = loop.versions

  --- Calls the function once, after so many seconds: no task, so it must not
  --- wait. `after` is what scripts use.
  ---@type fun(seconds: number, fn: fun()): corolua.Watch
  scheduler.timer = loop.timer

  --- Calls the function at every such signal. It must not wait.
  ---@type fun(signum: integer, fn: fun(signum: integer)): corolua.Watch?, string?, string?
  scheduler.signal = loop.signal

  --- Calls the function once when a child process has ended, with "exit", "signal"
  --- or "unknown", and the status. It must not wait.
  ---@type fun(pid: integer, fn: fun(how: string, status: integer?)): corolua.Watch?, string?
  scheduler.child = loop.child

  --- Calls the function whenever the descriptor has something to read. It must
  --- not wait.
  ---@param fd integer
  ---@param fn fun(events: string)
  ---@return corolua.Watch? watch, string? message
  ---@return string? code "EEXIST" if it is watched already, "EPERM" for files, "EBADF"
  function scheduler.readable(fd, fn) return loop.fd(fd, "r", fn) end

  --- Seconds of a clock that never goes back.
  ---@return number
  function scheduler.now() return loop.now() end

  --- Seconds until a moment by that clock: 0 once it is over.
  ---@param moment number
  ---@return number
  function scheduler.left_until(moment) return math.max(0, moment - scheduler.now()) end

  --- Seconds since 1970, by a clock that people set: for what must be comparable
  --- between machines. All else goes by `now`.
  ---@return number
  function scheduler.clock() return loop.clock() end

  scheduler.random, scheduler.nonce = random.bytes, random.nonce

  --- Calls the function once, as a task, after so many seconds.
  ---@param seconds number
  ---@param fn function
  ---@return corolua.Timer
  function scheduler.after(seconds, fn)
    check_seconds(seconds, "after")
    check_function(fn, "after")
    return once(scheduler, seconds, fn)
  end

  --- Calls the function again and again, as a task; a call begins when the one
  --- before has returned. Turns that it has missed meanwhile are left out.
  ---@param seconds number
  ---@param fn function
  ---@return corolua.Timer
  function scheduler.every(seconds, fn)
    check_seconds(seconds, "every")
    check_function(fn, "every")
    if seconds == 0 then error("every: the time must be a number of seconds above 0, got 0", 2) end
    return repeated(scheduler, seconds, fn)
  end
end

--- Cancels all timers there are; in no order, as nobody is called.
function timers.cancel_all()
  for timer in pairs(alive) do timer:cancel() end
end

return timers
