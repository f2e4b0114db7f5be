--- Performs the calls of others: each in a task, begun in the order of the
--- calls. Tasks that are done wait for the next call, as starting one costs
--- more than waiting.

local condition = require("corolua.task.condition")
local describe = require("corolua.base.describe")
local fifo = require("corolua.base.fifo")
local group = require("corolua.group")
local limit = require("corolua.limit")
local names = require("corolua.base.names")
local scheduler = require("corolua.task.scheduler")
local values = require("corolua.rpc.values")
local wire = require("corolua.rpc.wire")

---@class corolua.rpc.Request
---@field method string
---@field value string? the arguments
---@field from userdata
---@field nonce integer
---@field number integer
---@field bytes integer

---@class corolua.rpc.Server
---@field running integer calls that are performed, or whose replies wait
---@field performed integer
---@field raised integer methods that raised
---@field refused integer calls that were not performed
---@field unsent integer replies that could not be sent
local methods = {}
local server_mt = { __index = methods }

local server = {}

-- Arguments of the calls that are performed at a time.
local BYTES_MAX = 64 * 1024 * 1024

-- So many calls are taken before those taken have their turn.
local FRESH_MAX = 64
local IDLE_MAX = 64

-- Texts of errors are for people.
local TEXT_MAX = 8192

---@param service table
---@param fns table<string, function>
---@param running_max integer
---@param deliver fun(bytes: string) takes a reply to a call of our own
---@return corolua.rpc.Server
function server.new(service, fns, running_max, deliver)
  return setmetatable({
    service = service, room = service.group, codec = service.codec, fns = fns,
    running_max = running_max, deliver = deliver, running = 0, bytes = 0,
    queue = fifo.new(), early = {}, idle = {}, stalled = condition.new(),
    performed = 0, raised = 0, refused = 0, unsent = 0,
  }, server_mt)
end

-- Waits until there is quorum again, or no point in waiting.
local function wait_for_quorum(self) return (self.stalled:wait()) end

-- Whether a reply that was refused may be sent later, for which it waits. Who
-- reads must not wait for quorum, of which nobody else would tell it.
local function may_retry(self, code)
  if code ~= "ERR_NOT_QUORATE" then return code == "ERR_TRY_AGAIN" or code == "ERR_TIMEOUT" end
  return not group.is_inside(self.room) and wait_for_quorum(self)
end

-- Sends a reply, as soon as that is possible. Where the connection is gone, we
-- have left for the caller, and it does not wait for us any more.
local function send(self, request, bytes)
  local room = self.room
  if request.from == room.me then return self.deliver(bytes) end
  local ok, _, code = room:try_send(bytes)
  while not ok and may_retry(self, code) do ok, _, code = room:send(bytes) end
  if not ok then self.unsent = self.unsent + 1 end
end

local function send_error(self, request, code, text)
  if #text > TEXT_MAX then text = text:sub(1, TEXT_MAX) .. " …" end
  send(self, request, wire.error(request.nonce, request.number, request.from, code, text))
end

-- The bytes of a result, or what is wrong with it.
local function encode_result(self, request, result)
  local value, why = values.encode(self.codec, result)
  local name = request.method
  if why then return nil, ("the result of '%s'%s"):format(name, why) end
  local bytes = wire.result(request.nonce, request.number, request.from, value)
  if #bytes <= self.room.longest then return bytes end
  return nil, ("the result of '%s' has %d bytes, over the limit of %d bytes"):format(name,
    #value, self.room.longest - wire.HEADER_SIZE - 1)
end

-- Called where the error is raised, before its stack is gone.
local function note(problem)
  local text = describe(problem)
  return { text = text, trace = debug.traceback(text, 2) }
end

local function unknown(self, name)
  return ("unknown method '%s'%s"):format(name, names.hint(name, self.fns))
end

-- The reply, or why there is none. All of it is under the limit of handlers.
local function run(self, request, fn)
  local arguments, why = values.decode(self.codec, request.value)
  if why then return nil, "the arguments cannot be read: " .. why end
  local result = fn(arguments, request.from)
  self.performed = self.performed + 1
  return encode_result(self, request, result)
end

local function call(self, request, fn)
  local ok, reply, why = limit.pcall(note, run, self, request, fn)
  if ok then return reply, why end
  self.raised = self.raised + 1
  local trace = reply.trace
  self.service.events:offer(#trace, "raised", request.method, request.from, trace)
  return nil, reply.text
end

local function perform(self, request)
  limit.next()
  local fn = self.fns[request.method]
  local reply, why
  if request.refusal then
    send_error(self, request, request.refusal, request.why)
  elseif not fn then
    send_error(self, request, "ERR_NO_METHOD", unknown(self, request.method))
  else
    reply, why = call(self, request, fn)
    if reply then send(self, request, reply) else send_error(self, request, "ERR_REMOTE", why) end
  end
  self.running, self.bytes = self.running - 1, self.bytes - request.bytes
end

local function work(self)
  repeat
    perform(self, self.queue:take())
    local idle = self.idle
    if #idle >= IDLE_MAX or self.is_over then return end
    idle[#idle + 1] = scheduler.current()
  until not scheduler.park()
end

-- Each call has a task, and these begin in one order with the calls.
local function begin(self, request)
  local idle = self.idle
  local task = idle[#idle]
  idle[#idle] = nil
  self.queue:add(request)
  if task and scheduler.unpark(task, true) then return end
  scheduler.spawn(work, self).resume = limit.resume
end

local function is_full(self, length)
  return self.running >= self.running_max
    or self.running > 0 and self.bytes + length > BYTES_MAX
end

-- There is no task for this call: its caller is told by whoever reads, who
-- waits for that, and so lets no more come.
local function refuse(self, request)
  self.refused = self.refused + 1
  send_error(self, request, "ERR_OVERLOAD",
    ("the member is overloaded: %d calls run"):format(self.running))
end

--- Takes a call that is for us.
---@param request corolua.rpc.Request
function methods:take(request)
  if is_full(self, request.bytes) then return refuse(self, request) end
  self.running, self.bytes = self.running + 1, self.bytes + request.bytes
  if self.early then
    self.early[#self.early + 1] = request
    return
  end
  begin(self, request)
  if self.queue:count() >= FRESH_MAX then scheduler.sleep(0) end
end

--- Tells the caller that its call is not performed.
---@param request corolua.rpc.Request
---@param code string
---@param why string
function methods:refuse(request, code, why)
  self.refused = self.refused + 1
  request.refusal, request.why = code, why
  self:take(request)
end

--- Calls are performed from now on, not before the calling task waits again.
function methods:begin()
  local early = self.early
  self.early = nil
  for _, request in ipairs(early) do begin(self, request) end
end

--- Replies that wait for quorum are tried again.
function methods:go_on() self.stalled:notify() end

--- No more is to come: tasks without a call end.
function methods:finish()
  self.is_over = true
  for _, task in ipairs(self.idle) do scheduler.unpark(task, false) end
  self.idle = {}
  self:go_on()
end

return server
