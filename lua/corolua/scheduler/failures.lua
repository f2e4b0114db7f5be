--- What is to be told of the tasks that raised, once the program has ended.

local describe = require("corolua.describe")

local failures = {}

local list = {}

function failures.clear() list = {} end

local function sentence_of(message) return message:match("^[^\n]*") end

-- One error may end several tasks, one after the other.
local function is_told(message)
  local sentence = sentence_of(message)
  for _, earlier in ipairs(list) do
    local told = sentence_of(earlier)
    if told ~= "" and sentence:find(told, 1, true) then return true end
    if sentence ~= "" and told:find(sentence, 1, true) then return true end
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
---@param tasks table<corolua.Task, boolean>
---@param count integer
function failures.add_stuck(tasks, count)
  local text = count == 1 and "a task waits" or count .. " tasks wait"
  text = "deadlock: " .. text .. " and nothing is left to wake it"
  failures.add(debug.traceback(next(tasks).co, text))
end

--- All there are, or nil.
---@return string?
function failures.text()
  if not list[1] then return nil end
  local trim = require("corolua.traceback").trim
  return trim(table.concat(list, "\nthen, as the program ended:\n"))
end

--- The problem with the traceback of the task, to be called where it is raised
--- by the handler of its xpcall.
---@param problem any
---@return string
function failures.trace(problem)
  return (debug.traceback(describe(problem), 3))
end

return failures
