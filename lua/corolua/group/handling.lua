--- Calls a group's handlers: one at a time, in order, in a task that exists
--- while there is something to handle. What the group shows of the cluster is
--- what was true at the event that is being handled.

local describe = require("corolua.describe")
local form = require("corolua.group.form")
local gate = require("corolua.group.gate")
local held = require("corolua.group.held")
local limit = require("corolua.limit")
local scheduler = require("corolua.scheduler")

local handling = {}

local OVERHEAD = held.OVERHEAD
local next_handler = limit.next

--- The events of a group; each with whether a handler for it is called.
handling.kinds = {
  "members", "quorum", "message", "inquorate", "gap", "malformed", "down", "up",
}

--- `corolua.on.error`, if the script has set it.
---@type (fun(message: string, group: table, event: string): boolean?)?
handling.on_error = nil

local function tell(room, kind, a, b, c)
  local handler = room.handlers[kind]
  if not handler then return room.backlog:add(kind, a, b, c) end
  room.handling = kind
  next_handler()
  handler(a, b, c)
end

-- A message costs no table: what there is to say of it is the same for all
-- that were sent in one ring and delivered in one.
local function info_of(room, sent_in)
  local info = room.info
  if not sent_in or sent_in == info.sent_in then return info end
  local ring = room.view.ring
  if sent_in.seq == ring.seq and sent_in.nodeid == ring.nodeid then sent_in = ring end
  if sent_in ~= info.sent_in then
    info = { ring = ring, sent_in = sent_in }
    room.info = info
  end
  return info
end

local function enter_view(room, view)
  local before = room.view
  room.view, room.members = view, view.members
  if not before or before.ring ~= view.ring then
    room.info = { ring = view.ring }
    form.set_ring(room, view.ring)
  end
  room.message_kind = (view.quorate or not room.requires_quorum) and "message" or "inquorate"
  form.follow(room, view)
  gate.set_quorate(room, view.quorate)
end

-- What is not a message, by the kind that stands in the sender's place.
local specials = {
  ring = enter_view,
  members = function(room, view)
    enter_view(room, view)
    tell(room, "members", view)
  end,
  quorum = function(room, state) tell(room, "quorum", state) end,
  down = function(room, why)
    form.begin(room)
    tell(room, "down", why)
  end,
  up = function(room, is_again)
    room.has_entered = true
    if is_again then tell(room, "up") end
  end,
}

local function tell_message(room, payload, from, info)
  local kind = room.message_kind
  local handler = room.handlers[kind]
  if not handler then return room.backlog:add(kind, payload, from, info) end
  room.handling = kind
  next_handler()
  handler(payload, from, info)
end

local function handle_bytes(room, bytes, from, info)
  if not room.codec then return tell_message(room, bytes, from, info) end
  local value, why = room.codec.decode(bytes)
  if value == nil then return tell(room, "malformed", bytes, from, why) end
  tell_message(room, value, from, info)
end

-- The messages of the frame that is being handled; those behind one whose
-- handler raised come first when the group goes on.
local function handle_rest(room)
  local rest = room.rest
  local payloads, count, from, info = rest.payloads, rest.count, rest.from, rest.info
  local handle = room.codec and handle_bytes or tell_message
  for i = rest.next, count do
    rest.next = i + 1
    handle(room, payloads[i], from, info)
  end
  room.rest = nil
end

local NOTHING = {}

local function handle_frame(room, frame, from)
  local payloads, first, sent_in, gap_first, gap_last = room.unpacker:read(from, frame)
  if payloads == nil then return tell(room, "malformed", frame, from, first) end
  payloads = payloads or NOTHING
  room.rest = {
    payloads = payloads, count = #payloads, next = 1, from = from, info = info_of(room, sent_in),
  }
  if gap_first then tell(room, "gap", from, gap_first, gap_last) end
  handle_rest(room)
end

-- Half of what may be held is handled: reading goes on.
local function breathe(room)
  if room.held.bytes > room.max_held // 2 then return end
  room.is_choked = false
  if room.state == "joined" then room.life:read_on() end
end

local function handle_other(room, payload, from)
  if room.unpacker then
    handle_frame(room, payload, from)
  else
    handle_bytes(room, payload, from, room.info)
  end
end

-- Events leave the queue before they are handled, and a handler that waits lets
-- others in behind. The queue is looked into as it is: this is the path of every
-- message, and a call for each would cost as much as all the rest.
local function handle_all(room)
  local queue = room.held
  local values, senders = queue.values, queue.senders
  local handle = (room.unpacker or room.codec) and handle_other or tell_message
  if room.rest then handle_rest(room) end
  while queue.first <= queue.last do
    local first = queue.first
    local value, sender = values[first], senders[first]
    values[first], senders[first] = nil, nil
    if first == queue.last then queue.first, queue.last = 1, 0 else queue.first = first + 1 end
    local special = specials[sender]
    if special then
      special(room, value)
    else
      queue.bytes = queue.bytes - #value - OVERHEAD
      handle(room, value, sender, room.info)
    end
    if room.is_choked then breathe(room) end
  end
end

-- Where the script's own frames end, ours begin, which say nothing.
local function note(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  local trace = debug.traceback(describe(problem), 2)
  return (trace:gsub("\n\t[^\n]*corolua/group/handling%.lua.*$", ""))
end

-- True if the group goes on after an error.
local function is_forgiven(room, problem)
  local on_error = handling.on_error
  return on_error ~= nil and on_error(problem, room, room.handling) == true
end

-- Handles what there is; false if an error ends the program, or a stop the handler.
local function handle_guarded(room)
  while true do
    local ok, problem = limit.pcall(note, handle_all, room)
    if ok then return true end
    if rawequal(problem, limit.STOPPED) then return false end
    problem = ("group '%s', handler of '%s': %s"):format(room.name, room.handling, problem)
    if not is_forgiven(room, problem) then
      scheduler.fail(problem)
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
  until gate.is_over(room) or not scheduler.park()
  if room.pump == pump then room.pump, room.is_handling = nil, false end
  if gate.is_over(room) then room.backlog:finish() end
end

--- Has what was read handled, unless that is going on.
---@param room table the group
function handling.wake(room)
  if room.is_handling or room.held.first > room.held.last then return end
  room.is_handling = true
  if not room.pump or not scheduler.unpark(room.pump, true) then
    room.pump = scheduler.spawn(run, room)
    room.pump.resume = limit.resume
  end
end

--- Nothing more is to come: who waits for it is told, after what there is has
--- been handled.
---@param room table the group
function handling.finish(room)
  if room.is_handling then return end
  room.backlog:finish()
  if room.pump then scheduler.unpark(room.pump, false) end
  room.pump = nil
end

--- Whether no event is to come any more.
---@param room table the group
---@return boolean
function handling.is_over(room) return gate.is_over(room) and not room.is_handling end

--- Whether the caller is a handler of this group.
---@param room table
---@return boolean
function handling.is_inside(room)
  return room.is_handling and room.pump == scheduler.current()
end

return handling
