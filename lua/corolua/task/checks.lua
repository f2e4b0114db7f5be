--- Checks of arguments that a function of the scheduler calls first: they raise
--- at the line of its caller.

local args = require("corolua.base.args")
local shown = require("corolua.base.shown")

local checks = {}

--- Whether it can be called.
---@param fn any
---@param name string of the function that was given it
function checks.callable(fn, name)
  if args.callable(fn) then return end
  error(("bad argument #1 to '%s' (a function was expected, got %s)")
    :format(name, shown.value(fn)), 3)
end

--- A number that is not negative.
---@param seconds any
---@param name string of the function that was given it
---@param optional boolean? nil will do
function checks.seconds(seconds, name, optional)
  if optional and seconds == nil then return end
  if type(seconds) == "number" and seconds >= 0 then return end
  error(("%s: the time must be a number of seconds, 0 or more, got %s")
    :format(name, shown.value(seconds)), 3)
end

--- Raises, at the caller of the function that waits, unless its task may.
---@param name string of the function that waits
---@param co thread? of the task that runs
---@param is_asking boolean a condition is being called
function checks.may_wait(name, co, is_asking)
  if is_asking then
    error(name .. ": a condition of corolua.wait must not wait itself", 4)
  elseif not co then
    error(name .. " waits, which only a task can: call it from corolua.spawn or corolua.run", 4)
  elseif co ~= coroutine.running() then
    error(name .. " waits, which a coroutine inside a task cannot: use corolua.spawn", 4)
  elseif not coroutine.isyieldable() then
    error(name .. " cannot wait here: Lua does not yield through require, table.sort, "
      .. "string.gsub and other functions of C that call back", 4)
  end
end

return checks
