--- What a member says to the others, in order, without waiting: what the send
--- window has no room for goes out later.

local fifo = require("corolua.base.fifo")
local scheduler = require("corolua.task.scheduler")

---@class corolua.replica.SendQueue
---@field room corolua.Group
---@field queue corolua.Fifo
---@field is_running boolean? a task sends what waits
local methods = {}
local send_queue_mt = { __index = methods }

local send_queue = {}

---@param room corolua.Group
---@return corolua.replica.SendQueue
function send_queue.new(room)
  return setmetatable({ room = room, queue = fifo.new() }, send_queue_mt)
end

-- A window that is full for long is no reason to say less.
local function send(self, bytes)
  local sent, code, _
  repeat sent, _, code = self.room:send(bytes) until code ~= "ERR_TIMEOUT"
  return sent
end

local function run(self)
  while self.queue:peek() do
    local bytes = self.queue:take()
    if not send(self, bytes) then self:clear() end
  end
  self.is_running = false
end

--- What waits is not said any more.
function methods:clear() self.queue = fifo.new() end

---@param bytes string
function methods:post(bytes)
  if not self.is_running then
    local _, _, code = self.room:try_send(bytes)
    if code ~= "ERR_TRY_AGAIN" then return end
  end
  self.queue:add(bytes)
  if self.is_running then return end
  self.is_running = true
  scheduler.spawn(run, self)
end

return send_queue
