--- One connection of a group, from opening the handle to its end. A handle is
--- for one join, so a group that joins again gets another connection, and all
--- that is known of one belongs to it: what has been read, what is on its way,
--- the fence, what is remembered of the frames of others.
---
--- Four things hold at all times:
--- 1. One connection is the room's, its newest, and one that is not any more has
---    no say: a connection begins where the one before is over.
--- 2. A window is empty where a connection begins, and goes with it.
--- 3. Nothing that was read is handled under another ring's quorum: it comes out
---    of the fence behind its ring's view, and is handled in that order.
--- 4. View and quorum change together, at the event being handled.

local calls = require("corolua.daemon.calls")
local condition = require("corolua.task.condition")
local cpg = require("corosync.cpg")
local fence = require("corolua.group.fence")
local inbox = require("corolua.group.inbox")
local packed = require("corolua.group.packed")
local partings = require("corolua.daemon.partings")
local quorum = require("corolua.daemon.quorum")
local reconnect = require("corolua.group.reconnect")
local scheduler = require("corolua.task.scheduler")
local state = require("corolua.group.state")
local tell = require("corolua.trace.tell")

-- What belongs to a connection; written here unless another file is named.
---@class corolua.group.Connection: corolua.group.Out
---@field room corolua.Group
---@field session corolua.group.Session of the group, that it was made for
---@field is_again boolean the group was joined before in this session
---@field tracker corolua.Tracker
---@field held corolua.group.Held what was read and is not handled
---@field window corolua.group.Window
---@field unpacker userdata|false
---@field parked corosync.Member[] remembered by it and not there; by corolua.group.packed
---@field handlers table<string, function> of the group
---@field unhandled corolua.group.Unhandled of the group
---@field fence corolua.group.Fence|false from the quorum connection on
---@field handle userdata|false
---@field watch corolua.Watch|false it reads
---@field me corosync.Member|false the own member object, once joined
---@field newest_view corolua.View|false the newest that was read, here or before
---@field is_ready boolean the own join and the state of its ring have been read
---@field has_left boolean the own leave was read
---@field is_over boolean
---@field is_choked boolean it does not read, as too much is held
---@field why string|false it is over, in words
---@field code string|false
---@field unconfirmed table[]|false what was in the window at the end, until it is told
---@field is_newest_quorate boolean by corolua.group.state, as is_quorate
---@field is_quorate boolean at the event that is being handled
---@field info table|false by corolua.group.inbox, as all below
---@field message_kind string what a message is now: "message" or "inquorate"
---@field rest table|false the frame that is being handled
---@field handling string the event whose handler was called last
---@field h integer|false its number in a trace; false where it tells none
---@field seen integer by corolua.group.verdicts, as told_up_to
---@field told_up_to integer
local methods = {}
local connection_mt = { __name = "corolua.group.connection", __index = methods }

local connection = {}

local OVERHEAD = inbox.OVERHEAD

-- The daemon refuses to join while the join before has not gone round, or while
-- its handle is not finalized, which may happen behind our back.
local RETRY = 0.005
local RETRY_EXIST = 1

local CLOSED = { "the connection of the group has been closed", "ERR_NOT_EXIST" }

local function is_own_leave(self, left)
  for i = 1, #left do
    if left[i].member == self.me and left[i].reason == "leave" then return true end
  end
  return false
end

-- Whether it is the room's, and of the session that the room is in.
local function is_current(self)
  return self.room.connection == self and self.room.session == self.session
end

-- Each ring is looked at, since the next one is compared with it; only one that
-- leaves room for others in between waits for what is found.
local function look_for_partings(self, seq, nodes)
  local known = partings.at(self.room.place)
  if not self.fence:wants_partings(seq) then return known:see(seq, nodes) end
  known:see(seq, nodes, function(risen)
    if self.is_over then return end
    self.fence:partings(seq, risen)
    if is_current(self) then self.room.inbox:wake(self) end
  end)
end

-- What is read goes on at once; nothing here may wait. Messages are held without
-- a call, as inbox.add_message would.
local function callbacks(self)
  local held, rings = self.held, self.fence
  local values, senders = held.values, held.senders
  return {
    deliver = function(_, _, payload, from)
      if from == self.me then held.own = held.own + 1 end
      if not rings.is_open then return rings:message(payload, from) end
      local last = held.last + 1
      held.last, held.bytes = last, held.bytes + #payload + OVERHEAD
      values[last], senders[last] = payload, from
    end,
    confchg = function(_, _, members, left, joined)
      if is_own_leave(self, left) then
        self.has_left = true
        self.room.changed:notify()
      end
      rings:confchg(members, left, joined)
    end,
    totem_confchg = function(_, ring, nodes)
      rings:ring(ring, nodes)
      look_for_partings(self, ring.seq, nodes)
    end,
  }
