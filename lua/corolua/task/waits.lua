--- What a task can wait for: somebody to call a function, a time, a condition.

local checks = require("corolua.task.checks")
local conditions = require("corolua.task.conditions")

local check_function, check_seconds = checks.callable, checks.seconds
local pack, unpack = table.pack, table.unpack

local waits = {}

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
    local result = conditions.ask(condition)
    if result[1] and not result[2] then
      result = pack(await(task, function(_, id)
        conditions.add(task, id, condition)
      end, timeout))
      if result[1] == nil then return unpack(result, 1, result.n) end
    end
    if not result[1] then error(result[2], 0) end
    return unpack(result, 2, result.n)
  end
end

return waits
