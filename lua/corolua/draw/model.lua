--- What is drawn of a run: lanes, bands, messages and deliveries, faults, notes and
--- findings, from its trace and the verdict on it. Pages, stills and ladders are
--- made of this and of nothing else.

local columns = require("corolua.draw.columns")
local moments = require("corolua.draw.moments")
local printable = require("corolua.draw.printable")
local reading = require("corolua.check.reading")
local spans = require("corolua.draw.spans")

local model = {}

---@class corolua.draw.Lane a place in a group: a node, a process, a group
---@field n integer
---@field p integer
---@field g string as it can be shown
---@field name string "node 2", or "node 2/4711" where a node has several
---@field m integer[] messages that were delivered, in order
---@field t integer[] when
---@field lives { t: integer, t1: integer, why: string? }[]

---@class corolua.draw.Band what one life saw in one ring
---@field lane integer
---@field ring string
---@field nodes integer[]
---@field t integer
---@field t1 integer
---@field x number the column where it begins
---@field x1 number that where it ends
---@field quorate boolean? nil where nobody told

---@class corolua.draw.Message
---@field lane integer the sender's; 0 of who is not in the trace
---@field from string "node/process"
---@field number integer 0 where it has none
---@field sent integer? when
---@field text string? a preview
---@field column integer? none of what nobody delivered

---@class corolua.draw.Finding
---@field property string
---@field class string
---@field text string
---@field t integer?
---@field marks { lane: integer, t: integer, message: integer? }[] its witnesses
---@field missing integer[] messages that some lack
---@field lacks integer[] the lanes of those

---@class corolua.draw.Model
---@field title string
---@field status "kept"|"violated"|"inconclusive"
---@field sentence string
---@field run table the first line of the trace
---@field events integer
---@field stop integer when the last line was written
---@field lanes corolua.draw.Lane[]
---@field messages corolua.draw.Message[] first those that were delivered, by column
---@field delivered integer how many those are
---@field columns integer
---@field bands corolua.draw.Band[] by lane, and in order
---@field quorum { n: integer, t: integer, t1: integer, quorate: boolean }[]
---@field faults corolua.draw.Span[]
---@field outages corolua.draw.Outage[]
---@field notes corolua.draw.Note[]
---@field operations { n: integer?, t: integer, t1: integer, text: string, outcome: string }[]
---@field findings corolua.draw.Finding[]
---@field limits string[] what of the trace is not in it

local function is_before(a, b)
  if a.n ~= b.n then return a.n < b.n end
  if a.p ~= b.p then return a.p < b.p end
  if a.g ~= b.g then return a.g < b.g end
  return a.ref < b.ref
end

