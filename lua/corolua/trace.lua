--- The trace of this program: all that its members of groups see and do, as
--- lines of a file; the schema is docs/trace.md. The thin handles tell it, and
--- the group layer what it made of that.
---
--- Handles are told of that are opened while a trace is written, or while a lab
--- with its flight recorder is open.

local args = require("corolua.base.args")
local json_line = require("corolua.trace.json_line")
local session = require("corolua.trace.session")

local trace = {}

-- Operations without a value have null.
local function or_null(value)
  if value == nil then return json_line.NULL end
  return value
end

local open_ops, last_op = {}, 0 -- of each node: the operation that goes on

---@class corolua.TraceOptions
---@field preview integer? bytes of each payload in the file, 0 to 1024; 0 unless told
---@field seed integer? that the script draws from, for the first line
---@field node integer? the nodeid of the program's own node; learnt from the first join unless told

local is_node = args.integer(1, 0xffffffff)

local SPEC = {
  { "preview", args.integer(0, session.PREVIEW_MAX), 0 }, { "seed", args.integer() },
  { "node", is_node },
}

--- Writes a trace from here on: of the handles and groups that are opened until
--- it is closed. A file of that name is written anew. One trace is written at a
--- time. Codes: "ERR_BUSY", and of the system "ENOENT", "EACCES" and others.
---@param path string
---@param options corolua.TraceOptions?
---@return corolua.Trace? trace, string? message, string? code
function trace.start(path, options)
  args.value(path, args.path, "trace.start", "argument #1", 2)
  local given = args.check(options, SPEC, "trace.start", 2)
  local made, message, code =
    session.begin(path, given.preview, { where = "node", seed = given.seed })
  if made and given.node then session.set_node(given.node) end
  return made, message, code
end

local function tell_note(text, node, level)
  args.value(text, args.string, level, "the text", 3)
  if node ~= nil then args.value(node, is_node, level, "node", 3) end
  session.line("note", false, "text", text, "n", node, "level", level)
end

--- Notes what the script does now, as the heading of what follows.
---@param text string
---@param node integer? the nodeid that it is about
function trace.step(text, node) tell_note(text, node, "step") end

--- Notes something.
---@param text string
---@param node integer? the nodeid that it is about
function trace.note(text, node) tell_note(text, node, "note") end

--- Notes a state of a node, for whoever looks at the trace.
---@param node integer the nodeid
---@param value any plain values, and tables of them
function trace.state(node, value)
  args.value(node, is_node, "state", "node", 2)
  session.line("state", false, "n", node, "value", or_null(value))
end

local is_type, is_id = args.one_of("invoke", "ok", "fail", "info"), args.integer(0)

local function id_of(node, kind, id)
  if kind == "invoke" then
    last_op = last_op + 1
    id = id or last_op
    open_ops[node] = id
    return id
  end
  id = id or open_ops[node]
  if not id then error(("op: no operation of node %d goes on"):format(node), 3) end
  if open_ops[node] == id then open_ops[node] = nil end
  return id
end

--- Tells an operation on what the script keeps in the cluster: that it begins, and
--- later what came of it. "fail" says that it had no effect, "info" that nobody
--- knows. `id` may be left out where a node does one thing at a time.
---@param node integer the nodeid of who does it
---@param kind "invoke"|"ok"|"fail"|"info"
---@param f string what it does: "read"
---@param value any plain values, and tables of them
---@param id integer? of the operation
---@return integer id
function trace.op(node, kind, f, value, id)
  args.value(node, is_node, "op", "node", 2)
  args.value(kind, is_type, "op", "the type", 2)
  args.value(f, args.string, "op", "the function", 2)
  if id ~= nil then args.value(id, is_id, "op", "id", 2) end
  id = id_of(node, kind, id)
  session.line("op", false, "n", node, "id", id, "type", kind, "f", f, "value", or_null(value))
  return id
end

--- Writes what the flight recorder of a lab has kept into a new file, as a trace
--- whose beginning is missing. Codes: "ERR_NOT_EXIST" (no lab with a recorder is
--- open), and of the system "EEXIST", "ENOENT" and others.
---@param path string
---@return true? written, string? message, string? code
function trace.dump(path)
  args.value(path, args.path, "trace.dump", "argument #1", 2)
  return session.dump(path)
end

return trace
