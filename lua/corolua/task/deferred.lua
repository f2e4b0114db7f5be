--- What is put off to the end of a turn of the scheduler.

local deferred = {}

local list = {}

--- Has the function called once, at the end of this turn. It must not wait.
---@param fn function
function deferred.add(fn) list[#list + 1] = fn end

--- The turn ends: all of it is done once, in order; then what that has put off.
function deferred.finish()
  while list[1] do
    local now = list
    list = {}
    for i = 1, #now do now[i]() end
  end
end

return deferred
