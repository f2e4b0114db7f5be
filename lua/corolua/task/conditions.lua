--- The conditions that tasks wait for: functions that are called after every
--- event, and must not wait themselves.

local limit = require("corolua.limit")

local conditions = {}

local list, count = {}, 0
local asking = false

--- Calls a condition with waiting forbidden.
---@param condition function
---@param co thread? of the task it is called for, where that does not run
---@return table # packed, as pcall gives it
function conditions.ask(condition, co)
  asking = true
  local result
  if co then
    result = table.pack(limit.within(co, condition))
  else
    result = table.pack(pcall(condition))
  end
  asking = false
  return result
end

--- Whether a condition is being called.
---@return boolean
function conditions.is_asking() return asking end

--- Has the condition called until the task is no longer in this wait.
---@param task corolua.Task
---@param id integer of the wait
---@param condition function
function conditions.add(task, id, condition)
  count = count + 1
  list[count] = { task = task, id = id, condition = condition }
end

--- Calls all conditions; those that hold, or raise, end their wait.
---@param wake fun(task: corolua.Task, id: integer, result: table)
function conditions.check(wake)
  local i = 1
  while i <= count do
    local entry = list[i]
    if entry.task.waiting ~= entry.id then
      list[i] = list[count]
      list[count] = nil
      count = count - 1
    else
      local result = conditions.ask(entry.condition, entry.task.co)
      if not result[1] or result[2] then wake(entry.task, entry.id, result) end
      i = i + 1
    end
  end
end

return conditions
