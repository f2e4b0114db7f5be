--- Calls a group's handlers: one at a time, in order, in a task that exists
--- while there is something to handle. What the group shows of the cluster is
--- what was true at the event that is being handled.
---
--- Events stay with the connection that read them. The inbox of a connection is
--- handled to its end before that of the next one is begun; and where a group
--- joins anew, what is left of the joins before is dropped and counted.

local describe = require("corolua.base.describe")
local forgiving = require("corolua.task.forgiving")
local form = require("corolua.group.form")
local gate = require("corolua.group.state")
local inbox = require("corolua.group.inbox")
local limit = require("corolua.limit")
local scheduler = require("corolua.task.scheduler")
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

local handling = {}

local OVERHEAD = inbox.OVERHEAD
local next_handler = limit.next

--- The events of a group; each with whether a handler for it is called.
handling.kinds = {
  "members", "quorum", "message", "inquorate", "gap", "malformed", "down", "up",
}

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

local function tell(life, kind, a, b, c)
  if life.h then verdicts.tell(life, kind, a, b, c) end
  local handler = life.handlers[kind]
  if not handler then return life.backlog:add(kind, a, b, c, size_of(kind, a)) end
  life.handling = kind
  next_handler()
  handler(a, b, c)
end

-- A message costs no table: what there is to say of it is the same for all
-- that were sent in one ring and delivered in one.
local function info_of(life, sent_in)
  local info = life.info
  if not sent_in or sent_in == info.sent_in then return info end
  local ring = info.ring
  if sent_in.seq == ring.seq and sent_in.nodeid == ring.nodeid then sent_in = ring end
  if sent_in ~= info.sent_in then
    info = { ring = ring, sent_in = sent_in }
    life.info = info
  end
  return info
end

-- The view, and whether there is quorum in it, change together.
local function enter_view(life, view)
  local room, info = life.room, life.info
  room.view, room.members = view, view.members
  if not info or info.ring ~= view.ring then
    life.info = { ring = view.ring }
    form.set_ring(life, view.ring)
  end
  life.message_kind = (view.quorate or not room.requires_quorum) and "message" or "inquorate"
  form.follow(life, view)
  gate.set_quorate(life, view.quorate)
end

-- What is not a message, by the kind that stands in the sender's place.
local specials = {
  ring = enter_view,
  members = function(life, view)
    enter_view(life, view)
    tell(life, "members", view)
  end,
  quorum = function(life, state)
    assert(life.info.ring.seq == state.ring.seq, "a state is handled in its own ring")
    tell(life, "quorum", state)
  end,
  down = function(life, why) tell(life, "down", why) end,
  up = function(life, is_again)
    life.session.has_entered = true
    life.room.changed:notify()
    if is_again then tell(life, "up") elseif life.h then verdicts.tell(life, "up") end
  end,
}