end

--- Makes a connection, which is not connected yet, the group's.
---@param room corolua.Group
---@param session corolua.group.Session
---@return corolua.group.Connection
function connection.begin(room, session)
  local before = room.connection
  assert(not before or before.is_over, "a group has one connection at a time")
  local is_again = before and before.session == session and before.newest_view ~= false
  local self = setmetatable({
    room = room, session = session, is_again = is_again, tracker = quorum.at(room.place),
    held = inbox.held(), window = packed.window(room), unpacker = packed.unpacker(room),
    parked = {}, handlers = room.handlers, unhandled = room.unhandled,
    fence = false, handle = false, watch = false, me = false,
    newest_view = is_again and before.newest_view,
    is_ready = false, has_left = false, is_over = false, is_choked = false,
    why = false, code = false, unconfirmed = false,
    is_quorate = false, is_newest_quorate = false,
    info = false, message_kind = "message", rest = false, handling = "members",
    h = false, seen = 0, told_up_to = 0,
  }, connection_mt)
  assert(self.window:count() == 0, "a window is empty where a connection begins")
  room.connection, room.window = self, self.window
  return self
end

--- The connection of the same session that comes after this one.
---@return corolua.group.Connection
function methods:successor() return connection.begin(self.room, self.session) end

-- The deadline of all that happens until the group has joined.
local function left_until(deadline) return math.max(0, deadline - scheduler.now()) end

local function is_worth_retrying(code, since)
  if code == "ERR_EXIST" then return scheduler.now() - since < RETRY_EXIST end
  return code == "ERR_TRY_AGAIN"
end

local function join(self, deadline)
  local room = self.room
  local since = scheduler.now()
  while true do
    local me, message, code = calls.call(
      self.handle, "join", room.place.network, left_until(deadline), room.name)
    if me or self.is_over or not is_worth_retrying(code, since) then return me, message, code end
    if not scheduler.sleep(RETRY) then return nil, "stopping", "ERR_INTERRUPT" end
    if self.is_over then return nil end
  end
end

-- From the first moment the quorum connection is one with this: where it is
-- lost meanwhile, what is joined behind it is of another daemon.
local function follow(self)
  local tracker = self.tracker
  self.fence = fence.new(self, {
    free = tracker.free, previous = self.newest_view or nil, step = partings.STEP,
  })
  for _, told in ipairs(tracker.states) do self.fence:quorum(told) end
  tracker:follow(self)
end

local function connect(self, deadline)
  local ok, message, code = self.tracker:open(left_until(deadline))
  if not ok or self.is_over then return nil, message, code end
  follow(self)
  self.handle = cpg.prepare(callbacks(self), { deliver_initial_totem_conf = true })
  self.h = tell.life(self.handle, self.room.is_packed) or false
  local network = self.room.place.network
  ok, message, code = calls.call(self.handle, "initialize", network, left_until(deadline))
  if not ok or self.is_over then return nil, message, code end
  local me
  me, message, code = join(self, deadline)
  if not me or self.is_over then return nil, message, code end
  self.me = me
  return true
end

-- More is held than the group may: it reads no more, or leaves. One that leaves
-- reads on, to see its own last messages and its leave.
local function check_overload(self)
  local room = self.room
  if self.held.bytes <= room.max_held or self.is_choked or room.state ~= "joined" then return end
  if room.overload == "leave" then return reconnect.overload(self) end
  self.is_choked = true
  self:read_no_more()
end

--- Half of what may be held is handled: reading goes on.
function methods:breathe()
  local room = self.room
  if self.held.bytes > room.max_held // 2 then return end
  self.is_choked = false
  if room.connection == self and room.state == "joined" then self:read_on() end
end

-- What was read of our own is out of the window, which is told once for all that
-- were read together.
local function confirm(self)
  local held = self.held
  local count = held.own
  held.own = 0
  if count > 0 then self.window:confirm(count) end
end

local function read(self)
  if self.is_over or not self.watch then return end
  local ok, more, code = self.handle:dispatch("all")
  confirm(self)
  if not ok then return self:lost(more, code) end
  if more and self.handle:pending() > 0 then scheduler.timer(0, function() read(self) end) end
  if not is_current(self) then return end
  check_overload(self)
  self.room.inbox:wake(self)
end

--- Reads what the daemon sends, from here on.
function methods:read_on()
  if self.watch or self.is_over then return end
  self.watch = assert(scheduler.readable(self.handle:fd_get(), function() read(self) end))
  if self.handle:pending() > 0 then scheduler.timer(0, function() read(self) end) end
