--- What a group has accepted and not read back yet, in the order of sending:
--- first what is on its way, then what the library would not take yet. Both
--- count against the window, which is what bounds the daemon's memory.

local loop = require("corolua.loop")

---@class corolua.group.Window
---@field size integer messages
---@field bytes integer of the messages in it
local methods = {}
local window_mt = { __name = "corolua.group.window", __index = methods }

local window = {}

-- However many messages may be on their way, no more than this many bytes.
local BYTES_MAX = 8 * 1024 * 1024

-- The library cannot say when it will take a message again.
local RETRY = 0.002

---@class corolua.group.WindowHooks
---@field transmit fun(payload: string): true|nil, string?, string? hands it to the library
---@field refused fun(): string?, string? why nothing may be sent now: message and code

---@param size integer
---@param hooks corolua.group.WindowHooks
---@return corolua.group.Window
function window.new(size, hooks)
  return setmetatable({
    size = size, bytes = 0, hooks = hooks,
    payloads = {}, first = 1, last = 0,
    unsent = 1, -- index of the first that has not left
    waiters = {}, first_waiter = 1, last_waiter = 0,
  }, window_mt)
end

--- Whether a message of so many bytes may go before all others that wait.
local function has_room(self, length)
  local count = self.last - self.first + 1
  return count < self.size and (count == 0 or self.bytes + length <= BYTES_MAX)
end

local flush

local function retry_later(self)
  if self.timer then return end
  self.timer = loop.timer(RETRY, function()
    self.timer = nil
    flush(self)
  end)
end

-- What the library takes now goes out, in order; false while it takes nothing.
flush = function(self)
  while self.unsent <= self.last do
    local ok, _, code = self.hooks.transmit(self.payloads[self.unsent])
    if not ok then
      if code == "ERR_TRY_AGAIN" then retry_later(self) end
      return
    end
    self.unsent = self.unsent + 1
  end
end

local function append(self, payload)
  local last = self.last + 1
  self.last = last
  self.payloads[last] = payload
  self.bytes = self.bytes + #payload
end

-- Takes a message for which there is room.
local function accept(self, payload)
  if self.unsent <= self.last then
    append(self, payload)
    return true
  end
  local ok, message, code = self.hooks.transmit(payload)
  if not ok and code ~= "ERR_TRY_AGAIN" then return nil, message, code end
  append(self, payload)
  if ok then self.unsent = self.last + 1 else retry_later(self) end
  return true
end

--- Sends a message if nobody waits and the window has room for it.
---@param payload string
---@return true? accepted, string? message, string? code "ERR_TRY_AGAIN" if full
function methods:offer(payload)
  if self.first_waiter > self.last_waiter and has_room(self, #payload) then
    return accept(self, payload)
  end
  return nil, "the send window is full", "ERR_TRY_AGAIN"
end

local function next_waiter(self)
  while self.first_waiter <= self.last_waiter do
    local waiter = self.waiters[self.first_waiter]
    if waiter.resume then return waiter end
    self.waiters[self.first_waiter] = nil
    self.first_waiter = self.first_waiter + 1
  end
  self.first_waiter, self.last_waiter = 1, 0
  return nil
end

local function drop_first_waiter(self)
  self.waiters[self.first_waiter] = nil
  self.first_waiter = self.first_waiter + 1
end

local function serve_waiters(self)
  local waiter = next_waiter(self)
  while waiter and has_room(self, #waiter.payload) do
    drop_first_waiter(self)
    local message, code = self.hooks.refused()
    if message then waiter.resume(nil, message, code)
    else waiter.resume(accept(self, waiter.payload)) end
    waiter = next_waiter(self)
  end
end

--- Sends a message as soon as it is its turn; `resume` gets what `offer` would
--- have returned. Returns what takes that back.
---@param payload string
---@param resume function
---@return function cancel
function methods:queue(payload, resume)
  local waiter = { payload = payload, resume = resume }
  self.last_waiter = self.last_waiter + 1
  self.waiters[self.last_waiter] = waiter
  return function()
    waiter.resume = nil
    serve_waiters(self)
  end
end

--- The first message that was sent has been read back.
function methods:confirm()
  local first = self.first
  if first > self.last then return end
  local payloads = self.payloads
  self.bytes = self.bytes - #payloads[first]
  payloads[first] = nil
  if first == self.last then
    self.first, self.last, self.unsent = 1, 0, 1
  else
    self.first = first + 1
  end
  if self.first_waiter <= self.last_waiter then serve_waiters(self) end
end

---@return integer
function methods:count() return self.last - self.first + 1 end

--- How many senders wait.
---@return integer
function methods:waiting()
  local count = 0
  for i = self.first_waiter, self.last_waiter do
    if self.waiters[i].resume then count = count + 1 end
  end
  return count
end

--- All senders that wait are refused.
---@param message string
---@param code string
function methods:refuse(message, code)
  local waiter = next_waiter(self)
  while waiter do
    drop_first_waiter(self)
    waiter.resume(nil, message, code)
    waiter = next_waiter(self)
  end
end

--- Empties the window, and returns what was in it, in order.
---@return { payload: string, sent: boolean }[]
function methods:abandon()
  local list = {}
  for i = self.first, self.last do
    list[#list + 1] = { payload = self.payloads[i], sent = i < self.unsent }
  end
  self.payloads, self.first, self.last, self.unsent, self.bytes = {}, 1, 0, 1, 0
  if self.timer then self.timer:cancel() end
  self.timer = nil
  return list
end

return window
