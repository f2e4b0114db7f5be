-- Finalizers that run at nearly every allocation, for what must hold whatever a
-- script's `__gc` does.

local storm = {}

local function litter(fn, count)
  local metatable = { __gc = fn }
  for _ = 1, count do setmetatable({}, metatable) end
end

--- Calls `body` while `count` objects await finalization, each of which calls
--- `fn`: the collector stands at its finalizers, and goes on by ten of them at
--- each allocation.
---@param count integer
---@param fn fun()
---@param body fun()
---@return integer ran how many finalizers the body ran
function storm.during(count, fn, body)
  local ran = 0
  local function finalize()
    ran = ran + 1
    pcall(fn)
  end
  collectgarbage()
  local before = { collectgarbage("incremental", 100, 4, 1) }
  litter(function() ran = ran + 1 end, 10) -- the first to be finalized are the last made
  local warm = ran
  litter(finalize, count)
  litter(function() ran = ran + 1 end, 10)
  repeat collectgarbage("step", 0) until ran > warm
  local started = ran
  body()
  local during = ran - started
  collectgarbage(table.unpack(before))
  collectgarbage()
  return during
end

return storm
