--- Events that no handler took, until somebody asks for them: the latest 1,024
--- of each kind. What falls out is counted.

---@class corolua.group.Backlog
---@field dropped integer
local methods = {}
local backlog_mt = { __name = "corolua.group.backlog", __index = methods }

local backlog = {}

local ROOM = 1024

---@param kinds string[]
---@return corolua.group.Backlog
function backlog.new(kinds)
  local self = { rings = {}, number = 0, dropped = 0, waiters = {} }
  for _, kind in ipairs(kinds) do self.rings[kind] = { first = 1, last = 0, kind = kind } end
  return setmetatable(self, backlog_mt)
end

local function wake(self, kind)
  for i, waiter in ipairs(self.waiters) do
    if not waiter.kind or waiter.kind == kind then
      table.remove(self.waiters, i)
      waiter.resume(true)
      return
    end
  end
end

--- Keeps an event with its up to three arguments.
---@param kind string
function methods:add(kind, a, b, c)
  local ring = self.rings[kind]
  self.number = self.number + 1
  ring.last = ring.last + 1
  local slot = ring.last % ROOM * 4
  if ring.last - ring.first >= ROOM then
    ring.first = ring.first + 1
    self.dropped = self.dropped + 1
  end
  ring[slot], ring[slot + 1], ring[slot + 2], ring[slot + 3] = self.number, a, b, c
  if self.waiters[1] then wake(self, kind) end
end

local function oldest(self)
  local found, number
  for _, ring in pairs(self.rings) do
    if ring.first <= ring.last then
      local this = ring[ring.first % ROOM * 4]
      if not number or this < number then found, number = ring, this end
    end
  end
  return found
end

--- Takes the oldest event of a kind, or of all kinds.
---@param kind string?
---@return string? kind, any a, any b, any c
function methods:take(kind)
  local ring = kind and self.rings[kind] or not kind and oldest(self)
  if not ring or ring.first > ring.last then return nil end
  local slot = ring.first % ROOM * 4
  ring.first = ring.first + 1
  local a, b, c = ring[slot + 1], ring[slot + 2], ring[slot + 3]
  ring[slot + 1], ring[slot + 2], ring[slot + 3] = false, false, false
  return ring.kind, a, b, c
end

--- How many events are kept.
---@return integer
function methods:count()
  local count = 0
  for _, ring in pairs(self.rings) do count = count + ring.last - ring.first + 1 end
  return count
end

--- Has `resume(true)` called once an event of the kind comes, `resume(false)`
--- if there will be none. Returns what takes that back.
---@param kind string? any kind
---@param resume function
---@return function cancel
function methods:wait(kind, resume)
  local waiter = { kind = kind, resume = resume }
  table.insert(self.waiters, waiter)
  return function()
    for i, other in ipairs(self.waiters) do
      if other == waiter then table.remove(self.waiters, i) return end
    end
  end
end

--- Nobody needs to wait any more.
function methods:finish()
  local waiters = self.waiters
  self.waiters = {}
  for _, waiter in ipairs(waiters) do waiter.resume(false) end
end

return backlog
