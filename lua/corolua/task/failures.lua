--- What is to be told of the tasks that raised, once the program has ended.

local describe = require("corolua.base.describe")
local limit = require("corolua.limit")

local failures = {}

local list = {}
local pending = {} -- the tasks whose errors are about to be raised by others

function failures.clear() list, pending = {}, {} end

local function sentence_of(message) return message:match("^[^\n]*") end

-- Whether one sentence is the other one, or that with words before it.
local function repeats(sentence, other)
  return sentence == other or sentence:sub(-#other - 2) == ": " .. other
end

-- One error may end several tasks, one after the other.
local function is_told(message)
  local sentence = sentence_of(message)
  for _, earlier in ipairs(list) do
    local told = sentence_of(earlier)
    if repeats(sentence, told) or repeats(told, sentence) then return true end
  end
  return false
end

--- Adds one; the first is the reason of the end, later ones come on top. What has
--- been told already is not told again.
---@param message string with its traceback
function failures.add(message)
  if not is_told(message) then list[#list + 1] = message end
end

--- Adds that tasks wait for what nothing can wake.
---@param tasks corolua.Task[]
function failures.add_stuck(tasks)
  local text = #tasks == 1 and "a task waits" or #tasks .. " tasks wait"
  text = "deadlock: " .. text .. " and nothing is left to wake it"
  failures.add(debug.traceback(tasks[1].co, text))
end

--- The error of a task is going to be raised by one that waits for it.
---@param task corolua.Task
function failures.hand_on(task) pending[#pending + 1] = task end

--- It is.
---@param task corolua.Task
function failures.take_over(task)
  for i = #pending, 1, -1 do
    if pending[i] == task then table.remove(pending, i) end
  end
end

--- Adds the errors of tasks that were waited for by one that was closed before
--- it could raise them; to be called when no task is left.
function failures.add_pending()
  for _, task in ipairs(pending) do failures.add(task.trace) end
  pending = {}
end

--- All there are, or nil.
---@return string?
function failures.text()
  if not list[1] then return nil end
  local trim = require("corolua.base.traceback").trim
  return trim(table.concat(list, "\nthen, as the program ended:\n"))
end

--- Says something of the end that is no failure.
---@param text string
function failures.complain(text) io.stderr:write("corolua: ", text, "\n") end

--- Where a task is: in the script, or if it is in none of its functions, in ours.
---@param co thread
---@return string
function failures.place_of(co)
  local level, ours = 0, nil
  while true do
    local info = debug.getinfo(co, level, "Sl")
    if not info then return ours or "its beginning" end
    if info.what ~= "C" then
      local place = ("%s:%d"):format(info.short_src, info.currentline)
      if not limit.is_own(info.source) then return place end
      ours = ours or place
    end
    level = level + 1
  end
end

--- The problem with the traceback of the task, to be called where it is raised
--- by the handler of its xpcall.
---@param problem any
---@return string
function failures.trace(problem)
  return (debug.traceback(describe(problem), 3))
end

return failures
