--- What has been read and not handled, and the calls of the group's handlers: one
--- at a time, in order, in a task that exists while there is something to handle.
--- What the group shows of the cluster is what was true at the event that is being
--- handled: its view and whether there is quorum in it change together.
---
--- Events stay with the connection that read them. What one holds is handled to
--- its end before that of the next one is begun; and where a group joins anew, what
--- is left of the joins before is dropped and counted.

local condition = require("corolua.task.condition")
local describe = require("corolua.base.describe")
local failures = require("corolua.task.failures")
local inspect = require("corolua.base.inspect")
local limit = require("corolua.limit")
local lists = require("corolua.base.lists")
local packed = require("corolua.group.packed")
local scheduler = require("corolua.task.scheduler")
local state = require("corolua.group.state")
local verdicts = require("corolua.group.verdicts")

---@class corolua.MessageInfo
---@field ring corosync.Ring that it was delivered in
---@field sent_in corosync.Ring? of packed groups: that it was sent in

---@class corolua.Unconfirmed a message that was accepted and has not come back
---@field payload any
---@field sent boolean where it is true others may have it; else it never left

---@class corolua.Down why there is no connection any more
---@field code string "ERR_LIBRARY", "ERR_OVERLOAD" or "ERR_TIMEOUT"
---@field message string
---@field unconfirmed corolua.Unconfirmed[] in order, each once

---@class corolua.GroupHandlers each may wait; they are called one at a time, in order
---@field members? fun(view: corolua.View) the list changed
---@field quorum? fun(state: corolua.QuorumState) decided for a ring, or changed within one
---@field message? fun(payload: any, from: corosync.Member, info: corolua.MessageInfo)
--- own ones included
---@field inquorate? fun(payload: any, from: corosync.Member, info: corolua.MessageInfo)
--- delivered without quorum
---@field gap? fun(member: corosync.Member, first: integer, last: integer) packed: what did not come
---@field malformed? fun(bytes: string, from: corosync.Member, why: string) what cannot be read
---@field down? fun(why: corolua.Down) the connection is gone
---@field up? fun() it is back

-- What a connection has read, in two arrays, so that a message costs no table.
---@class corolua.group.Held
---@field values any[] payloads, and what other events tell
---@field senders any[] senders; beside anything but a message stands the name of its kind
---@field first integer
---@field last integer
---@field bytes integer what it holds, roughly
---@field own integer messages of our own that were read, and not confirmed yet

---@class corolua.group.Inbox of a group
---@field room corolua.Group
---@field connections corolua.group.Connection[] that have read something, in order
---@field handled corolua.group.Connection|false whose events are handled, or were last
---@field pump corolua.Task|false that calls the handlers
---@field is_handling boolean
---@field watchers { holds: function, resume: function }[] who wait for a view
local methods = {}
local inbox_mt = { __name = "corolua.group.inbox", __index = methods }

local inbox = {}

--- What a message takes beside its bytes.
inbox.OVERHEAD = 64

local OVERHEAD = inbox.OVERHEAD
local next_handler = limit.next

--- The events of a group; each with whether a handler for it is called.
inbox.kinds = {
  "members", "quorum", "message", "inquorate", "gap", "malformed", "down", "up",
}

---@param room corolua.Group
---@return corolua.group.Inbox
function inbox.new(room)
  return setmetatable({
    room = room, connections = {}, handled = false, pump = false, is_handling = false,
    watchers = {},
  }, inbox_mt)
end

---@return corolua.group.Held
function inbox.held()
  return { values = {}, senders = {}, first = 1, last = 0, bytes = 0, own = 0 }
end

--- Holds a message, behind all that is there.
---@param held corolua.group.Held
---@param payload string
---@param from corosync.Member
function inbox.add_message(held, payload, from)
  local last = held.last + 1
  held.last, held.bytes = last, held.bytes + #payload + OVERHEAD
  held.values[last], held.senders[last] = payload, from
end

