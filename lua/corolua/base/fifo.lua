--- Queues: what came first goes first. Adding and taking cost the same however
--- many values wait.

---@class corolua.Fifo its values are its array, from `first` to `last`
---@field private first integer
---@field private last integer
local methods = {}
local fifo_mt = { __name = "corolua.fifo", __index = methods }

local fifo = {}

--- A queue with nothing in it.
---@return corolua.Fifo
function fifo.new() return setmetatable({ first = 1, last = 0 }, fifo_mt) end

--- Puts a value at the end.
---@param value any not nil
function methods:add(value)
  local last = self.last + 1
  self.last, self[last] = last, value
end

--- The value that is next, which stays.
---@return any # nil where nothing waits
function methods:peek() return self[self.first] end

--- Takes the value that is next.
---@return any # nil where nothing waits
function methods:take()
  local first = self.first
  local value = self[first]
  if value ~= nil then self.first, self[first] = first + 1, nil end
  return value
end

--- How many values wait.
---@return integer
function methods:count() return self.last - self.first + 1 end

return fifo
