--- Groups: what a script joins, sends to and hears from. A group keeps the
--- rules that every program on corosync must keep: it stops sending without
--- quorum, bounds what is on its way, never tells of a message under another
--- ring's quorum, and comes back when the daemon does.

local args = require("corolua.base.args")
local checks = require("corolua.task.checks")
local condition = require("corolua.task.condition")
local connections = require("corolua.group.connection")
local guard = require("corolua.base.guard")
local handlers = require("corolua.base.handlers")
local inbox = require("corolua.group.inbox")
local inspect = require("corolua.base.inspect")
local names = require("corolua.base.names")
local options = require("corolua.group.options")
local packed = require("corolua.group.packed")
local quorum = require("corolua.daemon.quorum")
local reconnect = require("corolua.group.reconnect")
local scheduler = require("corolua.task.scheduler")
local state = require("corolua.group.state")
local unhandled = require("corolua.group.unhandled")

-- All that a group has. Each field is written in one file: in that of
-- corolua.group whose name stands in brackets, or here; `me` in connection, `view`
-- and `members` in inbox. What belongs to a connection, and what holds at all
-- times, stands in corolua.group.connection.
---@class corolua.Group
---@field name string
---@field on corolua.GroupHandlers
---@field private handlers table<string, function> the same, as they are looked up
---@field private place corolua.Place
---@field private requires_quorum boolean
---@field private window_size integer
---@field private max_held integer
---@field private overload "leave"|"stop_reading"
---@field private reconnect boolean|number
---@field private codec corolua.Codec|false false where messages are strings as they are
---@field private is_packed boolean
---@field private max_message integer 0 where nothing goes in fragments
---@field private longest integer bytes of the longest message
---@field private hint string where one is longer
---@field private unhandled corolua.group.Unhandled
---@field private inbox corolua.group.Inbox
---@field private changed corolua.Condition of whatever else is here, and of the connection
---@field private state "new"|"joining"|"joined"|"down"|"leaving"|"left" (state)
---@field private session corolua.group.Session|false (state)
---@field private refusal { [1]: string, [2]: string }|false why nothing may be sent (state)
---@field private watcher function|false called when `refusal` changes (state)
---@field private connection corolua.group.Connection|false the newest (connection)
---@field private window corolua.group.Window|false that of the connection (connection)
---@field me corosync.Member? the own member object, from the first join on
---@field view corolua.View? of the event that is being handled
---@field members corosync.Member[]? of the view
local methods = {}

local group = {}

local type = type -- `send` asks for each message

local JOIN_TIMEOUT = 30
local SEND_TIMEOUT = 30
local WAIT_TIMEOUT = 30

-- How long leaving waits for the own last messages, and for the own leave.
local LEAVE_TIMEOUT = 5

local group_mt = {
  __name = "corolua.group",
  __index = methods,
  __tostring = function(self) return "group '" .. self.name .. "'" end,
}

---@class corolua.GroupEvent an event that no handler took, with its arguments
---@field kind "members"|"quorum"|"message"|"inquorate"|"gap"|"malformed"|"down"|"up"
---@field view corolua.View? of members
---@field state corolua.QuorumState? of quorum
---@field payload any of message and inquorate: what the codec gives, or a string
---@field from corosync.Member? the member that sent: of message, inquorate and malformed
---@field info corolua.MessageInfo? of message and inquorate
---@field member corosync.Member? of gap
---@field first integer? of gap: the number of the first message that did not come
---@field last integer? of gap
---@field bytes string? of malformed
---@field why string|corolua.Down|nil of malformed a sentence, of down what is lost

---@class corolua.GroupStats
---@field state "new"|"joining"|"joined"|"down"|"leaving"|"left"
---@field in_flight integer messages sent and not back, of packed groups frames
---@field in_flight_bytes integer
---@field waiting integer senders that wait for the window
---@field held integer events that are read and not handled
---@field held_bytes integer
---@field backlog integer events that no handler took
---@field backlog_bytes integer of their payloads
---@field dropped integer events that fell out, or that a new join left behind
---@field fenced boolean false without a quorum provider: everything counts as quorate
---@field skipped_rings integer of this connection: rings without a quorum event

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
  local on, set = handlers.new(inbox.kinds)
  local shape = packed.shape(checked)
  local self = setmetatable({
    name = name, place = place, handlers = set, on = on,
    requires_quorum = checked.quorum == "required", window_size = checked.window,
    max_held = checked.max_held, overload = checked.overload, reconnect = checked.reconnect,
    codec = checked.codec,
    is_packed = shape.is_packed, max_message = shape.max_message,
    longest = shape.longest, hint = shape.hint,
    unhandled = unhandled.new(inbox.kinds), inbox = false, changed = condition.new(),
    state = "new", session = false, refusal = false, watcher = false,
    connection = false, window = false,
  }, group_mt)
  self.inbox = inbox.new(self)
  state.update(self)
  state.note(self)
  return self
