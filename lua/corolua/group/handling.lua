--- Calls a group's handlers: one at a time, in order, in a task that exists
--- while there is something to handle. What the group shows of the cluster is
--- what was true at the event that is being handled.

local describe = require("corolua.describe")
local gate = require("corolua.group.gate")
local scheduler = require("corolua.scheduler")

local handling = {}

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
  handler(a, b, c)
end

local function enter_view(room, view)
  room.view = view
  if not room.info or room.info.ring ~= view.ring then room.info = { ring = view.ring } end
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
  down = function(room, why) tell(room, "down", why) end,
  up = function(room, is_again)
    room.has_entered = true
    if is_again then tell(room, "up") end
  end,
}

local function handle_message(room, payload, from)
  room.held:release(payload)
  if room.view.quorate or not room.requires_quorum then
    tell(room, "message", payload, from, room.info)
  else
    tell(room, "inquorate", payload, from, room.info)
  end
end

-- Half of what may be held is handled: reading goes on.
local function breathe(room)
  if room.held.bytes > room.max_held // 2 then return end
  room.is_choked = false
  if room.state == "joined" then room.life:read_on() end
end

local function handle_all(room)
  local held = room.held
  while held.first <= held.last do
    local value, sender = held:take()
    local special = specials[sender]
    if special then special(room, value) else handle_message(room, value, sender) end
    if room.is_choked then breathe(room) end
  end
end

local function note(problem)
  return debug.traceback(describe(problem), 2)
end

-- True if the group goes on after an error.
local function is_forgiven(room, problem)
  local on_error = handling.on_error
  return on_error ~= nil and on_error(problem, room, room.handling) == true
end

local function run(room)
  room.pump = coroutine.running()
  local ok, problem
  repeat
    ok, problem = xpcall(handle_all, note, room)
    if not ok then
      local trace = problem
      problem = ("group '%s', handler of '%s': %s"):format(room.name, room.handling, trace)
      if not is_forgiven(room, problem) then
        room.pump = nil
        return scheduler.fail(problem)
      end
    end
  until ok
  room.pump = nil
end

--- Has what was read handled, unless that is going on.
---@param room table the group
function handling.wake(room)
  if room.pump or room.held.first > room.held.last then return end
  room.pump = scheduler.spawn(run, room)
end

--- Whether the caller is a handler of this group.
---@param room table
---@return boolean
function handling.is_inside(room) return room.pump == coroutine.running() end

return handling
