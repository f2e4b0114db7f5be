--- What is to be told of the tasks that raised, once the program has ended.

local describe = require("corolua.describe")

local failures = {}

local failure

function failures.clear() failure = nil end

--- Adds one; the first is the reason of the end, later ones come on top.
---@param message string with its traceback
function failures.add(message)
  if failure then message = failure .. "\nthen, as the program ended:\n" .. message end
  failure = message
end

--- Adds that tasks wait for what nothing can wake.
---@param tasks table<corolua.Task, boolean>
---@param count integer
function failures.add_stuck(tasks, count)
  local text = count == 1 and "a task waits" or count .. " tasks wait"
  text = "deadlock: " .. text .. " and nothing is left to wake it"
  failures.add(debug.traceback(next(tasks).co, text))
end

--- All there are, or nil.
---@return string?
function failures.text() return failure end

--- The problem with the traceback of the task, to be called where it is raised
--- by the handler of its xpcall.
---@param problem any
---@return string
function failures.trace(problem)
  local trace = debug.traceback(describe(problem), 3)
  return (trace:gsub("\n\t%[C%]: in function 'xpcall'.*$", ""))
end

return failures
