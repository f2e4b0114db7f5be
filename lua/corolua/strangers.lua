--- What a service makes of messages that it cannot take: they change nothing, and
--- are counted and told as `malformed`.

local strangers = {}

---@class corolua.Strangers
---@field count integer messages so far
local methods = {}
local strangers_mt = { __index = methods }

-- Bytes that wait for a handler which is slow. What comes beyond is counted alone.
local MAX, OVERHEAD = 1 << 20, 256

---@param events corolua.Events which have `malformed`
---@return corolua.Strangers
function strangers.new(events)
  return setmetatable({ events = events, count = 0, bytes = 0 }, strangers_mt)
end

--- A message that cannot be taken.
---@param bytes string
---@param from userdata
---@param why string
function methods:tell(bytes, from, why)
  local events = self.events
  self.count = self.count + 1
  if not events.set.malformed then return end
  if events.first > events.last then self.bytes = 0 end
  local size = #bytes + OVERHEAD
  if self.bytes > 0 and self.bytes + size > MAX then return end
  self.bytes = self.bytes + size
  events:tell("malformed", bytes, from, why)
end

return strangers
