--- Where the records of a journal stand in its file: one entry for each stretch
--- of 64 KiB or more, so that a long log takes little memory. Where records were
--- cut off, their numbers come again behind them: the later ones count.

local index = {}

local SPAN = 64 * 1024

---@class corolua.journal.Span
---@field first integer number of its first record
---@field offset integer
---@field stop integer where it ends

---@class corolua.journal.Index
local methods = {}
local mt = { __index = methods }

---@return corolua.journal.Index
function index.new() return setmetatable({ list = {} }, mt) end

--- A frame of records was written behind all others.
---@param first integer
---@param offset integer
---@param stop integer
function methods:add(first, offset, stop)
  local list = self.list
  local last = list[#list]
  if last and last.stop - last.offset < SPAN then
    last.stop = stop
  else
    list[#list + 1] = { first = first, offset = offset, stop = stop }
  end
end

--- The records after this one no longer count.
---@param number integer
function methods:cut(number)
  local list = self.list
  while #list > 0 and list[#list].first > number do list[#list] = nil end
end

--- The stretch that has the record, and its place in the list.
---@param number integer
---@return corolua.journal.Span? span
---@return integer place
function methods:find(number)
  local list = self.list
  local low, high = 0, #list
  while low < high do
    local middle = (low + high + 1) // 2
    if list[middle].first <= number then low = middle else high = middle - 1 end
  end
  return list[low], low
end

return index
