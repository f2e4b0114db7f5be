--- The work for the end of the program. What others rest on has a higher rank
--- and waits for them; within a rank all is begun at once, the last given first.

local at_exit = {}

--- What `exit` raises where it cannot yield.
at_exit.RAISED = setmetatable({}, {
  __name = "corolua.exit",
  __tostring = function() return "os.exit was called" end,
})

local list = {}
local rank -- that is being done

---@class corolua.AtExit
local exit_methods = {}
local exit_mt = { __name = "corolua.at_exit", __index = exit_methods }

--- The function is not called any more; may be repeated.
function exit_methods:cancel()
  for i, handle in ipairs(list) do
    if handle == self then return table.remove(list, i) and nil end
  end
end

---@param fn function
---@param its_rank integer
---@return corolua.AtExit
function at_exit.add(fn, its_rank)
  local handle = setmetatable({ fn = fn, rank = its_rank }, exit_mt)
  list[#list + 1] = handle
  return handle
end

--- The rank that comes next, or nil.
---@return integer?
function at_exit.next_rank()
  rank = nil
  for _, handle in ipairs(list) do rank = math.min(rank or handle.rank, handle.rank) end
  return rank
end

--- The next function of that rank, or nil.
---@return function?
function at_exit.take()
  for i = #list, 1, -1 do
    if list[i].rank == rank then return table.remove(list, i).fn end
  end
end

return at_exit
