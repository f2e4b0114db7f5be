--- What a task can wait for: somebody to call a function, a time, a condition, which
--- is called after every event and must not wait itself.

local checks = require("corolua.task.checks")
local limit = require("corolua.limit")

local check_function, check_seconds = checks.callable, checks.seconds
local pack, unpack = table.pack, table.unpack

local waits = {}

-- The conditions that are waited for.
local list, count = {}, 0
local asking = false

-- Calls a condition with waiting forbidden, for the task that runs or another one:
-- what pcall gives, packed.
local function ask(condition, co)
  asking = true
  local result
  if co then
    result = pack(limit.within(co, condition))
  else
    result = pack(pcall(condition))
  end
  asking = false
  return result
end

--- Whether a condition is being called.
---@return boolean
function waits.is_asking() return asking end

-- Has the condition called until the task is no longer in this wait.
local function add(task, id, condition)
  count = count + 1
  list[count] = { task = task, id = id, condition = condition }
end

--- Calls all conditions that tasks wait for; those that hold, or raise, end their wait.
---@param wake fun(task: corolua.Task, id: integer, result: { n: integer, [integer]: any })
function waits.check(wake)
  local i = 1
  while i <= count do
    local entry = list[i]
    if entry.task.waiting ~= entry.id then
      list[i] = list[count]
      list[count] = nil
      count = count - 1
    else
      local result = ask(entry.condition, entry.task.co)
      if not result[1] or result[2] then wake(entry.task, entry.id, result) end
      i = i + 1
    end
  end
end

local function nothing() end

--- Gives the scheduler its functions that wait.
---@param scheduler { await: function?, sleep: function?, wait: function? }
---@param await fun(task: corolua.Task, start: function, timeout: number?, kind: string?): any ...
---@param waiting_task fun(name: string): corolua.Task
function waits.add_to(scheduler, await, waiting_task)
  --- Waits until `resume` is called, and returns what it was called with. The
  --- function `start` gets `resume`, and may return a function that takes back
  --- what it began: it is called once the wait is over, however it ended. Later
  --- calls of `resume` do nothing and return false.
  ---@param start fun(resume: fun(...): boolean): function?
  ---@param timeout number? in seconds
  ---@param options { interruptible: boolean }? `interruptible = false`: not ended by a stop
  ---@return any ... or nil, message, "ERR_TIMEOUT" or "ERR_INTERRUPT"
  function scheduler.await(start, timeout, options)
    check_function(start, "await")
    check_seconds(timeout, "await", true)
    local deaf = options and options.interruptible == false
    local task = waiting_task("await")
    local ok, problem
    local function begin(resume)
      local cancel
      ok, cancel = pcall(start, resume)
      if ok and cancel ~= nil and type(cancel) ~= "function" then
        ok, cancel = false, "await: start must return a function or nothing, got " .. type(cancel)
      end
      if ok then return cancel end
      problem = cancel
      resume()
    end
    local function done(...)
      if ok == false then error(problem, 0) end
      return ...
    end
    return done(await(task, begin, timeout, deaf and "deaf" or nil))
  end

  --- Waits so many seconds, never less.
  ---@param seconds number
  ---@return boolean # false once the program is stopping
  function scheduler.sleep(seconds)
    check_seconds(seconds, "sleep")
    local task = waiting_task("sleep")
    local _, _, code = await(task, nothing, seconds)
    return code ~= "ERR_INTERRUPT"
  end

  --- Calls the condition now and after every event, until it returns a true
  --- value. It must not wait itself.
  ---@param condition function
  ---@param timeout number? in seconds
  ---@return any ... what the condition returned, or nil, message, "ERR_TIMEOUT" or "ERR_INTERRUPT"
  function scheduler.wait(condition, timeout)
    check_function(condition, "wait")
    check_seconds(timeout, "wait", true)
    local task = waiting_task("wait")
    local result = ask(condition)
    if result[1] and not result[2] then
      result = pack(await(task, function(_, id)
        add(task, id, condition)
      end, timeout))
      if result[1] == nil then return unpack(result, 1, result.n) end
    end
    if not result[1] then error(result[2], 0) end
    return unpack(result, 2, result.n)
  end
end

return waits
