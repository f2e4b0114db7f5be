--- Reads the lines of trace files into a history. The two kinds that a trace is
--- full of are matched by a pattern, all others are read as JSON. What cannot be
--- read ends the reading there: what comes behind it would be judged without it.

local history = require("corolua.check.history")
local json = require("corolua.base.json")

local lines = {}

---@class corolua.check.Problem why a trace is not whole
---@field file string
---@field line integer
---@field text string
---@field is_cut boolean? the end is missing, and nothing else
---@field has_gaps boolean? lines are missing anywhere

-- The newest schema that is understood.
local VERSION = 1

-- A reference to a line: the file's number and the line's.
local FILE = 40

--- The number of the file, and that of the line in it.
---@param ref integer
---@return integer file, integer line
function lines.place(ref) return ref >> FILE, ref & (1 << FILE) - 1 end

--- The reference to a line.
---@param file integer
---@param line integer
---@return integer
function lines.ref(file, line) return file << FILE | line end

local match, byte, find = string.match, string.byte, string.find

local RAW = '^"t":%d+,"h":(%d+),"f":"([^"\\]+)","x":"([^"\\]+)"'
local PACKED = '^"t":%d+,"h":(%d+),"f":"([^"\\]+)","m":%d+,"x":"([^"\\]+)"'
local SEND = '^"t":%d+,"h":(%d+),"m":(%d+),"x":"([^"\\]+)","b":(%d+)'

---@class corolua.check.Source a file, or another place that lines come from
---@field name string
---@field base integer what stands above the line in a reference
---@field line integer the last one that was read
---@field lives table<string, corolua.check.Life> by `h`
---@field run table? its first line
---@field stop table? its last one

---@param name string
---@param index integer
---@return corolua.check.Source
function lines.source(name, index)
  return { name = name, base = index << FILE, line = 0, lives = {}, run = false, stop = false }
end

local function life_of(past, source, h)
  local key = ("%d"):format(h)
  local life = source.lives[key]
  if not life then
    life = past:begin_life(h)
    source.lives[key] = life
  end
  return life
end

-- What the fields of an event must be, for it to be one.
local function is_text(value) return type(value) == "string" end
local function is_integer(value) return math.type(value) == "integer" end
local function is_ring(value) return is_text(value) and match(value, "^%d+%.%x+$") ~= nil end

local function is_list_of(is_item)
  return function(value)
    if type(value) ~= "table" then return false end
    for _, item in pairs(value) do
      if not is_item(item) then return false end
    end
    return true
  end
end

local is_nodes, is_members = is_list_of(is_integer), is_list_of(is_text)

local is_changes = is_list_of(function(item)
  return type(item) == "table" and is_text(item[1]) and is_text(item[2])
end)

local function is_nodes_or_none(value) return value == nil or is_nodes(value) end

local FIELDS = {
  join = { h = is_integer, n = is_integer, p = is_integer, g = is_text },
  send = { h = is_integer, m = is_integer, x = is_text, b = is_integer },
  recv = { h = is_integer, f = is_text, x = is_text },
  refuse = { h = is_integer, code = is_text },
  conf = { h = is_integer, members = is_members, left = is_changes, joined = is_changes },
  ring = { h = is_integer, ring = is_ring, nodes = is_nodes },
  quorum = { n = is_integer, ring = is_ring, nodes = is_nodes },
  handled = { h = is_integer, as = is_text, ring = is_ring, i = is_integer },
  hidden = { h = is_integer, ring = is_ring, nodes = is_nodes },
  ["end"] = { h = is_integer, why = is_text, unconfirmed = is_nodes_or_none },
  fault = { op = is_text },
  proc = { n = is_integer, what = is_text },
  op = { type = is_text },
}

local readers = {}

for _, name in ipairs({ "join", "conf", "ring", "finish", "hidden" }) do
  readers[name == "finish" and "end" or name] = function(past, source, event, ref)
    past[name](past, life_of(past, source, event.h), event, ref)
  end
end

function readers.send(past, source, event, ref)
  past:send(life_of(past, source, event.h), event.x, event.m, event.b, ref)
end

function readers.recv(past, source, event, ref)
  past:deliver(life_of(past, source, event.h), event.f, event.x, ref)
end

-- A send that fails otherwise may have gone out all the same.
function readers.refuse(past, source, event)
  if event.code ~= "ERR_TRY_AGAIN" then life_of(past, source, event.h).is_unsure = true end
end