-- The lives that joined, by lane and in order.
local function lives_of(past)
  local list = {}
  for _, life in ipairs(past.lives) do
    if life.me then list[#list + 1] = life end
  end
  table.sort(list, is_before)
  return list
end

local function count_places(lives)
  local places, counts = {}, {}
  for _, life in ipairs(lives) do
    local place = life.me .. " " .. life.g
    if not places[place] then counts[life.n] = (counts[life.n] or 0) + 1 end
    places[place] = true
  end
  return counts
end

local function build_lanes(state)
  local counts, by_place = count_places(state.lives), {}
  for _, life in ipairs(state.lives) do
    local place = life.me .. " " .. life.g
    if not by_place[place] then
      local name = counts[life.n] > 1 and "node " .. life.me or "node " .. life.n
      table.insert(state.model.lanes, { n = life.n, p = life.p, g = printable.text(life.g),
        name = name, m = {}, t = {}, lives = {} })
      by_place[place] = #state.model.lanes
    end
    state.lane_of[life] = by_place[place]
    state.lane_at[life.me .. " " .. life.g] = by_place[place]
  end
end

local function time_of(state, ref) return state.times[ref] or 0 end

local function end_of(state, life)
  return life.over and time_of(state, life.over.ref) or state.model.stop
end

local function add_message(state, id)
  local past, list = state.past, state.model.messages
  local sender = past.sender[id]
  local message = { lane = sender and state.lane_of[sender] or 0,
    from = printable.text(past.from[id]), number = sender and past.number[id] or 0,
    column = state.columns.of[id] }
  list[#list + 1] = message
  state.index[id] = #list
  if not sender then return end
  local ref = sender.send_refs[past.place[id]]
  message.sent, message.text = state.times[ref], state.texts[ref]
end

local function add_unheard(state)
  local list = {}
  for _, life in ipairs(state.lives) do
    for place, id in ipairs(life.sends) do
      if not state.index[id] then
        list[#list + 1] = { id = id, t = time_of(state, life.send_refs[place]) }
        state.index[id] = 0
      end
    end
  end
  table.sort(list, function(a, b)
    if a.t ~= b.t then return a.t < b.t end
    return a.id < b.id
  end)
  for _, entry in ipairs(list) do add_message(state, entry.id) end
end

local function build_messages(state)
  for _, id in ipairs(state.columns.order) do add_message(state, id) end
  state.model.delivered = #state.model.messages
  add_unheard(state)
end

local function nodes_by_ring(past)
  local nodes = {}
  for _, life in ipairs(past.lives) do
    for _, ring in ipairs(life.rings) do nodes[ring.ring] = ring.nodes end
  end
  return nodes
end

local function deliver(state, lane, epoch)
  local messages, texts = state.model.messages, state.texts
  for i = 1, epoch.count do
    local index, ref = state.index[epoch[i]], epoch.refs[i]
    lane.m[#lane.m + 1], lane.t[#lane.t + 1] = index, time_of(state, ref)
    local message = messages[index]
    if not message.text then message.text = texts[ref] end
    if state.wanted[ref] then
      state.marks[ref] = { lane = state.lane_number, t = time_of(state, ref), message = index }
    end
  end
end

-- Where in the order an epoch begins: with its ring, or where its member joined it.
local function start_column(state, life, epoch)
  local ring = state.columns.ring_of[columns.ring_key(life, epoch)]
  local first = epoch[1] and state.columns.of[epoch[1]]
  if epoch.index > 1 or not first then return ring end
  return state.first_in[columns.ring_key(life, epoch)] == epoch[1] and ring or first - 0.5
end

local function end_column(state, life, epoch)
  if epoch.next then return start_column(state, life, epoch.next) end
  local last = epoch[epoch.count] and state.columns.of[epoch[epoch.count]]
  if not life.over then return state.columns.count + 1 end
  return (last or start_column(state, life, epoch)) + 0.5
end

local function add_band(state, life, epoch)
  local number = state.lane_of[life]
  local ring = epoch.ring or "?"
  local until_t = epoch.next and time_of(state, epoch.next.ref) or end_of(state, life)
  table.insert(state.model.bands, { lane = number, ring = ring,
    nodes = state.nodes_of[ring] or {}, t = time_of(state, epoch.ref), t1 = until_t,
    x = start_column(state, life, epoch), x1 = end_column(state, life, epoch) })
end

-- The leftmost message of each ring.
local function find_first(state)
  state.first_in = {}
  for _, life in ipairs(state.lives) do
    for _, epoch in ipairs(life.epochs) do
      local key, id = columns.ring_key(life, epoch), epoch[1]
      local known = state.first_in[key]
      if id and (not known or state.columns.of[id] < state.columns.of[known]) then
        state.first_in[key] = id
      end
    end
  end
end

local function build_deliveries(state)
  find_first(state)
  for _, life in ipairs(state.lives) do
    state.lane_number = state.lane_of[life]
    local lane = state.model.lanes[state.lane_number]
    table.insert(lane.lives, { t = time_of(state, life.ref), t1 = end_of(state, life),
      why = life.over and life.over.why or nil })
    for _, epoch in ipairs(life.epochs) do
      add_band(state, life, epoch)
      deliver(state, lane, epoch)
    end
  end
end

local function build_quorum(state)
  local last, list = {}, state.model.quorum
  for _, told in ipairs(state.past.quorums) do
    if last[told.n] then last[told.n].t1 = told.t end
    last[told.n] = { n = told.n, t = told.t, t1 = state.model.stop, quorate = told.quorate,
      ring = told.ring }
    list[#list + 1] = last[told.n]
  end
end

-- Of a band: what its node was told in its ring, else what held at its end.
local function mark_quorum(state)
  local in_ring, by_node = {}, {}
  for _, span in ipairs(state.model.quorum) do
    in_ring[span.n .. " " .. span.ring] = span
    by_node[span.n] = by_node[span.n] or {}
    table.insert(by_node[span.n], span)
  end
  for _, band in ipairs(state.model.bands) do
    local n = state.model.lanes[band.lane].n
    local span = in_ring[n .. " " .. band.ring]
    for _, other in ipairs(not span and by_node[n] or {}) do
      if other.t <= band.t1 then span = other end
    end
    if span then band.quorate = span.quorate end
  end
end

local function operation_text(op)
  local value = op.value
  local shown = type(value) == "string" and value or type(value) == "number" and tostring(value)
  return printable.text(tostring(op.f) .. (shown and " " .. shown or ""))
end

local function build_operations(state)
  local open, list = {}, state.model.operations
  for _, op in ipairs(state.past.ops) do
    local key = tostring(op.id)
    if op.type == "invoke" then
      open[key] = { n = math.type(op.n) == "integer" and op.n or nil, t = op.t,
        t1 = state.model.stop, text = operation_text(op), outcome = "info" }
      list[#list + 1] = open[key]
    elseif open[key] then
      open[key].t1, open[key].outcome = op.t, op.type
      open[key] = nil
    end
  end
end

local function want_lines(state, subjects)
  for _, subject in pairs(subjects) do
    for _, ref in ipairs(subject.refs) do state.wanted[ref] = true end
  end
end

local function mark(state, ref, lane)
  if ref and lane and state.wanted[ref] and not state.marks[ref] then
    state.marks[ref] = { lane = lane, t = time_of(state, ref) }
  end
end

local function mark_views(state)
  local lane_of_node = {}
  for number, lane in ipairs(state.model.lanes) do
    lane_of_node[lane.n] = lane_of_node[lane.n] or number
  end
  for _, life in ipairs(state.lives) do
    local lane = state.lane_of[life]
    mark(state, life.ref, lane)
    if life.over then mark(state, life.over.ref, lane) end
    for _, ring in ipairs(life.rings) do mark(state, ring.ref, lane) end
    for _, change in ipairs(life.changes) do mark(state, change.ref, lane) end
    for i, ref in ipairs(life.send_refs) do
      if state.wanted[ref] then
        state.marks[ref] = { lane = lane, t = time_of(state, ref),
          message = state.index[life.sends[i]] }
      end
    end
  end
  for _, told in ipairs(state.past.quorums) do mark(state, told.ref, lane_of_node[told.n]) end
  for _, ruling in ipairs(state.past.rulings) do
    mark(state, ruling.ref, state.lane_of[ruling.life])
  end
end

-- The lanes that are told to lack something, and what.
local function add_missing(state, found, finding, subject)
  local wanted = {}
  for _, address in ipairs(finding.lacks or {}) do wanted[address] = true end
  for number, lane in ipairs(state.model.lanes) do
    if wanted[("%d/%d"):format(lane.n, lane.p)] then table.insert(found.lacks, number) end
  end
  if #found.lacks == 0 then return end
  for _, id in ipairs(subject.messages) do
    local index = state.index[id]
    if index and index > 0 and index <= state.model.delivered then
      table.insert(found.missing, index)
    end
  end
  table.sort(found.missing)
end

local function build_findings(state, verdict, subjects)
  mark_views(state)
  for _, finding in ipairs(verdict.findings) do
    local subject = subjects[finding]
    local found = { property = finding.property, class = finding.class,
      text = printable.text(finding.text), marks = {}, missing = {}, lacks = {} }
    for _, ref in ipairs(subject.refs) do
      if state.marks[ref] then table.insert(found.marks, state.marks[ref]) end
    end
    for _, seen in ipairs(found.marks) do
      found.t = found.t and math.min(found.t, seen.t) or seen.t
    end
    add_missing(state, found, finding, subject)
    table.insert(state.model.findings, found)
  end
end

local function build_limits(state, verdict)
  local limits = state.model.limits
  local early, strange = #state.past.early, #state.past.lives - #state.lives
  if early > 0 then
    limits[#limits + 1] = ("%d messages that came before the own join are not drawn"):format(early)
  end
  if strange > 0 then
    limits[#limits + 1] = ("%d handles that never read their own join are not drawn")
      :format(strange)
  end
  for _, problem in ipairs(verdict.problems) do
    limits[#limits + 1] = printable.text(("the trace is not whole: %s:%d %s")
      :format(problem.file, problem.line, problem.text))
  end
end

local function new_state(past, told, title, verdict)
  return {
    past = past, times = told.times, texts = told.texts, lives = lives_of(past), lane_of = {},
    lane_at = {}, index = {}, wanted = {}, marks = {}, nodes_of = nodes_by_ring(past),
    columns = columns.of(past, told.times),
    model = {
      title = printable.text(title), status = verdict.status,
      sentence = printable.text(verdict.sentence), run = past.runs[1] or {},
      events = verdict.counts.events, stop = past.last_t, lanes = {}, messages = {}, delivered = 0,
      columns = 0, bands = {}, quorum = {}, faults = {}, outages = {}, notes = told.notes,
      operations = {}, findings = {}, limits = {},
    },
  }
end

local function build(state, verdict, subjects)
  local drawn = state.model
  want_lines(state, subjects)
  build_lanes(state)
  build_messages(state)
  build_deliveries(state)
  build_quorum(state)
  mark_quorum(state)
  build_operations(state)
  build_findings(state, verdict, subjects)
  build_limits(state, verdict)
  drawn.columns = state.columns.count
  drawn.faults = spans.faults(state.past, drawn.stop)
  drawn.outages = spans.outages(state.past, drawn.stop)
  return drawn
end

local function title_of(past, paths)
  local run = past.runs[1]
  local script = run and type(run.script) == "string" and run.script
  return (script or paths[1]):match("[^/]+$") or paths[1]
end

--- Reads a run.
---@param paths string[] the files of its trace
---@param title string? the name of its script, unless told
---@return corolua.draw.Model? model
---@return string? message why a file cannot be read
---@return string|integer|nil code
function model.read(paths, title)
  local verdict, past, subjects = reading.judged(paths)
  if not verdict then return nil, past, subjects end
  local told, why, code = moments.read(paths)
  if not told then return nil, why, code end
  return build(new_state(past, told, title or title_of(past, paths), verdict), verdict, subjects)
end

return model
