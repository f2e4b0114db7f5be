--- What a group tells a trace of its own: what it took the messages for that it
--- handled, and what it told the script beside them. Only connections whose `h`
--- the trace has given come here.

local tell = require("corolua.trace.tell")

local verdicts = {}

local function ring_text(ring) return ("%d.%x"):format(ring.nodeid, ring.seq) end

--- The same function of a connection, which counts its calls.
---@param handle fun(connection: corolua.group.Connection, ...: any)
---@return fun(connection: corolua.group.Connection, ...: any)
function verdicts.counted(handle)
  return function(connection, payload, from, info)
    connection.seen = connection.seen + 1
    return handle(connection, payload, from, info)
  end
end

--- Something else than a message comes now: what the messages since the last time
--- were handled as. A group that ignores quorum has nothing to tell.
---@param connection corolua.group.Connection
function verdicts.end_run(connection)
  if connection.seen == connection.told_up_to then return end
  connection.told_up_to = connection.seen
  if not connection.room.requires_quorum then return end
  tell.line("handled", connection.h, "as", connection.message_kind,
    "ring", ring_text(connection.info.ring), "i", connection.seen)
end

local lines = {
  members = function(h, view)
    if not view.hidden then return end
    tell.line("hidden", h, "ring", ring_text(view.ring), "nodes", view.hidden)
  end,
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
---@param connection corolua.group.Connection
---@param kind string
---@param ... any its arguments
function verdicts.tell(connection, kind, ...)
  local tell_line = lines[kind]
  if tell_line then tell_line(connection.h, ...) end
end

return verdicts