--- Holds another event.
---@param held corolua.group.Held
---@param kind string
---@param value any
function inbox.add(held, kind, value)
  local last = held.last + 1
  held.last = last
  held.values[last], held.senders[last] = value, kind
end

-- Bytes of the payloads of an event that is no message.
local function size_of(kind, value)
  if kind == "malformed" then return #value end
  local size = 0
  if kind == "down" then
    for _, entry in ipairs(value.unconfirmed) do
      if type(entry.payload) == "string" then size = size + #entry.payload end
    end
  end
  return size
end

local function tell(connection, kind, a, b, c)
  if connection.h then verdicts.tell(connection, kind, a, b, c) end
  local handler = connection.handlers[kind]
  if not handler then return connection.unhandled:add(kind, a, b, c, size_of(kind, a)) end
  connection.handling = kind
  next_handler()
  handler(a, b, c)
end

-- A message costs no table: what there is to say of it is the same for all
-- that were sent in one ring and delivered in one.
local function info_of(connection, sent_in)
  local info = connection.info
  if not sent_in or sent_in == info.sent_in then return info end
  local ring = info.ring
  if sent_in.seq == ring.seq and sent_in.nodeid == ring.nodeid then sent_in = ring end
  if sent_in ~= info.sent_in then
    info = inspect.readable({ ring = ring, sent_in = sent_in })
    connection.info = info
  end
  return info
end

-- Who waits for a view like this goes on.
local function show_watchers(self, view)
  local i = 1
  while self.watchers[i] do
    local watcher = self.watchers[i]
    if watcher.holds(view) then
      table.remove(self.watchers, i)
      watcher.resume(true)
    else
      i = i + 1
    end
  end
end

-- The view, and whether there is quorum in it, change together.
local function enter_view(connection, view)
  local room, info = connection.room, connection.info
  room.view, room.members = view, view.members
  if not info or info.ring ~= view.ring then
    connection.info = inspect.readable({ ring = view.ring })
    packed.set_ring(connection, view.ring)
  end
  connection.message_kind = (view.quorate or not room.requires_quorum) and "message" or "inquorate"
  packed.follow(connection, view)
  state.set_quorate(connection, "is_quorate", view.quorate)
  if room.inbox.watchers[1] and not connection.is_over then show_watchers(room.inbox, view) end
end

-- What is not a message, by the kind that stands in the sender's place.
local specials = {
  ring = enter_view,
  members = function(connection, view)
    enter_view(connection, view)
    tell(connection, "members", view)
  end,
  quorum = function(connection, told)
    assert(connection.info.ring.seq == told.ring.seq, "a state is handled in its own ring")
    tell(connection, "quorum", told)
  end,
  down = function(connection, why) tell(connection, "down", why) end,
  up = function(connection, is_again)
    connection.session.has_entered = true
    connection.room.changed:notify()
    if is_again then return tell(connection, "up") end
    if connection.h then verdicts.tell(connection, "up") end
  end,
}