end

local function check_self(self, method, level)
  guard.self(self, group_mt, "a group", method, (level or 2) + 1)
end

local UNSENT = "the group has been left, and %d messages had not gone out"

-- Leaves, and says what was accepted and has not come back.
local function leave_joined(self, timeout)
  local connection, window = self.connection, self.window
  state.set(self, "leaving")
  connection:read_on()
  window:when_empty(function() self.changed:notify() end)
  condition.wait_until(self.changed, function()
    return connection.is_over or window:count() == 0
  end, timeout)
  local ok, message, code = connection:leave(timeout)
  local unconfirmed = connection:take_unconfirmed()
  if ok and #unconfirmed > 0 then
    ok, message, code = nil, UNSENT:format(#unconfirmed), "ERR_TIMEOUT"
  end
  self.inbox:wake(connection)
  return ok, message, code, unconfirmed
end

-- What was read is handled to its end, the last `down` too, before another join
-- could drop it.
local function finish_leaving(self, session, timeout)
  self.inbox:wait_done(timeout)
  state.release(self, session)
end

-- Leaves where no daemon is there to be told, or none that has heard of us.
local function leave_down(self, timeout)
  local session = self.session
  state.set(self, "leaving")
  self.connection:finish()
  finish_leaving(self, session, timeout)
end

-- Leaves as `<close>` and the end of the program do, where nobody looks at what
-- comes of it: `down` is told what has not come back.
local function close(self)
  local session, connection = self.session, self.connection
  if self.state == "joined" then
    local ok, message, code, unconfirmed = leave_joined(self, LEAVE_TIMEOUT)
    if not ok and #unconfirmed > 0 then
      reconnect.tell_down(connection, message, code, unconfirmed)
    end
    finish_leaving(self, session, LEAVE_TIMEOUT)
  elseif self.state == "down" then
    leave_down(self, LEAVE_TIMEOUT)
  end
end

group_mt.__close = close

-- The own join is handled, unless a handler of the group itself asks.
local function wait_entered(self, session, timeout)
  if self.inbox:is_inside() then return end
  condition.wait_until(self.changed, function()
    return session.has_entered or self.session ~= session
  end, timeout)
end

--- Joins, and waits until the own join has been delivered and the quorum state
--- of its ring is known. Before it begins, handlers of a join before have at most
--- 5 s to end, of the timeout; what nobody has handled or read of it by then is
--- dropped, and counted in `stats().dropped`. Codes: "ERR_LIBRARY" (no daemon),
--- "ERR_ACCESS", "ERR_TIMEOUT" (the daemon does not answer), "ERR_NO_SPACE" (none in
--- /dev/shm), "ERR_NOT_EXIST" (left meanwhile), "ERR_INTERRUPT".
---@param given { timeout: number }? in seconds, 30 unless told
---@return true? joined, string? message, string? code
function methods:join(given)
  check_self(self, "join")
  local timeout = args.timeout(given, JOIN_TIMEOUT, "join", 2)
  local deadline = scheduler.now() + timeout
  if not self.session then self.inbox:wait_done(math.min(timeout, LEAVE_TIMEOUT)) end
  local session = state.take(self, 2)
  state.set(self, "joining")
  self.inbox:begin()
  local has_begun, connection = pcall(connections.begin, self, session)
  if not has_begun then
    state.release(self, session)
    error(connection, 0)
  end
  local ok, message, code = connection:start(scheduler.left_until(deadline))
  if not ok then
    state.release(self, session)
    if code == "ERR_TIMEOUT" then message = ("timed out after %g s"):format(timeout) end
    return nil, message, code
  end
  if self.session == session then
    session.exit = scheduler.at_exit(function() close(self) end)
  end
  wait_entered(self, session, scheduler.left_until(deadline))
  if self.session ~= session then return nil, connection.why, connection.code end
  return true
end

--- Leaves, after the own last messages have come back, and waits for the own
--- leave; each at most 5 s. The group is left in any case: a failure says that
--- the own leave was not seen, or what had not gone out, and lists what was
--- accepted and has not come back, as `down` does: in order, and only here.
--- Codes: "ERR_NOT_EXIST" (not joined), "ERR_TIMEOUT", "ERR_LIBRARY".
---@param given { timeout: number }? in seconds, 5 unless told
---@return true? left, string? message, string? code
---@return corolua.Unconfirmed[]? unconfirmed
function methods:leave(given)
  check_self(self, "leave")
  local timeout = args.timeout(given, LEAVE_TIMEOUT, "leave", 2)
  local session = self.session
  if self.state == "joined" then
    local ok, message, code, unconfirmed = leave_joined(self, timeout)
    finish_leaving(self, session, timeout)
    if ok then return true end
    return nil, message, code, unconfirmed
  elseif self.state == "down" then
    leave_down(self, timeout)
    return true
  end
  return nil, "the group is not joined", "ERR_NOT_EXIST"
end

-- The bytes of a message, if the group may send them.
local function encode(self, value, method)
  check_self(self, method, 3)
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
  if type(bytes) ~= "string" or self.codec or #bytes > self.longest then
    bytes = encode(self, payload, "try_send")
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
--- behind those that wait already. Codes: "ERR_NOT_EXIST" (not joined),
--- "ERR_NOT_QUORATE", "ERR_LIBRARY" (no daemon), "ERR_TIMEOUT", "ERR_INTERRUPT".
---@param payload any a string, or what the codec takes
---@param given { timeout: number }? in seconds, 30 unless told
---@return true? accepted, string? message, string? code
function methods:send(payload, given)
  local bytes = payload
  if type(bytes) ~= "string" or self.codec or #bytes > self.longest then
    bytes = encode(self, payload, "send")
  end
  local timeout = SEND_TIMEOUT
  if given then timeout = args.timeout(given, SEND_TIMEOUT, "send", 2) end
  local refusal = self.refusal
  if refusal then return nil, refusal[1], refusal[2] end
  local ok, message, code = self.window:offer(bytes)
  if ok then return true end
  if code ~= "ERR_TRY_AGAIN" then return nil, message, code end
  return wait_to_send(self, bytes, timeout)
end

-- Waits until there is an event of the kind, any without one: true, or false where
-- none is to come any more. Another reader may be there first.
local function wait_unhandled(self, kind, timeout)
  return scheduler.await(function(resume) return self.unhandled:wait(kind, resume) end, timeout)
end

local NOT_JOINED, LEFT = state.NOT_JOINED, state.LEFT

-- Takes an event of a kind as soon as there is one.
local function take_next(self, kind, timeout)
  local deadline = timeout and scheduler.now() + timeout
  local found, a, b, c = self.unhandled:take(kind)
  while not found do
    if self.inbox:is_over() then return nil, NOT_JOINED[1], NOT_JOINED[2] end
    local came, message, code =
      wait_unhandled(self, kind, deadline and scheduler.left_until(deadline))
    if code == "ERR_TIMEOUT" then message = ("timed out after %g s"):format(timeout) end
    if came == nil then return nil, message, code end
    if not came then return nil, LEFT[1], LEFT[2] end
    found, a, b, c = self.unhandled:take(kind)
  end
  return found, a, b, c
end

--- The arguments of the oldest event of a kind that no handler took; waits
--- for one.
---@param kind string
---@param timeout number? in seconds
---@return any ... or nil, message, "ERR_TIMEOUT", "ERR_NOT_EXIST" or "ERR_INTERRUPT"
function methods:next(kind, timeout)
  check_self(self, "next")
  names.check(kind, fields, "event", 2)
  checks.seconds(timeout, "next", true)
  local found, a, b, c = take_next(self, kind, timeout)
  if not found then return nil, a, b end
  if kind == "up" then return true end
  return table.unpack({ a, b, c }, 1, #fields[kind])
end

local is_count = args.integer(1)

--- Waits until the group has so many members: in the view that is handled now, or
--- in one that comes. It looks at each view, also at one that another follows at
--- once, goes on where the daemon is lost and found, and ends where the group is
--- left. A handler of the group cannot wait for it, as no view comes meanwhile.
--- Codes: "ERR_TIMEOUT", "ERR_NOT_EXIST" (not joined, or left), "ERR_INTERRUPT".
---@param n integer neither more nor fewer
---@param timeout number? in seconds, 30 unless told
---@return true? reached, string? message, string? code
function methods:wait_members(n, timeout)
  check_self(self, "wait_members")
  args.value(n, is_count, "wait_members", "how many", 2)
  checks.seconds(timeout, "wait_members", true)
  if state.is_over(self) then return nil, NOT_JOINED[1], NOT_JOINED[2] end
  if self.inbox:is_inside() then
    error("wait_members: a handler of the group would wait for itself", 2)
  end
  timeout = timeout or WAIT_TIMEOUT
  local reached, message, code =
    self.inbox:wait_view(function(view) return #view.members == n end, timeout)
  if reached then return true end
  if code == "ERR_TIMEOUT" then
    message = ("there are %d members, and not %d, after %g s")
      :format(#(self.members or {}), n, timeout)
  end
  return nil, message, code
end

local function as_event(kind, ...)
  local event = inspect.readable({ kind = kind })
  for i, field in ipairs(fields[kind]) do event[field] = (select(i, ...)) end
  return event
end

--- Iterates over the events that no handler took, of all kinds, in order:
--- `{ kind =, … }`. Waits for more; ends when the group is left.
---@return fun(): corolua.GroupEvent?
function methods:events()
  check_self(self, "events")
  return function()
    local kind, a, b, c = take_next(self)
    return kind and as_event(kind, a, b, c)
  end
end

--- Figures of the group, as they are now.
---@return corolua.GroupStats
function methods:stats()
  check_self(self, "stats")
  local connection, window, kept = self.connection, self.window, self.unhandled
  local held, held_bytes = self.inbox:held()
  return inspect.readable({
    state = self.state,
    in_flight = window and window:count() or 0, in_flight_bytes = window and window.bytes or 0,
    waiting = window and window:waiting() or 0,
    held = held, held_bytes = held_bytes,
    backlog = kept:count(), backlog_bytes = kept.bytes, dropped = kept.dropped,
    fenced = not group.is_unfenced(self),
    skipped_rings = connection and connection.fence and connection.fence.skipped or 0,
  })
end

--- For services, and whatever else owns a group: what they may know and do
--- beside what scripts do.

--- Whether no more is to come, unless the group joins again.
group.is_over = state.is_over

--- Whether a handler of the group is what runs.
---@param room corolua.Group
---@return boolean
function group.is_inside(room) return room.inbox:is_inside() end

--- The names of groups that have handlers and were never joined, sorted.
group.forgotten = state.forgotten

--- Whether there is no quorum provider, and so no fence; false where there is no
--- connection.
---@param room corolua.Group
---@return boolean
function group.is_unfenced(room) return room.connection and room.connection.tracker.free end

--- The newest ring that was read, perhaps not handled.
---@param room corolua.Group which is or was joined
---@return corosync.Ring?
function group.newest_ring(room) return room.connection.fence.newest end

--- Has the function called whenever why nothing may be sent changes, with that,
--- or false. It must not wait. One for each group.
group.watch_refusal = state.watch

--- Waits for a view for which the function is true: that which is now, or the
--- first that comes. It must not wait. Codes: "ERR_TIMEOUT", "ERR_NOT_EXIST" (the
--- group has been left), "ERR_INTERRUPT".
---@param room corolua.Group
---@param holds fun(view: corolua.View): any
---@param timeout number in seconds
---@return true? held, string? message, string? code
function group.wait_view(room, holds, timeout) return room.inbox:wait_view(holds, timeout) end

local function place_of(node) return { key = node, network = node.space } end

--- Lets the connections of all groups on a node of a lab go, without `down`.
---@param node corolua.lab.Node
function group.close_node(node)
  local place = place_of(node)
  for _, room in ipairs(state.at(place)) do state.release(room, room.session) end
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

-- What a script reads of a group and sets in it.
guard.names(group_mt, "a group", {
  always = { "name", "on" }, sometimes = { "me", "view", "members" }, events = inbox.kinds,
})

return group