local function tell_message(life, payload, from, info, size)
  local kind = life.message_kind
  local handler = life.handlers[kind]
  if not handler then return life.backlog:add(kind, payload, from, info, size or #payload) end
  life.handling = kind
  next_handler()
  handler(payload, from, info)
end

local function handle_bytes(life, bytes, from, info)
  local codec = life.room.codec
  if not codec then return tell_message(life, bytes, from, info) end
  local value, why = codec.decode(bytes)
  if value == nil then return tell(life, "malformed", bytes, from, why) end
  tell_message(life, value, from, info, #bytes)
end

-- The messages of the frame that is being handled; those behind one whose
-- handler raised come first when the group goes on, and there are none any more
-- where a handler has joined anew.
local function handle_rest(life)
  local rest = life.rest
  local payloads, from, info = rest.payloads, rest.from, rest.info
  local handle = life.room.codec and handle_bytes or tell_message
  for i = rest.next, rest.count do
    local payload = payloads[i]
    if not payload then break end
    rest.next = i + 1
    handle(life, payload, from, info)
  end
  life.rest = false
end

local NOTHING = {}

local function handle_frame(life, frame, from)
  local payloads, first, sent_in, gap_first, gap_last = life.unpacker:read(from, frame)
  if payloads == nil then return tell(life, "malformed", frame, from, first) end
  payloads = payloads or NOTHING
  life.rest = {
    payloads = payloads, count = #payloads, next = 1, from = from, info = info_of(life, sent_in),
  }
  if gap_first then tell(life, "gap", from, gap_first, gap_last) end
  handle_rest(life)
end

-- Half of what may be held is handled: reading goes on.
local function breathe(life)
  local room = life.room
  if life.inbox.bytes > room.max_held // 2 then return end
  life.is_choked = false
  if room.life == life and room.state == "joined" then life:read_on() end
end

local function handle_other(life, payload, from)
  if life.unpacker then
    handle_frame(life, payload, from)
  else
    handle_bytes(life, payload, from, life.info)
  end
end

local counted_other, counted_message = verdicts.counted(handle_other), verdicts.counted(tell_message)

-- How a message is handled; one of a life that a trace is told of is counted.
local function way_of(life)
  local way = (life.unpacker or life.room.codec) and handle_other or tell_message
  if not life.h then return way end
  return way == handle_other and counted_other or counted_message
end

-- Events leave the inbox before they are handled, and a handler that waits lets
-- others in behind. The inbox is looked into as it is: this is the path of every
-- message, and a call for each would cost as much as all the rest.
local function handle_inbox(life)
  local queue = life.inbox
  local values, senders = queue.values, queue.senders
  local handle = way_of(life)
  if life.rest then handle_rest(life) end
  while queue.first <= queue.last do
    local first = queue.first
    local value, sender = values[first], senders[first]
    values[first], senders[first] = nil, nil
    if first == queue.last then queue.first, queue.last = 1, 0 else queue.first = first + 1 end
    local special = specials[sender]
    if special then
      if life.h then verdicts.end_run(life) end
      special(life, value)
    else
      queue.bytes = queue.bytes - #value - OVERHEAD
      handle(life, value, sender, life.info)
    end
    if life.is_choked then breathe(life) end
  end
end

-- Connection after connection, each to its end.
local function handle_all(room)
  local lives = room.lives
  while lives[1] do
    local life = lives[1]
    room.handled = life
    handle_inbox(life)
    if lives[1] == life then
      if not life.is_over then return end
      if life.h then verdicts.end_run(life) end
      table.remove(lives, 1).is_listed = false
      gate.update(room)
    end
  end
end

-- Where the script's own frames end, ours begin, which say nothing.
local function note(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  local trace = debug.traceback(describe(problem), 2)
  return (trace:gsub("\n\t[^\n]*corolua/group/handling%.lua.*$", ""))
end

-- Handles what there is; false if an error ends the program, or a stop the handler.
local function handle_guarded(room)
  while true do
    local ok, problem = limit.pcall(note, handle_all, room)
    if ok then return true end
    if rawequal(problem, limit.STOPPED) then return false end
    local event = room.handled.handling
    problem = ("group '%s', handler of '%s': %s"):format(room.name, event, problem)
    local failure = forgiving.ask(problem, room, event)
    if failure then
      scheduler.fail(failure)
      return false
    end
  end
end

-- The task stays for the next events, as starting one costs more than waiting,
-- until the group is over or the program stops.
local function run(room)
  local pump = scheduler.current()
  repeat
    if not handle_guarded(room) then break end
    room.is_handling = false
    if room.changed.waiters[1] then room.changed:notify() end
  until gate.is_over(room) or not scheduler.park()
  if room.pump == pump then room.pump, room.is_handling = false, false end
  if gate.is_over(room) then room.backlog:finish() end
  room.changed:notify()
end

-- A task that was closed in the middle of a handler handles nothing any more.
local function is_busy(room)
  return room.is_handling and not (room.pump and room.pump:is_done())
end

-- What a connection has read is dropped: how many events that is.
local function abandon(life)
  local rest, count = life.rest, life.inbox:drop()
  if rest then
    for i = rest.next, rest.count do
      rest.payloads[i] = nil
      count = count + 1
    end
  end
  life.is_listed = false
  return count
end

--- Has what the connection has read handled, unless that is going on.
---@param life corolua.group.Life
function handling.wake(life)
  local room = life.room
  if life.inbox.first > life.inbox.last then return end
  if room.session and life.session ~= room.session then
    room.backlog.dropped = room.backlog.dropped + abandon(life)
    return
  end
  if not life.is_listed then
    life.is_listed = true
    table.insert(room.lives, life)
  end
  if is_busy(room) then return end
  room.is_handling = true
  if not room.pump or not scheduler.unpark(room.pump, true) then
    room.pump = scheduler.spawn(run, room)
    room.pump.resume = limit.resume
  end
end

--- The group joins anew: nothing of the joins before is handled or read from
--- here on.
---@param room corolua.Group
function handling.begin(room)
  for i = #room.lives, 1, -1 do
    local life = table.remove(room.lives, i)
    room.backlog.dropped = room.backlog.dropped + abandon(life)
  end
  room.backlog:clear()
  room.view, room.members = nil, nil
end

--- Nothing more is to come: who waits for it is told, after what there is has
--- been handled.
---@param room corolua.Group
function handling.finish(room)
  if is_busy(room) then return end
  room.backlog:finish()
  if room.pump then scheduler.unpark(room.pump, false) end
  room.pump, room.is_handling = false, false
end

--- Waits until all that was read has been handled; not in a handler of the group
--- itself, which cannot wait for those behind it.
---@param room corolua.Group
---@param timeout number in seconds
function handling.wait_done(room, timeout)
  if handling.is_inside(room) then return end
  room.changed:wait_until(function() return not is_busy(room) end, timeout)
end

--- Whether no event is to come any more.
---@param room corolua.Group
---@return boolean
function handling.is_over(room) return gate.is_over(room) and not is_busy(room) end

--- Whether the caller is a handler of this group.
---@param room corolua.Group
---@return boolean
function handling.is_inside(room)
  return room.is_handling and room.pump == scheduler.current()
end

return handling
