--- What is put off to the end of a turn of the scheduler.

local turn_ends = {}

local list = {}

--- Has the function called once, at the end of this turn. It must not wait.
---@param fn function
function turn_ends.add(fn) list[#list + 1] = fn end

--- The turn ends: all of it is done once, in order; then what that has put off.
function turn_ends.finish()
  while list[1] do
    local now = list
    list = {}
    for i = 1, #now do now[i]() end
  end
end

return turn_ends
