--- What a connection of a group has accepted and not read back yet, in the
--- order of sending: first what is on its way, then what the library would not
--- take yet. Both count against the window, which is what bounds the daemon's
--- memory. It begins and ends with its connection: `open` comes once, and what
--- `abandon` returns was never told of elsewhere.

local deadlines = require("corolua.task.deadlines")
local fifo = require("corolua.base.fifo")
local scheduler = require("corolua.task.scheduler")

-- Its fields are written here and, for packed groups, in corolua.group.packed.
---@class corolua.group.Window
---@field size integer messages
---@field bytes integer of the messages in it
---@field handle userdata|false of corosync.cpg; false before `open` and after `stop`
---@field on_empty fun()|false called when the last message has come back
local methods = {}

-- What a window of plain messages has beside, or in place of, the methods of all.
local plain = {}
local window_mt = { __name = "corolua.group.window", __index = plain }

local window = {}

-- However many messages may be on their way, no more than this many bytes.
local BYTES_MAX = 8 * 1024 * 1024

-- The library cannot say when it will take a message again.
local RETRY = 0.002

--- The methods, for windows that hold something else than messages.
window.methods = methods

local FULL = "the send window is full"

--- Fills in the fields of a window.
---@param self table
---@param size integer
---@param refused fun(): string?, string? why nothing may be sent now: message and code
---@return table self
function window.init(self, size, refused)
  self.size, self.bytes, self.refused = size, 0, refused
  self.payloads, self.first, self.last = {}, 1, 0
  self.unsent = 1 -- index of the first that has not left
  self.waiters = fifo.new()
  self.has_waiters = false -- there are some, of whom none may wait any more
  self.deadlines = false -- of those who wait; made for the first of them
  self.handle, self.multicast, self.timer, self.on_empty = false, false, false, false
  return self
end

---@param size integer
---@param refused fun(): string?, string?
---@return corolua.group.Window
function window.new(size, refused)
  return window.init(setmetatable({}, window_mt), size, refused)
end

--- Messages go out by this handle from here on.
---@param handle userdata of corosync.cpg
function methods:open(handle)
  self.handle, self.multicast = handle, handle.mcast_joined
end

--- Whether so many bytes more fit in. One message always does.
---@param length integer
---@return boolean
function methods:has_room(length)
  local count = self.last - self.first + 1
  return count < self.size and (count == 0 or self.bytes + length <= BYTES_MAX)
end

local flush

local function retry_later(self)
  if self.timer then return end
  self.timer = scheduler.timer(RETRY, function()
    self.timer = false
    flush(self)
  end)
end

-- What the library takes now goes out, in order; false while it takes nothing.
flush = function(self)
  while self.unsent <= self.last do
    local ok, _, code = self.handle:mcast_joined(self.payloads[self.unsent])
    if not ok then
      if code == "ERR_TRY_AGAIN" then retry_later(self) end
      return
    end
    self.unsent = self.unsent + 1
  end
end

--- Adds at the end what there is room for, and sends it if all before it has
--- left. What the library refuses stays in, as not sent; all does after `stop`.
---@param payload string
---@return true|nil sent, string? message, string? code
function methods:push(payload)
  local last = self.last
  local ok, message, code
  if self.unsent > last and self.handle then
    ok, message, code = self.handle:mcast_joined(payload)
  end
  self.last = last + 1
  self.payloads[last + 1] = payload
  self.bytes = self.bytes + #payload
  if ok then
    self.unsent = last + 2
  elseif self.handle and (not code or code == "ERR_TRY_AGAIN") then
    retry_later(self)
  end
  return ok, message, code
end

-- The last one goes out of the window again.
local function take_back(self)
  self.bytes = self.bytes - #self.payloads[self.last]
  self.payloads[self.last] = nil
  self.last = self.last - 1
end

