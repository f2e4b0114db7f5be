--- Condition variables: many tasks wait for one event at no cost to all others,
--- unlike those that wait for a condition which is asked after every event.

local checks = require("corolua.task.checks")
local scheduler = require("corolua.task.scheduler")

local condition = {}

---@class corolua.Condition
local methods = {}
local condition_mt = { __name = "corolua.condition", __index = methods }

--- A condition variable that nobody waits for yet.
---@return corolua.Condition
function condition.new()
  return setmetatable({ waiting = {}, last = 0 }, condition_mt)
end

--- Waits until `notify` is called. What the task waits for may have gone again
--- by the time it goes on, so it is looked at in a loop:
--- `while not ready do changed:wait() end`.
---@param timeout number? in seconds
---@return true? notified, string? message, string? code "ERR_TIMEOUT" or "ERR_INTERRUPT"
function methods:wait(timeout)
  checks.seconds(timeout, "condition:wait", true)
  return scheduler.await(function(resume)
    local number = self.last + 1
    self.last = number
    self.waiting[number] = resume
    return function() self.waiting[number] = nil end
  end, timeout)
end

--- Wakes all that wait, in the order they came. Who waits from now on waits for
--- the next call.
---@return integer # how many these were
function methods:notify()
  local waiting, numbers = self.waiting, {}
  self.waiting = {}
  for number in pairs(waiting) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for _, number in ipairs(numbers) do waiting[number](true) end
  return #numbers
end

return condition
