--- Groups: what a script joins, sends to and hears from. A group keeps the
--- rules that every program on corosync must keep: it stops sending without
--- quorum, bounds what is on its way, never tells of a message under another
--- ring's quorum, and comes back when the daemon does.

local backlog = require("corolua.group.backlog")
local codec = require("corolua.codec")
local forgotten = require("corolua.group.forgotten")
local form = require("corolua.group.form")
local gate = require("corolua.group.gate")
local handlers = require("corolua.handlers")
local handling = require("corolua.group.handling")
local held = require("corolua.group.held")
local intake = require("corolua.group.intake")
local life = require("corolua.group.life")
local options = require("corolua.group.options")
local quorum = require("corolua.quorum")
local registry = require("corolua.group.registry")
local scheduler = require("corolua.scheduler")

---@class corolua.Group
---@field name string
---@field on table<string, function> the handlers, by event
---@field view corolua.View? of the event that is being handled
---@field members userdata[]? of the view
---@field me userdata? the own member object, from the first join on
local methods = {}

local group = {}

local JOIN_TIMEOUT = 30
local SEND_TIMEOUT = 30

-- How long leaving waits for the own last messages, and for the own leave.
local LEAVE_TIMEOUT = 5

local group_mt = {
  __name = "corolua.group",
  __index = methods,
  __tostring = function(self) return "group '" .. self.name .. "'" end,
}

-- How the arguments of an event are called where it comes as one table.
local fields = {
  members = { "view" }, quorum = { "state" }, message = { "payload", "from", "info" },
  inquorate = { "payload", "from", "info" }, gap = { "member", "first", "last" },
  malformed = { "bytes", "from", "why" }, down = { "why" }, up = {},
}

--- A group at a place; `corolua.group` makes one on the program's own node.
---@param place corolua.Place
---@param name string 1 to 127 bytes, without NUL
---@param given corolua.GroupOptions?
---@param level integer whose line is to blame, as in `error`
---@return corolua.Group
function group.new(place, name, given, level)
  options.check_name(name, level + 1)
  local checked = options.check(given, level + 1)
  local on, set = handlers.new(handling.kinds)
  local self = setmetatable({
    name = name, place = place, handlers = set, on = on,
    requires_quorum = checked.quorum == "required",
    max_held = checked.max_held, overload = checked.overload, reconnect = checked.reconnect,
    held = held.new(), backlog = backlog.new(handling.kinds),
  }, group_mt)
  self.codec = checked.codec ~= "string" and codec.of(checked.codec, level + 1) or nil
  form.init(self, checked)
  self.intake = intake.new(self)
  gate.set_state(self, "new")
  forgotten.note(self)
  return self
end

-- A handler of the group itself cannot wait for others of it to run.
local function wait_handled(self, timeout)
  if handling.is_inside(self) then return end
  scheduler.wait(function() return not self.is_handling and self.held:is_empty() end, timeout)
end

local function wait_entered(self, timeout)
  if handling.is_inside(self) then return end
  scheduler.wait(function() return self.has_entered end, timeout)
end

--- Joins, and waits until the own join has been delivered and the quorum state
--- of its ring is known.
---@param given { timeout: number }? in seconds, 30 unless told
---@return true? joined, string? message, string? code
function methods:join(given)
  local timeout = options.timeout_of(given, JOIN_TIMEOUT, 2)
  registry.take(self, 2)
  local deadline = scheduler.now() + timeout
  gate.set_state(self, "joining")
  self.newest_view, self.view, self.members, self.has_entered = nil, nil, nil, false
  form.begin(self)
  self.life = life.new(self, self.intake)
  local ok, message, code = self.life:start(timeout)
  if not ok then
    registry.release(self)
    return nil, message, code
  end
  self.exit = scheduler.at_exit(function() self:leave() end)
  wait_entered(self, math.max(0, deadline - scheduler.now()))
  return true
end

local function leave_joined(self, timeout)
  gate.set_state(self, "leaving")
  local running = self.life
  scheduler.wait(function() return self.window:count() == 0 or running.is_over end, timeout)
  local ok, message, code
  if running.is_over then
    ok, message, code = nil, running.message, running.code
  else
    ok, message, code = running:leave(timeout)
  end
  handling.wake(self)
  wait_handled(self, timeout)
  registry.release(self)
  return ok, message, code
end

--- Leaves, after the own last messages have come back, and waits for the own
--- leave; each at most 5 s. The group is left in any case: a failure says that
--- the own leave was not seen.
---@param given { timeout: number }? in seconds, 5 unless told
---@return true? left, string? message, string? code
function methods:leave(given)
  local timeout = options.timeout_of(given, LEAVE_TIMEOUT, 2)
  if self.state == "joined" then
    return leave_joined(self, timeout)
  elseif self.state == "down" then
    if self.life and not self.life.is_over then self.life:finish() end
    registry.release(self)
    return true
  end
  return nil, "the group is not joined", "ERR_NOT_EXIST"
end

