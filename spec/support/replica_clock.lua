-- A scheduler that a spec plays: each process has tasks of its own, which run when
-- they are told to, and the clock is a number. While it is in force the modules of
-- a replica wait here, and not in the program's own scheduler.
local scheduler = require("corolua.task.scheduler")

local clock = {}

local clock_mt = { __index = clock }
local task_methods = {}
local task_mt = { __index = task_methods }

--- A clock at zero, without processes.
function clock.new() return setmetatable({ now = 0, timers = {} }, clock_mt) end

local function ready(task, ...)
  task.values = table.pack(...)
  table.insert(task.process.ready, task)
end

local function add_timer(self, at, process, fn)
  local timer = { at = at, process = process, fn = fn }
  function timer.cancel() timer.is_over = true end
  table.insert(self.timers, timer)
  return timer
end

--- Begins a task of a process.
function clock:spawn(process, fn, ...)
  local task = setmetatable({
    co = coroutine.create(fn), process = process, waiters = {},
  }, task_mt)
  ready(task, ...)
  self.spawned = task
  return task
end

-- A resume counts once.
function clock:await(start, timeout)
  local task, is_done = self.current, false
  local timer
  local function resume(...)
    if is_done then return end
    is_done = true
    if timer then timer.cancel() end
    ready(task, ...)
  end
  local cancel = start(resume)
  if timeout and not is_done then
    timer = add_timer(self, self.now + timeout, task.process, function()
      if cancel then cancel() end
      resume(nil, "timed out", "ERR_TIMEOUT")
    end)
  end
  return coroutine.yield()
end

function clock:sleep(seconds)
  self:await(function() end, seconds)
  return true
end

function clock:every(seconds, fn)
  local process = self.process
  local timer
  local function again()
    timer = add_timer(self, self.now + seconds, process, function()
      again()
      self:spawn(process, fn)
    end)
  end
  again()
  return { cancel = function() timer.cancel() end }
end

local function finish(task, ok, ...)
  if coroutine.status(task.co) ~= "dead" then return end
  if not ok then error(debug.traceback(task.co, tostring((...))), 0) end
  task.results = table.pack(...)
  for _, resume in ipairs(task.waiters) do resume(...) end
end

--- Runs the task of a process that has waited longest; false if none is ready.
function clock:run(process)
  local task = table.remove(process.ready, 1)
  if not task then return false end
  self.current, self.process = task, process
  finish(task, coroutine.resume(task.co, table.unpack(task.values, 1, task.values.n)))
  self.current, self.process = nil, nil
  return true
end

--- Time goes on, at most to the next timer.
function clock:go_on(seconds)
  local next_at = math.huge
  for i = #self.timers, 1, -1 do
    local timer = self.timers[i]
    if timer.is_over or timer.process.is_dead then
      table.remove(self.timers, i)
    else
      next_at = math.min(next_at, timer.at)
    end
  end
  local to = math.min(self.now + seconds, next_at)
  if to < math.huge then self.now = math.max(to, self.now) end
  for i = #self.timers, 1, -1 do
    local timer = self.timers[i]
    if timer.at <= self.now then
      table.remove(self.timers, i)
      timer.fn()
    end
  end
end

--- Puts this clock in the place of the scheduler; what undoes that.
function clock:take_over()
  local kept = {}
  local function put(name, fn)
    kept[name] = scheduler[name]
    scheduler[name] = fn
  end
  put("now", function() return self.now end)
  put("can_wait", function() return true end)
  put("sleep", function(seconds) return self:sleep(seconds) end)
  put("await", function(start, timeout) return self:await(start, timeout) end)
  put("every", function(seconds, fn) return self:every(seconds, fn) end)
  put("wait", function(condition)
    while not condition() do self:sleep(0.001) end
    return true
  end)
  put("spawn", function(fn, ...)
    local task = self:spawn(self.process, fn, ...)
    function task.wait()
      if task.results then return table.unpack(task.results, 1, task.results.n) end
      return self:await(function(resume) table.insert(task.waiters, resume) end)
    end
    return task
  end)
  return function()
    for name, fn in pairs(kept) do scheduler[name] = fn end
  end
end

return clock
