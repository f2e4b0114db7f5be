--- The one trace that a program writes, and what its labs keep for the flight
--- recorder: when they begin and end, and who is told of them.

local encoder = require("corolua.trace_encoder")
local json_line = require("corolua.trace.json_line")
local tell = require("corolua.trace.tell")

local session = {}

local NULL = json_line.NULL

--- Bytes of a payload in a line, at most.
session.PREVIEW_MAX = 1024

-- Of the flight recorder: 8 MiB in all. Messages do not push out what is rare.
local KEPT_MESSAGES, KEPT_OTHERS = 6 << 20, 2 << 20

---@class corolua.TraceRun what is known of a run, for its first line
---@field where "lab"|"node"
---@field seed integer?
---@field nodes integer?
---@field token integer?
---@field consensus integer?
---@field two_node boolean?
---@field corosync string? the version

---@class corolua.TraceStats
---@field lines integer written
---@field dropped integer left out, as the disk was full

---@class corolua.Trace a trace that is being written
---@field path string
---@field private is_open boolean
---@field private last table|false its figures, once it is closed
local methods = {}
local trace_mt = { __name = "corolua.trace", __index = methods }

local writing = false -- the trace that is being written
local recorders = 0 -- labs that have the recorder on
local recorded = false -- the first line of what it keeps, and since when; false of nothing

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
---@param path string
---@param preview integer
---@param run corolua.TraceRun
---@return corolua.Trace? trace, string? message, string? code
function session.begin(path, preview, run)
  if writing then
    return nil, ("a trace is being written to %s already"):format(writing.path), "ERR_BUSY"
  end
  local start = encoder.now()
  local ok, message, code = encoder.start(path, first_line(run, start), start, preview)
  if not ok then return nil, "cannot write the trace " .. message, code end
  writing = setmetatable({ path = path, is_open = true, last = false }, trace_mt)
  listen()
  return writing
end

-- The network of the program: what is on its own node.
local function own_network()
  local sys = require("corolua.sys")
  local network <close> = assert(sys.namespace("net"))
  return network:inode()
end

--- Ends the trace with its last line; may be repeated. Codes: of the system, where
--- not all of it could be written: "ENOSPC" and others.
---@param options { settled: boolean }? whether all members have read the same
---@return true? written, string? message, string? code
function methods:close(options)
  if not self.is_open then return true end
  return finish(self, options ~= nil and options.settled == true)
end

--- Figures of the trace.
---@return corolua.TraceStats
function methods:stats() return self.last or figures() end

trace_mt.__close = function(self) self:close() end
trace_mt.__gc = trace_mt.__close

--- A lab has its recorder on from here on.
---@param run corolua.TraceRun
---@return true? kept, string? message, string? code
function session.record(run)
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

--- It is over with that lab; with the last one what is kept is let go, or stays
--- for whoever looks until another lab begins.
---@param stays boolean
function session.end_record(stays)
  recorders = recorders - 1
  if recorders > 0 then return end
  if not stays then
    encoder.keep(0, 0)
    recorded = false
  end
  listen()
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

--- The node that the program is on.
---@param nodeid integer
function session.set_node(nodeid) encoder.place(own_network(), nodeid) end

--- Tells a line, as corolua.trace.tell does.
session.line = line

--- Writes what the recorder has kept into a new file.
---@param path string
---@return true? written, string? message, string? code
function session.dump(path)
  if not recorded then return nil, "no lab with a recorder is open", "ERR_NOT_EXIST" end
  return encoder.dump(path, recorded.first, recorded.start)
end

-- What a lab tells the programs on its nodes: where it writes its own trace.
local PATH, PREVIEW, NODE = "COROLUA_TRACE", "COROLUA_TRACE_PREVIEW", "COROLUA_TRACE_NODE"

--- The settings with which a program on a node of a lab writes a trace beside
--- the lab's own.
---@param path string
---@param preview integer
---@param node integer
---@return string[] settings as of an environment
function session.settings(path, preview, node)
  return { PATH .. "=" .. path, ("%s=%d"):format(PREVIEW, preview), ("%s=%d"):format(NODE, node) }
end

--- Starts the trace that the environment asks for: `t.jsonl` of a lab makes
--- `t.n1.4711.jsonl` of process 4711 on node 1.
---@return corolua.Trace? trace, string? message, string? code
function session.start_as_told()
  local path, node = os.getenv(PATH), math.tointeger(tonumber(os.getenv(NODE)))
  if not path or not node then return nil, "nobody asks for a trace", "ERR_NOT_EXIST" end
  local preview = math.tointeger(tonumber(os.getenv(PREVIEW))) or 0
  local stem, ending = path:match("^(.*[^/])(%.[^./]*)$")
  local own = ("%s.n%d.%d%s"):format(stem or path, node, process_id(), ending or "")
  local made, message, code =
    session.begin(own, math.max(0, math.min(session.PREVIEW_MAX, preview)), { where = "lab" })
  if not made then return nil, message, code end
  session.set_node(node)
  encoder.tell_quorum(false)
  return made
end

return session
