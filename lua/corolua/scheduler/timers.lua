--- Timers that call a function as a task, once or again and again.

local loop = require("corolua.loop")

local timers = {}

local alive = setmetatable({}, { __mode = "k" })

---@class corolua.Timer
local timer_methods = {}
local timer_mt = { __name = "corolua.timer", __index = timer_methods }

--- The function is not called any more; may be repeated.
function timer_methods:cancel()
  if self.watch then self.watch:cancel() end
  self.watch = nil
  self.cancelled = true
end

local function start(timer, seconds, fire)
  timer.watch = loop.timer(seconds, fire)
  alive[timer] = true
  return timer
end

--- Calls the function as a task, after so many seconds.
---@param tasks table with spawn
---@param seconds number
---@param fn function
---@return corolua.Timer
function timers.once(tasks, seconds, fn)
  local timer = setmetatable({}, timer_mt)
  return start(timer, seconds, function()
    timer.watch = nil
    tasks.spawn(fn)
  end)
end

--- Calls the function as a task each time the call before has returned and the
--- next multiple of the seconds is due.
---@param tasks table with spawn and is_stopping
---@param seconds number
---@param fn function
---@return corolua.Timer
function timers.repeated(tasks, seconds, fn)
  local timer = setmetatable({}, timer_mt)
  local due = loop.now() + seconds
  local function fire() end
  local function call()
    fn()
    if timer.cancelled or tasks.is_stopping() then return end
    local late = loop.now() - due
    due = due + seconds * math.max(1, math.ceil(late / seconds))
    start(timer, math.max(0, due - loop.now()), fire)
  end
  fire = function()
    timer.watch = nil
    tasks.spawn(call)
  end
  return start(timer, seconds, fire)
end

--- Cancels all timers there are.
function timers.cancel_all()
  for timer in pairs(alive) do timer:cancel() end
end

return timers
