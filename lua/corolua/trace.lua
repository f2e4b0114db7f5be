--- The trace of this program: all that its members of groups see and do, as
--- lines of a file; the schema is docs/trace.md. The thin handles tell it, and
--- the group layer what it made of that.
---
--- Handles are told of that are opened while a trace is written, or while a lab
--- with its flight recorder is open.

local args = require("corolua.base.args")
local encoder = require("corolua.trace_encoder")
local json_line = require("corolua.trace.json_line")
local tell = require("corolua.trace.tell")

local trace = {}

local NULL = json_line.NULL
local PREVIEW_MAX = 1024

-- Of the flight recorder: 8 MiB in all. Messages do not push out what is rare.
local KEPT_MESSAGES, KEPT_OTHERS = 6 << 20, 2 << 20

---@class corolua.TraceOptions
---@field preview integer? bytes of each payload in the file, 0 to 1024; 0 unless told
---@field seed integer? that the script draws from, for the first line
---@field node integer? the nodeid of the program's own node; learnt from the first join unless told

---@class corolua.TraceRun what is known of a run, for its first line
---@field where "lab"|"node"
---@field seed integer?
---@field nodes integer?
---@field token integer?
---@field consensus integer?
---@field two_node boolean?
---@field corosync string? the version

---@class corolua.Trace a trace that is being written
---@field path string
---@field private is_open boolean
---@field private last corolua.TraceStats|false its figures, once it is closed
local methods = {}
local trace_mt = { __name = "corolua.trace", __index = methods }

local writing = false -- the trace that is being written
local recorders = 0 -- labs that have the recorder on
local recorded -- the first line of what it keeps, and since when
local open_ops, last_op = {}, 0 -- of each node: the operation that goes on

local function line(kind, h, ...)
  if h then return encoder.line(kind, json_line.pairs("h", h, ...), h) end
  encoder.line(kind, json_line.pairs(...))
end

local LOUD = { life = encoder.life, line = line, place = encoder.place }

-- Handles that are made from here on tell, or do not.
local function listen()
  local is_wanted = writing or recorders > 0
  tell.use(is_wanted and LOUD or tell.SILENT)
  if is_wanted then encoder.open() else encoder.close() end
end

local function read_line(path)
  local file <close> = io.open(path)
  return file and file:read("l")
end

-- Those that are not known are null, so that all first lines are alike.
local function or_null(value)
  if value == nil then return NULL end
  return value
end

local function version()
  local found, host = pcall(require, "corolua.host") -- not in stock lua5.4
  return found and host.version or nil
end

---@param run corolua.TraceRun
local function first_line(run, start)
  return '{"k":"run"' .. json_line.pairs(
    "v", 1, "at", os.date("!%Y-%m-%dT%H:%M:%SZ"), "mono", start,
    "boot", or_null(read_line("/proc/sys/kernel/random/boot_id")), "where", run.where,
    "script", or_null(type(arg) == "table" and arg[0] or nil), "seed", or_null(run.seed),
    "nodes", or_null(run.nodes), "token", or_null(run.token),
    "consensus", or_null(run.consensus), "two_node", or_null(run.two_node),
    "corolua", or_null(version()), "corosync", or_null(run.corosync)) .. "}\n"
end

local function figures()
  local stats = encoder.stats()
  return { lines = stats.lines, dropped = stats.dropped }
end

local function finish(self, is_settled)
  self.is_open = false
  encoder.tell_places()
  line("stop", false, "settled", is_settled, "dropped", encoder.stats().dropped)
  self.last = figures()
  writing = false
  listen()
  return encoder.stop()
end

--- Begins a trace of a run that is described; `trace.start` is for scripts.
---@private
---@param path string
---@param preview integer
---@param run corolua.TraceRun
---@return corolua.Trace? trace, string? message, string? code
function trace.begin(path, preview, run)
  if writing then
    return nil, ("a trace is being written to %s already"):format(writing.path), "ERR_BUSY"
  end
  local start = encoder.now()
  local ok, message, code = encoder.start(path, first_line(run, start), start, preview)
  if not ok then return nil, "cannot write the trace " .. message, code end
  writing = setmetatable({ path = path, is_open = true, last = false }, trace_mt)
  open_ops, last_op = {}, 0
  listen()
  return writing
end

local is_node = args.integer(1, 0xffffffff)

local SPEC = {
  { "preview", args.integer(0, PREVIEW_MAX), 0 }, { "seed", args.integer() }, { "node", is_node },
}

local function own_network()
  local sys = require("corolua.sys")
  local network <close> = assert(sys.namespace("net"))
  return network:inode()
end