function readers.handled(past, source, event, ref)
  local life = life_of(past, source, event.h)
  table.insert(past.rulings,
    { life = life, as = event.as, ring = event.ring, i = event.i, ref = ref })
end

function readers.quorum(past, _, event, ref)
  local nodes = table.move(event.nodes, 1, #event.nodes, 1, {})
  table.sort(nodes)
  table.insert(past.quorums, { n = event.n, t = event.t, quorate = event.quorate == true,
    ring = event.ring, nodes = nodes, ref = ref })
end

local function keep(list)
  return function(past, _, event, ref)
    event.ref = ref
    table.insert(past[list], event)
  end
end

readers.fault, readers.proc, readers.op = keep("faults"), keep("processes"), keep("ops")

-- The first thing of an event that is not as it must be.
local function fault_of(event)
  if not is_integer(event.t) then return "t" end
  for name, is_right in pairs(FIELDS[event.k] or {}) do
    if not is_right(event[name]) then return name end
  end
end

-- Programs on the nodes of a lab know nothing of its size: so two that do are two.
local function is_other_lab(past, event)
  for _, run in ipairs(past.runs) do
    if is_integer(run.nodes) and is_integer(event.nodes) then return true end
  end
  return false
end

-- What is not of this schema is told, and nothing of it is used.
local function check_run(past, source, event)
  local known = past.runs[1]
  if math.type(event.v) ~= "integer" then return "has no version" end
  if event.v > VERSION then
    return ("is of version %d, which is newer than this program knows (%d)")
      :format(event.v, VERSION)
  end
  if source.run then return "begins another run" end
  if known and known.boot ~= event.boot then
    return "is of another boot than the first file: their clocks cannot be compared"
  end
  if is_other_lab(past, event) then return "is of another lab: these are two runs" end
end

local function read_run(past, source, event, ref)
  local why = check_run(past, source, event)
  if why then return why end
  event.t, event.ref, source.run = 0, ref, event
  if math.type(event.mono) ~= "integer" then event.mono = 0 end
  source.offset = event.mono - (past.runs[1] or event).mono
  table.insert(past.runs, event)
end

--- Takes one event as a table.
---@param past corolua.check.Past
---@param source corolua.check.Source
---@param event any
---@return string? why it cannot be taken
function lines.take(past, source, event)
  local ref = source.base | source.line
  if type(event) ~= "table" or type(event.k) ~= "string" then return "is no event" end
  if event.k == "run" then return read_run(past, source, event, ref) end
  if not source.run then return "is before any run: the beginning is missing" end
  local wrong = fault_of(event)
  if wrong then return ("has no right '%s'"):format(wrong) end
  event.t = event.t + source.offset
  if event.t > past.last_t then past.last_t = event.t end
  if event.k == "stop" then
    event.ref, source.stop = ref, event
    return
  end
  local read = readers[event.k]
  if read then read(past, source, event, ref) end
end

local function take_text(past, source, text)
  local event, why = json.decode(text)
  if event == nil then return "is no JSON: " .. why end
  return lines.take(past, source, event)
end

local deliver, send = history.deliver, history.send

-- Takes the line that stands in a text. The hot kinds make no string of it, and
-- one that is not as they mostly are is read as any other.
local function read(past, source, text, first, last)
  local line = source.line + 1
  source.line = line
  local third = byte(text, first + 8) -- {"k":"recv and {"k":"send: the third letter tells
  if third == 99 and byte(text, last) == 125 then
    local h, from, key = match(text, RAW, first + 12)
    if not h then h, from, key = match(text, PACKED, first + 12) end
    local life = source.lives[h]
    if life then return deliver(past, life, from, key, source.base | line) end
  elseif third == 110 and byte(text, first + 6) == 115 and byte(text, last) == 125 then
    local h, m, key, bytes = match(text, SEND, first + 12)
    local life = source.lives[h]
    if life then
      return send(past, life, key, math.tointeger(m), math.tointeger(bytes), source.base | line)
    end
  end
  return take_text(past, source, text:sub(first, last))
end

lines.read, lines.take_text = read, take_text

--- Takes all lines that end in a text.
---@param past corolua.check.Past
---@param source corolua.check.Source
---@param text string
---@param first integer where to begin
---@return integer first where the rest begins
---@return string? why the line before it cannot be taken
function lines.read_all(past, source, text, first)
  local last = find(text, "\n", first, true)
  while last do
    local why = read(past, source, text, first, last - 1)
    first = last + 1
    if why then return first, why end
    last = find(text, "\n", first, true)
  end
  return first
end

return lines
