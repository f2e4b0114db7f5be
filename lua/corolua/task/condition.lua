--- Condition variables: many tasks wait for one event at no cost to all others,
--- unlike those that wait for a condition which is asked after every event.

local checks = require("corolua.task.checks")
local scheduler = require("corolua.task.scheduler")

local condition = {}

---@class corolua.Condition
---@field private waiting table<integer, function> what resumes those who wait, by number
---@field private first integer the least of these numbers, or less
---@field private last integer
local methods = {}
local condition_mt = { __name = "corolua.condition", __index = methods }

--- A condition variable that nobody waits for yet.
---@return corolua.Condition
function condition.new()
  return setmetatable({ waiting = {}, first = 1, last = 0 }, condition_mt)
end

local function await(self, timeout)
  return scheduler.await(function(resume)
    local number = self.last + 1
    if next(self.waiting) == nil then self.first = number end
    self.last, self.waiting[number] = number, resume
    return function() self.waiting[number] = nil end
  end, timeout)
end

--- Waits until `notify` is called. What the task waits for may have gone again
--- by the time it goes on, so it is looked at in a loop:
--- `while not ready do changed:wait() end`.
---@param timeout number? in seconds
---@return true? notified, string? message, string? code "ERR_TIMEOUT" or "ERR_INTERRUPT"
function methods:wait(timeout)
  checks.seconds(timeout, "condition:wait", true)
  return await(self, timeout)
end

--- Wakes all that wait, in the order they came. Who waits from now on waits for
--- the next call.
---@return integer # how many these were
function methods:notify()
  local first, last = self.first, self.last
  if first > last then return 0 end
  local waiting, count = self.waiting, 0
  self.waiting, self.first = {}, last + 1
  for number = first, last do
    local resume = waiting[number]
    if resume then
      count = count + 1
      resume(true)
    end
  end
  return count
end

--- Waits until the function returns a true value, which is the result. It is
--- called by the task that waits, now and after each `notify`.
---@param changed corolua.Condition
---@param holds fun(): any
---@param timeout number? in seconds
---@return any result, string? message, string? code "ERR_TIMEOUT" or "ERR_INTERRUPT"
function condition.wait_until(changed, holds, timeout)
  local deadline = timeout and scheduler.now() + timeout
  local result = holds()
  while not result do
    local _, message, code = await(changed, deadline and scheduler.left_until(deadline))
    result = holds()
    if code and not result then
      if code == "ERR_TIMEOUT" then message = ("timed out after %g s"):format(timeout) end
      return nil, message, code
    end
  end
  return result
end

return condition