-- The bytes of a message, if the group may send them.
local function encode(self, value)
  local bytes = value
  if self.codec then bytes = self.codec.encode(value, 3) end
  if type(bytes) == "string" and #bytes <= self.longest then return bytes end
  if type(bytes) ~= "string" then
    error(("a message must be a string, got %s (see the option codec)"):format(type(bytes)), 3)
  end
  error(("a message of %d bytes is over the limit of %d bytes%s"):format(#bytes, self.longest,
    self.hint), 3)
end

--- Sends to all members, the sender included, or says why not. Does not wait:
--- a full window is "ERR_TRY_AGAIN".
---@param payload any a string, or what the codec takes
---@return true? accepted, string? message, string? code
function methods:try_send(payload)
  local bytes = payload
  if self.codec or type(bytes) ~= "string" or #bytes > self.longest then
    bytes = encode(self, payload)
  end
  local refusal = self.refusal
  if refusal then return nil, refusal[1], refusal[2] end
  return self.window:offer(bytes)
end

local function wait_to_send(self, payload, timeout)
  if not scheduler.can_wait() then
    error("send: the window is full, and only a task can wait; use try_send here", 3)
  end
  return self.window:wait_and_offer(payload, timeout)
end

--- Sends to all members, the sender included. Waits while the window is full,
--- behind those that wait already.
---@param payload any a string, or what the codec takes
---@param given { timeout: number }? in seconds, 30 unless told
---@return true? accepted, string? message, string? code
function methods:send(payload, given)
  local bytes = payload
  if self.codec or type(bytes) ~= "string" or #bytes > self.longest then
    bytes = encode(self, payload)
  end
  local timeout = SEND_TIMEOUT
  if given then timeout = options.timeout_of(given, SEND_TIMEOUT, 2) end
  local refusal = self.refusal
  if refusal then return nil, refusal[1], refusal[2] end
  local ok, message, code = self.window:offer(bytes)
  if ok or code ~= "ERR_TRY_AGAIN" then return ok, message, code end
  return wait_to_send(self, bytes, timeout)
end

-- Waits until the backlog has an event of the kind; any without one.
local function wait_backlog(self, kind, timeout)
  return scheduler.await(function(resume) return self.backlog:wait(kind, resume) end, timeout)
end

--- The arguments of the oldest event of a kind that no handler took; waits
--- for one.
---@param kind string
---@param timeout number? in seconds
---@return any ... or nil, message, "ERR_TIMEOUT", "ERR_NOT_EXIST" or "ERR_INTERRUPT"
function methods:next(kind, timeout)
  options.check_kind(kind, fields, 2)
  if timeout ~= nil then options.check_timeout(timeout, 0, 2) end
  local found, a, b, c = self.backlog:take(kind)
  if not found then
    if handling.is_over(self) then return nil, "the group is not joined", "ERR_NOT_EXIST" end
    local came, message, code = wait_backlog(self, kind, timeout)
    if came == nil then return nil, message, code end
    found, a, b, c = self.backlog:take(kind)
    if not found then return nil, "the group has been left", "ERR_NOT_EXIST" end
  end
  if kind == "up" then return true end
  return a, b, c
end

local function as_event(kind, ...)
  local event = { kind = kind }
  for i, field in ipairs(fields[kind]) do event[field] = (select(i, ...)) end
  return event
end

--- Iterates over the events that no handler took, of all kinds, in order:
--- `{ kind =, … }`. Waits for more; ends when the group is left.
---@return fun(): table?
function methods:events()
  local function next_event()
    local kind, a, b, c = self.backlog:take()
    if kind then return as_event(kind, a, b, c) end
    if handling.is_over(self) or not wait_backlog(self) then return nil end
    return next_event()
  end
  return next_event
end

--- Figures of the group, as they are now.
---@return table
function methods:stats()
  local running = self.life and self.life.fence
  return {
    state = self.state,
    in_flight = self.window:count(), in_flight_bytes = self.window.bytes,
    waiting = self.window:waiting(),
    held = self.held:count(), held_bytes = self.held.bytes,
    backlog = self.backlog:count(), dropped = self.backlog.dropped,
    fenced = not (self.life and self.life.tracker.free),
    skipped_rings = running and running.skipped or 0,
  }
end

group_mt.__close = function(self)
  if not gate.is_over(self) then self:leave() end
end

local function place_of(node) return { key = node, network = node.space } end

--- Lets the connections of all groups on a node of a lab go, without `down`.
---@param node corolua.lab.Node
function group.close_node(node)
  local place = place_of(node)
  for _, room in ipairs(registry.at(place)) do
    if room.life then room.life:finish() end
    registry.release(room)
  end
  quorum.close(place)
end

--- A group on a node of a lab: `cluster[i]:group(name, options)`.
---@param node corolua.lab.Node
---@param name string
---@param given corolua.GroupOptions?
---@param level integer? whose line is to blame, as in `error`; the caller's unless told
---@return corolua.Group
function group.on_node(node, name, given, level)
  local made = group.new(place_of(node), name, given, (level or 1) + 1)
  return made -- no tail call: it would hide the caller's line
end

return group
