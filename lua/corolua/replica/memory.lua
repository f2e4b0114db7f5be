--- A journal that keeps its records in memory only: all of it is gone with the
--- process. It has what a replica uses of `corolua.journal`.

local memory = {}

---@class corolua.replica.Memory
local methods = {}
local memory_mt = { __index = methods }

function memory.new()
  return setmetatable({
    base = { index = 0 }, last = 0, written = 0, list = {}, on = {},
  }, memory_mt)
end

function methods:append(bytes)
  local index = self.last + 1
  self.list[index] = bytes
  self.last, self.written = index, index
  return index
end

function methods:record(index) return self.list[index] end

function methods:records(from)
  local index = from - 1
  return function()
    index = index + 1
    local bytes = self.list[index]
    if bytes then return index, bytes end
  end
end

function methods:cut(index)
  for i = index + 1, self.last do self.list[i] = nil end
  self.last, self.written = index, index
  return true
end

function methods:replace(index, snapshot, meta)
  self.base = { index = index, snapshot = snapshot, meta = meta }
  self.list, self.last, self.written = {}, index, index
  return true
end

function methods:compact(index, snapshot, meta)
  local list = {}
  for i = index + 1, self.last do list[i] = self.list[i] end
  self.base = { index = index, snapshot = snapshot, meta = meta }
  self.list = list
  return true
end

function methods:close() self.is_closed = true end

return memory