--- Takes a message if there is room for it.
---@param payload string
---@return true? accepted, string? message, string? code "ERR_TRY_AGAIN" if full
function methods:accept(payload)
  if not self:has_room(#payload) then return nil, FULL, "ERR_TRY_AGAIN" end
  local ok, message, code = self:push(payload)
  if ok or not code or code == "ERR_TRY_AGAIN" then return true end
  take_back(self)
  return nil, message, code
end

--- Sends a message if nobody waits and there is room for it.
---@param payload string
---@return true? accepted, string? message, string? code "ERR_TRY_AGAIN" if full
function methods:offer(payload)
  if self.has_waiters then return nil, FULL, "ERR_TRY_AGAIN" end
  return self:accept(payload)
end

--- The same for a window of plain messages, with the usual case, in which all
--- before it has left, in one piece: it is the path of every message.
---@param payload string
---@return true? accepted, string? message, string? code
function plain:offer(payload)
  local last, bytes, handle = self.last, self.bytes + #payload, self.handle
  if handle and not self.has_waiters and self.unsent > last
    and last - self.first + 1 < self.size and bytes <= BYTES_MAX
    and self.multicast(handle, payload) then
    last = last + 1
    self.last, self.unsent, self.bytes = last, last + 1, bytes
    self.payloads[last] = payload
    return true
  end
  return methods.offer(self, payload)
end

-- The first who still waits: some gave up, and some tasks were closed.
local function next_waiter(self)
  local waiters = self.waiters
  local waiter = waiters:peek()
  while waiter and (not waiter.task or waiter.task:is_done()) do
    self.deadlines:remove(waiter)
    waiters:take()
    waiter = waiters:peek()
  end
  self.has_waiters = waiter ~= nil
  return waiter
end

-- Ends the wait of a sender with what its send returns. That stands beside the
-- sender, who may have been woken for another reason and not have run yet.
local function answer(self, waiter, ok, message, code)
  local task = waiter.task
  waiter.task = false
  waiter.ok, waiter.message, waiter.code = ok, message, code
  self.deadlines:remove(waiter)
  scheduler.unpark(task, true)
end

-- What a sender that waits is told now; "ERR_TRY_AGAIN" if it has to wait on.
local function attempt(self, payload)
  local message, code = self.refused()
  if message then return nil, message, code end
  return self:accept(payload)
end

--- Those who wait go on as far as there is room.
function methods:serve()
  local waiter = next_waiter(self)
  while waiter do
    local ok, message, code = attempt(self, waiter.payload)
    if code == "ERR_TRY_AGAIN" then return end
    self.waiters:take()
    answer(self, waiter, ok, message, code)
    waiter = next_waiter(self)
  end
end

-- Who has waited too long is told; those behind may fit in now.
local function expire(self, waiter)
  if waiter.task then answer(self, waiter, nil, "the send window stayed full", "ERR_TIMEOUT") end
  self:serve()
end

--- Sends a message as soon as it is its turn, for which the task waits.
---@param payload string
---@param timeout number in seconds
---@return true? accepted, string? message, string? code
function methods:wait_and_offer(payload, timeout)
  local waiter = {
    payload = payload, task = scheduler.current(), place = false,
    ok = nil, message = nil, code = nil,
  }
  self.waiters:add(waiter)
  self.has_waiters = true
  self.deadlines = self.deadlines or deadlines.new(function(late) expire(self, late) end)
  self.deadlines:add(waiter, scheduler.now() + timeout)
  local _, message, code = scheduler.park()
  if waiter.ok then return true end
  if not waiter.task then return nil, waiter.message, waiter.code end
  waiter.task = false -- the program stops
  self.deadlines:remove(waiter)
  self:serve()
  return nil, message, code
end

--- So many messages, the first that were sent, have been read back.
---@param count integer
function methods:confirm(count)
  local first = self.first
  local stop = math.min(first + count - 1, self.last)
  if stop < first then return end
  local payloads, bytes = self.payloads, self.bytes
  for i = first, stop do
    bytes = bytes - #payloads[i]
    payloads[i] = nil
  end
  self.bytes = bytes
  if stop == self.last then
    self.first, self.last, self.unsent = 1, 0, 1
    if self.on_empty then self.on_empty() end
  else
    self.first = stop + 1
  end
  if self.has_waiters then self:serve() end
end

---@return integer
function methods:count() return self.last - self.first + 1 end

--- Has a function called when the last message has come back.
---@param fn fun()
function methods:when_empty(fn) self.on_empty = fn end

--- How many senders wait.
---@return integer
function methods:waiting()
  local count = 0
  for i = self.waiters.first, self.waiters.last do
    local task = self.waiters[i].task
    if task and not task:is_done() then count = count + 1 end
  end
  return count
end

--- Nothing may be sent now, and nobody needs to wait.
---@param message string
---@param code string
function methods:refuse(message, code)
  local waiter = next_waiter(self)
  while waiter do
    self.waiters:take()
    answer(self, waiter, nil, message, code)
    waiter = next_waiter(self)
  end
end

--- Nothing goes out any more: the handle is closed, or is about to be.
function methods:stop()
  if self.timer then self.timer:cancel() end
  self.timer, self.handle = false, false
end

--- Empties the window, and returns what was in it, in order.
---@return { payload: string, sent: boolean }[]
function methods:abandon()
  local list = {}
  for i = self.first, self.last do
    list[#list + 1] = { payload = self.payloads[i], sent = i < self.unsent }
  end
  self.payloads, self.first, self.last, self.unsent, self.bytes = {}, 1, 0, 1, 0
  self:stop()
  return list
end

for name, method in pairs(methods) do plain[name] = plain[name] or method end

return window
