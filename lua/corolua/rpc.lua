--- Request and reply over a group: each member offers methods, and calls those
--- of one member, of some, or of all. Calls and replies are messages of the
--- group, so all members perform calls in one order, and the order also fixes
--- who answers a call.

local guard = require("corolua.base.guard")
local inspect = require("corolua.base.inspect")
local once = require("corolua.task.once")
local pending = require("corolua.rpc.pending")
local options = require("corolua.rpc.options")
local scheduler = require("corolua.task.scheduler")
local server = require("corolua.rpc.server")
local service = require("corolua.service")
local strangers = require("corolua.service.strangers")
local values = require("corolua.rpc.values")
local wire = require("corolua.rpc.wire")

---@class corolua.RpcHandlers
---@field members? fun(view: corolua.View)
---@field quorum? fun(state: corolua.QuorumState)
---@field raised? fun(method: string, from: corosync.Member, trace: string) a method raised
---@field malformed? fun(bytes: string, from: corosync.Member, why: string) no call and no reply
---@field down? fun(why: corolua.Down) the daemon is gone, and all calls with it
---@field up? fun() it is back

---@class corolua.Rpc
---@field group corolua.Group
---@field on corolua.RpcHandlers
local methods = {}
local rpc_mt = service.metatable("rpc", methods)

local rpc = {}

local KINDS = { "members", "quorum", "malformed", "raised", "down", "up" }

local byte, unpack = string.byte, string.unpack
local HEADER, HEADER_SIZE, VERSION = wire.HEADER, wire.HEADER_SIZE, wire.VERSION
local CALL, LIST, RESULT, ERROR = wire.CALL, wire.LIST, wire.RESULT, wire.ERROR

local function malformed(self, payload, from, why) self.strangers:tell(payload, from, why) end

-- A reply, which may be to a call of ours.
local function take_reply(self, payload, from)
  local _, kind, nonce, number, nodeid, pid, at = unpack(HEADER, payload)
  if pid ~= self.pid or nodeid ~= self.nodeid or nonce ~= self.nonce then return end
  local call = self.calls:awaiting(number, from)
  if not call then return end
  if kind == ERROR then
    local code, text = wire.read_error(payload, at)
    if not code then return malformed(self, payload, from, "the error is cut short") end
    return self.calls:answer(call, from, nil, text, code)
  end
  local is_good, bytes = wire.read_result(payload, at)
  if not is_good then return malformed(self, payload, from, "the result is not marked") end
  local value, why = values.decode(self.codec, bytes)
  if not why then return self.calls:answer(call, from, value) end
  self.calls:answer(call, from, nil, "the result cannot be read: " .. why, "ERR_REMOTE")
end

-- A call of ours has come back, which says who answers it.
local function take_echo(self, number, is_quorate)
  if is_quorate then
    self.calls:echo(number, self.group.view.members)
  else
    self.calls:refused(number, "not quorate when the call came back", "ERR_NOT_QUORATE")
  end
end

-- Performs a call that names us, or all.
local function serve(self, payload, from, at, is_quorate)
  local method, value = wire.read_call(payload, at)
  if not method then return malformed(self, payload, from, value) end
  local _, _, nonce, number = unpack(HEADER, payload)
  local request = {
    method = method, value = value, from = from, nonce = nonce, number = number, bytes = #payload,
  }
  if is_quorate then return self.server:take(request) end
  self.server:refuse(request, "ERR_NOT_QUORATE", "the member had no quorum")
end

local function take_call(self, payload, from, is_quorate)
  local _, kind, nonce, number, nodeid, pid, at = unpack(HEADER, payload)
  if from == self.me and nonce == self.nonce then take_echo(self, number, is_quorate) end
  local is_for_us = pid == self.pid and nodeid == self.nodeid or pid == 0
  if kind == LIST then
    is_for_us, at = wire.find_in_list(payload, at, self.nodeid, self.pid)
    if is_for_us == nil then return malformed(self, payload, from, at) end
  end
  if is_for_us then serve(self, payload, from, at, is_quorate) end
end

-- A message of the group. All but the header is left alone unless it is for us.
local function take(self, payload, from, is_quorate)
  if #payload < HEADER_SIZE then
    return malformed(self, payload, from, "the header is cut short")
  end
  local version, kind = byte(payload, 1, 2)
  if version ~= VERSION then
    malformed(self, payload, from, ("version %d is not known"):format(version))
  elseif kind == RESULT or kind == ERROR then
    take_reply(self, payload, from)
  elseif kind == CALL or kind == LIST then
    take_call(self, payload, from, is_quorate)
  else
    malformed(self, payload, from, ("kind %d is not known"):format(kind))
  end
end

-- Who we are may change with every connection.
local function enter(self, view)
  local me = self.group.me
  self.me, self.nodeid, self.pid = me, me.nodeid, me.pid
  self.calls:left(view.left)
  self.events:tell("members", view)
end

local function listen(self)
  local on, events = self.group.on, self.events
  function on.message(payload, from) take(self, payload, from, true) end
  function on.inquorate(payload, from) take(self, payload, from, false) end
  function on.members(view) enter(self, view) end
  function on.quorum(state)
    if state.quorate then self.server:go_on() end
    events:tell("quorum", state)
  end
  function on.gap() end
  function on.malformed(bytes, from, why) malformed(self, bytes, from, why) end
  function on.down(why)
    self.calls:fail(why.message, why.code)
    self.server:go_on()
    events:tell("down", why)
  end
  function on.up() events:tell("up") end
end

