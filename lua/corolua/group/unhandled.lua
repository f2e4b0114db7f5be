--- Events that no handler took, until somebody asks for them: the latest 1,024
--- of each kind, and of payloads no more than 4 MiB unless the latest event
--- alone has more. What falls out is counted.

local lists = require("corolua.base.lists")

---@class corolua.group.Unhandled
---@field dropped integer events that fell out, or that a new join left behind
---@field bytes integer of the payloads that are kept
---@field private rings table<string, table> by kind: first, last, and five values an event
---@field private number integer of the latest event of all kinds
---@field private waiters table[] in the order they came
local methods = {}
local unhandled_mt = { __name = "corolua.group.unhandled", __index = methods }

local unhandled = {}

local ROOM = 1024
local BYTES_MAX = 4 * 1024 * 1024

---@param kinds string[]
---@return corolua.group.Unhandled
function unhandled.new(kinds)
  local self = { rings = {}, kinds = kinds, number = 0, dropped = 0, bytes = 0, waiters = {} }
  for _, kind in ipairs(kinds) do
    self.rings[kind] = { first = 1, last = 0, bytes = 0, kind = kind }
  end
  return setmetatable(self, unhandled_mt)
end

-- Wakes one who waits for the kind. Whose wait is over by now cannot be woken,
-- and the next one is.
local function wake(self, kind)
  local i = 1
  while self.waiters[i] do
    local waiter = self.waiters[i]
    if waiter.kind and waiter.kind ~= kind then
      i = i + 1
    else
      table.remove(self.waiters, i)
      if waiter.resume(true) then return end
    end
  end
end

-- Takes the oldest event of a ring out: its slot, and where that begins.
local function take_first(self, ring)
  local slot = ring.first % ROOM * 5
  local number, a, b, c, size = ring[slot], ring[slot + 1], ring[slot + 2], ring[slot + 3],
    ring[slot + 4]
  ring[slot + 1], ring[slot + 2], ring[slot + 3] = false, false, false
  ring.first = ring.first + 1
  ring.bytes, self.bytes = ring.bytes - size, self.bytes - size
  return number, a, b, c
end

-- The ring whose first event is the oldest, of those the function takes.
local function oldest(self, is_wanted)
  local found, number
  for _, kind in ipairs(self.kinds) do
    local ring = self.rings[kind]
    if ring.first <= ring.last and is_wanted(ring) then
      local this = ring[ring.first % ROOM * 5]
      if not number or this < number then found, number = ring, this end
    end
  end
  return found
end

local function is_any() return true end
local function has_bytes(ring) return ring.bytes > 0 end

local function drop(self, ring)
  take_first(self, ring)
  self.dropped = self.dropped + 1
end

--- Keeps an event with its up to three arguments.
---@param kind string
---@param a any
---@param b any
---@param c any
---@param size integer bytes of its payload
function methods:add(kind, a, b, c, size)
  local ring = self.rings[kind]
  if ring.last - ring.first >= ROOM - 1 then drop(self, ring) end
  while self.bytes > 0 and self.bytes + size > BYTES_MAX do drop(self, oldest(self, has_bytes)) end
  self.number = self.number + 1
  ring.last = ring.last + 1
  ring.bytes, self.bytes = ring.bytes + size, self.bytes + size
  local slot = ring.last % ROOM * 5
  ring[slot], ring[slot + 1], ring[slot + 2], ring[slot + 3], ring[slot + 4] =
    self.number, a, b, c, size
  if self.waiters[1] then wake(self, kind) end
end

--- Takes the oldest event of a kind, or of all kinds.
---@param kind string?
---@return string? kind, any a, any b, any c
function methods:take(kind)
  local ring = kind and self.rings[kind] or not kind and oldest(self, is_any)
  if not ring or ring.first > ring.last then return nil end
  local _, a, b, c = take_first(self, ring)
  return ring.kind, a, b, c
end

--- Events are dropped before they could be kept.
---@param count integer
function methods:count_dropped(count) self.dropped = self.dropped + count end

--- How many events are kept.
---@return integer
function methods:count()
  local count = 0
  for _, kind in ipairs(self.kinds) do
    local ring = self.rings[kind]
    count = count + ring.last - ring.first + 1
  end
  return count
end

--- Has `resume(true)` called once an event of the kind comes, `resume(false)`
--- if there will be none. Returns what takes that back.
---@param kind string? any kind
---@param resume fun(came: boolean): boolean false if nobody waits there any more
---@return function cancel
function methods:wait(kind, resume)
  local waiter = { kind = kind, resume = resume }
  table.insert(self.waiters, waiter)
  return function() lists.remove(self.waiters, waiter) end
end

--- Nobody needs to wait any more.
function methods:finish()
  local waiters = self.waiters
  self.waiters = {}
  for _, waiter in ipairs(waiters) do waiter.resume(false) end
end

--- What nobody took is dropped, and who waits is told that nothing comes.
function methods:clear()
  self:finish()
  for _, kind in ipairs(self.kinds) do
    local ring = self.rings[kind]
    while ring.first <= ring.last do drop(self, ring) end
  end
end

return unhandled