local function tell_message(connection, payload, from, info, size)
  local kind = connection.message_kind
  local handler = connection.handlers[kind]
  if not handler then
    return connection.unhandled:add(kind, payload, from, info, size or #payload)
  end
  connection.handling = kind
  next_handler()
  handler(payload, from, info)
end

local function handle_bytes(connection, bytes, from, info)
  local codec = connection.room.codec
  if not codec then return tell_message(connection, bytes, from, info) end
  local value, why = codec.decode(bytes)
  if value == nil then return tell(connection, "malformed", bytes, from, why) end
  tell_message(connection, value, from, info, #bytes)
end

-- The messages of the frame that is being handled; those behind one whose
-- handler raised come first when the group goes on, and there are none any more
-- where a handler has joined anew.
local function handle_rest(connection)
  local rest = connection.rest
  local payloads, from, info = rest.payloads, rest.from, rest.info
  local handle = connection.room.codec and handle_bytes or tell_message
  for i = rest.next, rest.count do
    local payload = payloads[i]
    if not payload then break end
    rest.next = i + 1
    handle(connection, payload, from, info)
  end
  connection.rest = false
end

local NOTHING = {}

local function handle_frame(connection, frame, from)
  local payloads, first, sent_in, gap_first, gap_last = connection.unpacker:read(from, frame)
  if payloads == nil then return tell(connection, "malformed", frame, from, first) end
  payloads = payloads or NOTHING
  connection.rest = {
    payloads = payloads, count = #payloads, next = 1, from = from,
    info = info_of(connection, sent_in),
  }
  if gap_first then tell(connection, "gap", from, gap_first, gap_last) end
  handle_rest(connection)
end

-- Those for connections that a trace is told of.
local counted = {}
for _, handle in ipairs({ handle_frame, handle_bytes, tell_message }) do
  counted[handle] = verdicts.counted(handle)
end

-- How a message is handled.
local function way_of(connection)
  local way = connection.unpacker and handle_frame
    or connection.room.codec and handle_bytes or tell_message
  return connection.h and counted[way] or way
end

-- Events are taken out before they are handled, and a handler that waits lets
-- others in behind. The arrays are looked into as they are, and a message that
-- goes to its handler as it is, does so here: this is the path of every message,
-- and a call for each would cost as much as all the rest.
local function handle_held(connection)
  local held, handle = connection.held, way_of(connection)
  local values, senders = held.values, held.senders
  local handlers = handle == tell_message and connection.handlers or NOTHING
  if connection.rest then handle_rest(connection) end
  local first = held.first
  local value = values[first]
  while value ~= nil do
    local sender = senders[first]
    values[first], senders[first], held.first = nil, nil, first + 1
    local special = specials[sender]
    if special then
      if connection.h then verdicts.end_run(connection) end
      special(connection, value)
    else
      held.bytes = held.bytes - #value - OVERHEAD
      local kind = connection.message_kind
      local handler = handlers[kind]
      if handler then
        connection.handling = kind
        next_handler()
        handler(value, sender, connection.info)
      else
        handle(connection, value, sender, connection.info)
      end
    end
    if connection.is_choked then connection:breathe() end
    first = held.first
    value = values[first]
  end
  held.first, held.last = 1, 0
end

-- Connection after connection, each to its end.
local function handle_all(self)
  local connections = self.connections
  while connections[1] do
    local connection = connections[1]
    self.handled = connection
    handle_held(connection)
    if connections[1] == connection then
      if not connection.is_over then return end
      if connection.h then verdicts.end_run(connection) end
      table.remove(connections, 1)
      state.update(self.room)
    end
  end
end

-- Where the script's own frames end, ours begin, which say nothing.
local function note(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  local trace = debug.traceback(describe(problem), 2)
  return (trace:gsub("\n\t[^\n]*corolua/group/inbox%.lua.*$", ""))
end

-- Handles what there is; false if an error ends the program, or a stop the handler.
local function handle_guarded(self)
  while true do
    local ok, problem = limit.pcall(note, handle_all, self)
    if ok then return true end
    if rawequal(problem, limit.STOPPED) then return false end
    local room, event = self.room, self.handled.handling
    problem = ("group '%s', handler of '%s': %s"):format(room.name, event, problem)
    local failure = failures.ask(problem, room, event)
    if failure then
      scheduler.fail(failure)
      return false
    end
  end
end

local LEFT = state.LEFT

-- Who waits for an event or a view is told that none is to come.
local function tell_end(self)
  self.room.unhandled:finish()
  local watchers = self.watchers
  self.watchers = {}
  for _, watcher in ipairs(watchers) do watcher.resume(nil, LEFT[1], LEFT[2]) end
end

-- The task stays for the next events, as starting one costs more than waiting,
-- until the group is over or the program stops.
local function run(self)
  local pump, room = scheduler.current(), self.room
  repeat
    if not handle_guarded(self) then break end
    self.is_handling = false
    room.changed:notify()
  until state.is_over(room) or not scheduler.park()
  if self.pump == pump then self.pump, self.is_handling = false, false end
  if state.is_over(room) then tell_end(self) end
  room.changed:notify()
end

-- A task that was closed in the middle of a handler handles nothing any more.
local function is_busy(self)
  return self.is_handling and not (self.pump and self.pump:is_done())
end

-- What a connection has read is dropped, and counted. The arrays stay the same
-- ones, as who reads into them holds on to them.
local function abandon(self, connection)
  local held, rest = connection.held, connection.rest
  local count = held.last - held.first + 1
  for i = held.first, held.last do held.values[i], held.senders[i] = nil, nil end
  held.first, held.last, held.bytes = 1, 0, 0
  if rest then
    for i = rest.next, rest.count do
      rest.payloads[i] = nil
      count = count + 1
    end
  end
  self.room.unhandled:count_dropped(count)
end

--- Has what a connection has read handled, unless that is going on.
---@param connection corolua.group.Connection
function methods:wake(connection)
  local session, held = self.room.session, connection.held
  if held.first > held.last then return end
  if session and connection.session ~= session then return abandon(self, connection) end
  if not lists.contains(self.connections, connection) then
    table.insert(self.connections, connection)
  end
  if is_busy(self) then return end
  self.is_handling = true
  if not self.pump or not scheduler.unpark(self.pump, true) then
    self.pump = scheduler.spawn(run, self)
    self.pump.resume = limit.resume
  end
end

--- The group joins anew: nothing of the joins before is handled or read from
--- here on.
function methods:begin()
  local room = self.room
  for i = #self.connections, 1, -1 do abandon(self, table.remove(self.connections, i)) end
  room.unhandled:clear()
  room.view, room.members = nil, nil
end

--- Nothing more is to come: who waits for it is told, after what there is has
--- been handled.
function methods:finish()
  if is_busy(self) then return end
  tell_end(self)
  if self.pump then scheduler.unpark(self.pump, false) end
  self.pump, self.is_handling = false, false
end

--- Waits until all that was read has been handled; not in a handler of the group
--- itself, which cannot wait for those behind it.
---@param timeout number in seconds
function methods:wait_done(timeout)
  if self:is_inside() then return end
  condition.wait_until(self.room.changed, function() return not is_busy(self) end, timeout)
end

-- Whether what the group shows is of its connection, as far as can be known.
local function is_current(self)
  local room = self.room
  return room.state == "joined" and self.handled == room.connection and room.view ~= nil
end

--- Waits for a view of the group's connection for which the function is true: the
--- one that is now, or else the first that comes; none does once the group has been
--- left. The function must not wait.
---@param holds fun(view: corolua.View): any
---@param timeout number in seconds
---@return true? held, string? message, string? code
function methods:wait_view(holds, timeout)
  if self:is_over() then return nil, LEFT[1], LEFT[2] end
  if is_current(self) and holds(self.room.view) then return true end
  return scheduler.await(function(resume)
    local watcher = { holds = holds, resume = resume }
    table.insert(self.watchers, watcher)
    return function() lists.remove(self.watchers, watcher) end
  end, timeout)
end

--- Events that are held: how many, and their bytes.
---@return integer count, integer bytes
function methods:held()
  local count, bytes = 0, 0
  for _, connection in ipairs(self.connections) do
    local held = connection.held
    count, bytes = count + held.last - held.first + 1, bytes + held.bytes
  end
  return count, bytes
end

--- Whether events of another connection come before those of this one.
---@param connection corolua.group.Connection
---@return boolean
function methods:is_behind(connection)
  local first = self.connections[1]
  return first ~= nil and first ~= connection
end

--- Whether no event is to come any more.
---@return boolean
function methods:is_over() return state.is_over(self.room) and not is_busy(self) end

--- Whether the caller is a handler of this group.
---@return boolean
function methods:is_inside() return self.is_handling and self.pump == scheduler.current() end

return inbox
