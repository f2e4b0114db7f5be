--- What tasks wait for until it holds: each looks when it begins to wait, and
--- again whenever the owner of the state says that the state has changed.
--- Between changes a wait costs nothing, however many events there are.

local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

---@class corolua.Signal
---@field private waiters function[] what resumes those who wait, in order
local methods = {}
local signal_mt = { __name = "corolua.signal", __index = methods }

local signal = {}

---@return corolua.Signal
function signal.new() return setmetatable({ waiters = {} }, signal_mt) end

local function wait_once(self, timeout)
  return scheduler.await(function(resume)
    table.insert(self.waiters, resume)
    return function() lists.remove(self.waiters, resume) end
  end, timeout)
end

--- Waits until the function returns a true value, which is the result. It is
--- called by the task that waits, now and after each `notify`.
---@param holds fun(): any
---@param timeout number? in seconds
---@return any result, string? message, string? code "ERR_TIMEOUT" or "ERR_INTERRUPT"
function methods:wait_until(holds, timeout)
  local deadline = timeout and scheduler.now() + timeout
  local result = holds()
  while not result do
    local left = deadline and math.max(0, deadline - scheduler.now())
    local _, message, code = wait_once(self, left)
    result = holds()
    if code and not result then
      if code == "ERR_TIMEOUT" then message = ("timed out after %g s"):format(timeout) end
      return nil, message, code
    end
  end
  return result
end

--- The state has changed: all who wait look again, in the order they came.
function methods:notify()
  local waiters = self.waiters
  if not waiters[1] then return end
  self.waiters = {}
  for i = 1, #waiters do waiters[i](true) end
end

return signal
