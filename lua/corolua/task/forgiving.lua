--- Whether the program goes on after an error in a handler, a timer or a task:
--- by itself it does not, but the script may say so.

local describe = require("corolua.base.describe")

local forgiving = {}

--- `corolua.on.error`, if the script has set it. It must not wait.
---@type (fun(message: string, source: any, event: string): boolean?)|false
forgiving.handler = false

--- Adds to the message of an error that ends the program, where somebody has more
--- to say of it. It must not wait.
---@type (fun(message: string): string)|false
forgiving.explain = false

local function explained(message)
  return forgiving.explain and forgiving.explain(message) or message
end

--- Asks the script. Where it raises in answering, that error comes on top.
---@param message string with its traceback
---@param source any whose it is: a group, a service's events, a timer, a task
---@param event string whose handler raised; "timer" or "task"
---@return string? failure what ends the program; nil where it goes on
function forgiving.ask(message, source, event)
  if not forgiving.handler then return explained(message) end
  local ok, answer = pcall(forgiving.handler, message, source, event)
  if ok and answer == true then return nil end
  if ok then return explained(message) end
  return explained(("%s\nand in corolua.on.error: %s"):format(message, describe(answer)))
end

return forgiving
