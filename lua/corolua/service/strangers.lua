--- What a service makes of messages that it cannot take: they change nothing, and
--- are counted and told as `malformed`.

local strangers = {}

---@class corolua.Strangers
---@field count integer messages so far
local methods = {}
local strangers_mt = { __index = methods }

---@param events corolua.Events which have `malformed`
---@return corolua.Strangers
function strangers.new(events)
  return setmetatable({ events = events, count = 0 }, strangers_mt)
end

--- A message that cannot be taken. What a slow handler does not come to is counted
--- alone.
---@param bytes string
---@param from corosync.Member
---@param why string
function methods:tell(bytes, from, why)
  self.count = self.count + 1
  self.events:offer(#bytes, "malformed", bytes, from, why)
end

return strangers