-- Every event has a handler here, so there is nothing to come but the end.
local function wait_for_end(self)
  self.group:next("up")
  self.server:finish()
  self.calls:fail("the service is closed", "ERR_NOT_EXIST")
end

-- The codec of the calls is an option of its own.
local NEEDED = { codec = true }

--- Joins a group to offer methods to its members, and to call theirs. Codes, as
--- of group:join: "ERR_LIBRARY", "ERR_ACCESS", "ERR_TIMEOUT", "ERR_INTERRUPT".
---@param given string|corolua.Group a name, or a group that was not joined
---@param fns table<string, fun(arguments: any, from: corosync.Member): any>? by name
---@param given_options corolua.rpc.Options?
---@return corolua.Rpc? service, string? message, string? code
function rpc.open(given, fns, given_options)
  local checked = options.check(given_options, 2)
  local copy = options.check_methods(fns, 2)
  local room = service.group(given, "rpc.open", NEEDED, checked, 2)
  local events = service.events(("rpc '%s'"):format(room.name), KINDS)
  local self = setmetatable({
    group = room, timeout = checked.call_timeout, codec = checked.codec, nonce = scheduler.nonce(),
    calls = pending.new(), events = events, on = events.on, strangers = strangers.new(events),
    closing = once.new(), server = false, me = false, nodeid = 0, pid = 0,
  }, rpc_mt)
  events.source = self
  self.server = server.new(self, copy, checked.max_running, function(bytes)
    take_reply(self, bytes, room.me)
  end)
  listen(self)
  local joined, message, code = service.join(room, "rpc.open", checked.timeout, 2)
  if not joined then return nil, message, code end
  scheduler.spawn(wait_for_end, self)
  self.server:begin()
  self.events:begin()
  return self
end

-- The message of a call.
local function pack_call(self, number, target, method, value)
  if target.list then return wire.list(self.nonce, number, target.list, method, value) end
  local member = target.member
  local nodeid, pid = 0, 0
  if member then nodeid, pid = member.nodeid, member.pid end
  return wire.call(self.nonce, number, nodeid, pid, method, value)
end

local function check_length(room, bytes, level)
  if #bytes <= room.longest then return end
  error(("call: the message has %d bytes, over the limit of %d bytes%s"):format(#bytes,
    room.longest, room.hint), level + 1)
end

-- Waits only where it must.
local function send(room, bytes, timeout)
  local sent, message, code = room:try_send(bytes)
  if code ~= "ERR_TRY_AGAIN" then return sent, message, code end
  return room:send(bytes, { timeout = timeout })
end

local function check_self(self, method) guard.self(self, rpc_mt, "an rpc", method, 3) end

--- Calls a method of others, and waits for what they return. Codes of the call:
--- "ERR_NOT_QUORATE", "ERR_LIBRARY" (the daemon is gone), "ERR_TIMEOUT",
--- "ERR_LEFT", "ERR_NOT_EXIST" (closed), "ERR_INTERRUPT"; and of one to a member,
--- as of a part, "ERR_REMOTE", "ERR_NO_METHOD" and "ERR_OVERLOAD" besides. A list in
--- `to` has 1 to 255 members; a call longer than the group sends raises.
---@param method string
---@param arguments any what the codec takes, or nil
---@param given corolua.rpc.CallOptions
---@return any result of a member; of several `{ member =, result = }[]`
---@return string? message, string? code
function methods:call(method, arguments, given)
  check_self(self, "call")
  local target, timeout = options.check_call(method, given, self.timeout, 2)
  local value, why = values.encode(self.codec, arguments)
  if why then error("call: the arguments" .. why, 2) end
  if not scheduler.can_wait() then error("call waits, which only a task can", 2) end
  local bytes = pack_call(self, self.calls.last + 1, target, method, value)
  check_length(self.group, bytes, 2)
  local call = self.calls:begin(target, timeout, scheduler.now() + timeout)
  local sent, message, code = send(self.group, bytes, timeout)
  if not sent then self.calls:drop(call, message, code) end
  return self.calls:wait(call)
end

--- Leaves the group. Calls that are not over end with "ERR_NOT_EXIST". May be
--- repeated, and returns the same again. Codes, as of group:leave: "ERR_NOT_EXIST",
--- "ERR_TIMEOUT", "ERR_LIBRARY".
---@param given { timeout: number }? in seconds, 5 unless told
---@return true? closed, string? message, string? code
function methods:close(given)
  check_self(self, "close")
  local timeout = service.close_timeout(given, 2)
  return self.closing:run(self.group.leave, self.group, { timeout = timeout })
end

--- How things stand.
---@return corolua.ServiceStatus
function methods:status()
  check_self(self, "status")
  return service.status(self.group)
end

---@class corolua.RpcStats
---@field calls integer made here
---@field pending integer of them
---@field late integer replies to calls that were over
---@field running integer methods that are performed here now
---@field performed integer
---@field raised integer methods that raised
---@field refused integer calls of others, with an error
---@field unsent integer replies for which the connection was gone
---@field malformed integer messages that are no call and no reply

--- Figures of the service, as they are now.
---@return corolua.RpcStats
function methods:stats()
  check_self(self, "stats")
  local at_work = self.server
  return inspect.readable({
    calls = self.calls.last, pending = self.calls.count, late = self.calls.late,
    running = at_work.running, performed = at_work.performed, raised = at_work.raised,
    refused = at_work.refused, unsent = at_work.unsent, malformed = self.strangers.count,
  })
end

guard.names(rpc_mt, "an rpc", { always = { "group", "on" }, events = KINDS })

return rpc