--- Writes a trace from here on: of the handles and groups that are opened until
--- it is closed. A file of that name is written anew. One trace is written at a
--- time. Codes: "ERR_BUSY", and of the system "ENOENT", "EACCES" and others.
---@param path string
---@param options corolua.TraceOptions?
---@return corolua.Trace? trace, string? message, string? code
function trace.start(path, options)
  args.value(path, args.string, "trace.start", "the path", 2)
  local given = args.check(options, SPEC, "trace.start", 2)
  local made, message, code =
    trace.begin(path, given.preview, { where = "node", seed = given.seed })
  if made and given.node then encoder.place(own_network(), given.node) end
  return made, message, code
end

--- Ends the trace with its last line; may be repeated. Codes: of the system, where
--- not all of it could be written: "ENOSPC" and others.
---@param options { settled: boolean }? whether all members have read the same
---@return true? written, string? message, string? code
function methods:close(options)
  if not self.is_open then return true end
  return finish(self, options ~= nil and options.settled == true)
end

---@class corolua.TraceStats
---@field lines integer written
---@field dropped integer left out, as the disk was full

--- Figures of the trace.
---@return corolua.TraceStats
function methods:stats() return self.last or figures() end

trace_mt.__close = function(self) self:close() end
trace_mt.__gc = trace_mt.__close

local function tell_note(text, node, level)
  args.value(text, args.string, level, "the text", 3)
  if node ~= nil then args.value(node, is_node, level, "node", 3) end
  line("note", false, "text", text, "n", node, "level", level)
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
  line("state", false, "n", node, "value", or_null(value))
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
  line("op", false, "n", node, "id", id, "type", kind, "f", f, "value", or_null(value))
  return id
end

--- A lab has its recorder on from here on.
---@private
---@param run corolua.TraceRun
---@return true? kept, string? message, string? code
function trace.record(run)
  if recorders == 0 then
    local ok, message, code = encoder.keep(KEPT_MESSAGES, KEPT_OTHERS)
    if not ok then return nil, message, code end
    local start = encoder.now()
    recorded = { first = first_line(run, start), start = start }
  end
  recorders = recorders + 1
  listen()
  return true
end

--- It is over with that lab; with the last one what is kept is let go.
---@private
function trace.end_record()
  recorders = recorders - 1
  if recorders > 0 then return end
  encoder.keep(0, 0)
  listen()
end

--- Writes what the flight recorder of a lab has kept into a new file, as a trace
--- whose beginning is missing. Codes: "ERR_NOT_EXIST" (no lab with a recorder is
--- open), and of the system "EEXIST", "ENOENT" and others.
---@param path string
---@return true? written, string? message, string? code
function trace.dump(path)
  args.value(path, args.string, "trace.dump", "the path", 2)
  if recorders == 0 then return nil, "no lab with a recorder is open", "ERR_NOT_EXIST" end
  return encoder.dump(path, recorded.first, recorded.start)
end

--- Has what is told so far written to the file.
---@return true? written, string? message, string? code
function methods:flush()
  if not self.is_open then return true end
  return encoder.flush()
end

local function process_id()
  local file <close> = assert(io.open("/proc/self/stat"))
  return file:read("n")
end

-- What a lab tells the programs on its nodes: where it writes its own trace.
local PATH, PREVIEW, NODE = "COROLUA_TRACE", "COROLUA_TRACE_PREVIEW", "COROLUA_TRACE_NODE"

--- The settings with which a program on a node of a lab writes a trace beside
--- the lab's own.
---@private
---@param path string
---@param preview integer
---@param node integer
---@return string[] settings as of an environment
function trace.settings(path, preview, node)
  return { PATH .. "=" .. path, ("%s=%d"):format(PREVIEW, preview), ("%s=%d"):format(NODE, node) }
end

--- Starts the trace that the environment asks for: `t.jsonl` of a lab makes
--- `t.n1.4711.jsonl` of process 4711 on node 1.
---@private
---@return corolua.Trace? trace, string? message, string? code
function trace.start_as_told()
  local path, node = os.getenv(PATH), math.tointeger(tonumber(os.getenv(NODE)))
  if not path or not node then return nil, "nobody asks for a trace", "ERR_NOT_EXIST" end
  local preview = math.tointeger(tonumber(os.getenv(PREVIEW))) or 0
  local stem, ending = path:match("^(.*[^/])(%.[^./]*)$")
  local own = ("%s.n%d.%d%s"):format(stem or path, node, process_id(), ending or "")
  local made, message, code =
    trace.begin(own, math.max(0, math.min(PREVIEW_MAX, preview)), { where = "lab" })
  if not made then return nil, message, code end
  encoder.place(own_network(), node)
  encoder.tell_quorum(false)
  return made
end

return trace
