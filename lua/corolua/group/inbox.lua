--- What a connection of a group has read and the group not yet handled, in
--- order: two arrays, so that a message costs no table. Beside a message stands
--- its sender; beside anything else stands the name of its kind.

---@class corolua.group.Held
---@field values any[] payloads, and what other events tell
---@field senders any[] senders, and kinds
---@field first integer
---@field last integer
---@field bytes integer what it holds, roughly
local methods = {}
local held_mt = { __name = "corolua.group.inbox", __index = methods }

local inbox = {}

--- What a message takes beside its bytes. `corolua.group.handling` takes events
--- out, and what messages take off `bytes`.
inbox.OVERHEAD = 64
local OVERHEAD = inbox.OVERHEAD

---@return corolua.group.Held
function inbox.new()
  return setmetatable({ values = {}, senders = {}, first = 1, last = 0, bytes = 0 }, held_mt)
end

--- Adds a message at the end.
---@param payload string
---@param from corosync.Member
function methods:message(payload, from)
  local last = self.last + 1
  self.last = last
  self.values[last] = payload
  self.senders[last] = from
  self.bytes = self.bytes + #payload + OVERHEAD
end

--- Adds another event at the end.
---@param kind string
---@param value any
function methods:add(kind, value)
  local last = self.last + 1
  self.last = last
  self.values[last] = value
  self.senders[last] = kind
end

--- Drops all there is: how many messages and other events that were. The arrays
--- stay the same ones, as who reads into them holds on to them.
---@return integer
function methods:drop()
  local count = self.last - self.first + 1
  for i = self.first, self.last do self.values[i], self.senders[i] = nil, nil end
  self.first, self.last, self.bytes = 1, 0, 0
  return count
end

---@return boolean
function methods:is_empty() return self.first > self.last end

---@return integer
function methods:count() return self.last - self.first + 1 end

return inbox
