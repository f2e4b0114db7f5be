--- Errors in handlers, timers and tasks: whether the program goes on after one, which
--- by itself it does not, but the script may say so; and what is to be told of those
--- that ended it, once it has ended.

local describe = require("corolua.base.describe")
local limit = require("corolua.limit")

local failures = {}

--- `corolua.on.error`, if the script has set it. It must not wait.
---@type (fun(message: string, source: any, event: string): boolean?)|false
failures.handler = false

--- Adds to the message of an error that ends the program, where somebody has more
--- to say of it. It must not wait.
---@type (fun(message: string): string)|false
failures.explain = false

local function explained(message)
  return failures.explain and failures.explain(message) or message
end

--- Asks the script. Where it raises in answering, that error comes on top.
---@param message string with its traceback
---@param source any whose it is: a group, a service's events, a timer, a task
---@param event string whose handler raised; "timer" or "task"
---@return string? failure what ends the program; nil where it goes on
function failures.ask(message, source, event)
  if not failures.handler then return explained(message) end
  local ok, answer = pcall(failures.handler, message, source, event)
  if ok and answer == true then return nil end
  if ok then return explained(message) end
  return explained(("%s\nand in corolua.on.error: %s"):format(message, describe(answer)))
end

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
