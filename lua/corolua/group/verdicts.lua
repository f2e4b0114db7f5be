--- What a group tells a trace of its own: what it took the messages for that it
--- handled, and what it told the script beside them. Only connections whose `h`
--- the trace has given come here.

local tell = require("corolua.trace.tell")

local verdicts = {}

local function ring_text(ring) return ("%d.%x"):format(ring.nodeid, ring.seq) end

--- The same function of a connection, which counts its calls.
---@param handle fun(life: corolua.group.Life, ...: any)
---@return fun(life: corolua.group.Life, ...: any)
function verdicts.counted(handle)
  return function(life, payload, from, info)
    life.seen = life.seen + 1
    return handle(life, payload, from, info)
  end
end

--- Something else than a message comes now: what the messages since the last time
--- were handled as. Where quorum is ignored they may be of any ring.
---@param life corolua.group.Life
function verdicts.end_run(life)
  if life.seen == life.told_up_to then return end
  life.told_up_to = life.seen
  local as = life.room.requires_quorum and life.message_kind or "any"
  tell.line("handled", life.h, "as", as, "ring", ring_text(life.info.ring), "i", life.seen)
end

local lines = {
  gap = function(h, member, first, last)
    tell.line("gap", h, "f", tostring(member), "first", first, "last", last)
  end,
  malformed = function(h, bytes, from, why)
    tell.line("malformed", h, "f", tostring(from), "b", #bytes, "why", why)
  end,
  down = function(h, why)
    tell.line("down", h, "code", why.code, "unconfirmed", #why.unconfirmed)
  end,
  up = function(h) tell.line("up", h) end,
}

--- An event is told to the script.
---@param life corolua.group.Life
---@param kind string
---@param ... any its arguments
function verdicts.tell(life, kind, ...)
  local tell_line = lines[kind]
  if tell_line then tell_line(life.h, ...) end
end

return verdicts
