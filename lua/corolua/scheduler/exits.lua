--- The work for the end of the program, the last given first.

local exits = {}

--- What `exit` raises where it cannot yield.
exits.RAISED = setmetatable({}, {
  __name = "corolua.exit",
  __tostring = function() return "os.exit was called" end,
})

local list = {}

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
---@return corolua.AtExit
function exits.add(fn)
  local handle = setmetatable({ fn = fn }, exit_mt)
  list[#list + 1] = handle
  return handle
end

--- The function that comes next, or nil.
---@return function?
function exits.take()
  local handle = table.remove(list)
  return handle and handle.fn
end

return exits