end

--- Leaves what the daemon sends where it is.
function methods:read_no_more()
  if self.watch then self.watch:cancel() end
  self.watch = false
end

-- Its end, where a call that waited has failed or came back too late: a handle
-- is closed to us while a thread works with it, so it is let go only now.
local function fail(self, message, code)
  self:finish(nil, message, code)
  if self.handle then calls.finalize(self.handle) end
  return nil, self.why, self.code
end

--- Connects and joins, and waits until the own join and the state of its ring
--- have been read.
---@param timeout number in seconds
---@return true? joined, string? message, string? code
function methods:start(timeout)
  local deadline = scheduler.now() + timeout
  local joined, message, code = connect(self, deadline)
  if not joined then return fail(self, message, code) end
  self:read_on()
  local _
  _, message, code = condition.wait_until(self.room.changed, function()
    return self.is_ready or self.is_over
  end, left_until(deadline))
  if self.is_ready then return true end
  return fail(self, message, code)
end

--- A view comes out of the fence, with another list or without.
---@param view corolua.View
---@param changed boolean
function methods:view(view, changed)
  self.newest_view = view
  inbox.add(self.held, changed and "members" or "ring", view)
end

--- A message comes out of the fence.
---@param payload string
---@param from corosync.Member
function methods:message(payload, from) inbox.add_message(self.held, payload, from) end

--- A ring is complete; at the first one the group has joined.
function methods:entered()
  if self.is_ready then return end
  self.is_ready = true
  self.window:open(self.handle)
  packed.set_ring(self, self.newest_view.ring)
  state.set_quorate(self, self.newest_view.quorate)
  local tracker = self.tracker
  state.set_newest_quorate(self, tracker.free or tracker.newest ~= nil and tracker.newest.quorate)
  inbox.add(self.held, "up", self.is_again)
  if not is_current(self) then return end
  self.room.me = self.me
  state.set(self.room, "joined")
end

--- A state of a ring comes out of the fence.
---@param told corolua.QuorumState
---@param view corolua.View
function methods:quorum(told, view)
  if view ~= self.newest_view then self:view(view, false) end
  inbox.add(self.held, "quorum", told)
end

--- The shared quorum connection has read a state.
---@param read_state corolua.QuorumState
function methods:has_read_state(read_state)
  if self.is_over then return end
  self.fence:quorum(read_state)
  if not is_current(self) then return end
  state.set_newest_quorate(self, read_state.quorate)
  self.room.inbox:wake(self)
end

--- The connection is let go, without waiting for the daemon unless told to. What
--- was in the window is kept until it is told.
---@param timeout number? in seconds
---@param message string? why
---@param code string?
function methods:finish(timeout, message, code)
  if self.is_over then return end
  self.is_over = true
  self.why, self.code = message or CLOSED[1], code or CLOSED[2]
  self:read_no_more()
  self.tracker:unfollow(self)
  self.unconfirmed = self.window:abandon()
  self.room.changed:notify()
  if self.handle then calls.finalize(self.handle, timeout) end
end

--- What was accepted and not read back, in order, once, as the script sent it.
---@return corolua.Unconfirmed[]
function methods:take_unconfirmed()
  local list, codec = self.unconfirmed or {}, self.room.codec
  self.unconfirmed = false
  for _, entry in ipairs(codec and list or {}) do entry.payload = codec.decode(entry.payload) end
  return list
end

--- The daemon is gone: what was read comes out, and the group is told.
---@param message string
---@param code string
function methods:lost(message, code)
  if self.is_over then return end
  if self.is_ready then self.fence:down() end
  self:finish(nil, message, code)
  if not is_current(self) then return end
  if self.room.state == "joined" then reconnect.lost(self) end
  self.room.inbox:wake(self)
end

local function wait_left(self, timeout)
  self:read_on()
  local _, message, code = condition.wait_until(self.room.changed, function()
    return self.has_left or self.is_over
  end, timeout)
  if not self.has_left then return fail(self, message, code) end
  self:finish(timeout)
  return true
end

--- Leaves the group, and waits until the own leave has been read. The
--- connection is over in any case.
---@param timeout number in seconds, for each of the two
---@return true? left, string? message, string? code
function methods:leave(timeout)
  if self.is_over then return nil, self.why, self.code end
  self:read_no_more()
  -- What waits to be sent again must not go to a handle that is closed.
  self.window:stop()
  local network = self.room.place.network
  local ok, message, code = calls.call(self.handle, "leave", network, timeout)
  if self.is_over then return fail(self) end
  if not ok then
    self:lost(message, code)
    return nil, message, code
  end
  return wait_left(self, timeout)
end

return connection
