--- A run for the terminal: time runs downwards, a column for each member, a row for
--- each message in the total order and for each thing that happened between them.
--- Long runs of messages are folded, and the fold says how many they are.

local places = require("corolua.draw.places")

local ladder = {}

local CELL, NARROW, MOST_WIDE = 13, 4, 10
-- So many messages in a row are shown; of more, the first and last few.
local MOST_ROWS, KEPT = 12, 4

local RINGS = { 34, 33, 32, 35, 36 }
local BROKEN, MENDED, BOLD, SOFT = "31", "32", "1", "90"

---@class corolua.draw.Ladder
---@field drawn corolua.draw.Model
---@field lines string[]
---@field cell integer how wide a column is
---@field folded { t: integer, cells: table }[] rows of messages that wait
local methods = {}
local ladder_mt = { __index = methods }

local function painted(self, text, code)
  if not self.is_coloured or not code then return text end
  return ("\27[%sm%s\27[0m"):format(code, text)
end

local function fitting(text, width)
  local length = utf8.len(text) or #text
  if length <= width then return text, length end
  return text:sub(1, utf8.offset(text, width) - 1) .. "…", width
end

local function ring_code(self, ring)
  if not ring then return SOFT end
  if not self.codes[ring] then
    self.ring_count = self.ring_count + 1
    self.codes[ring] = tostring(RINGS[(self.ring_count - 1) % #RINGS + 1])
  end
  return self.codes[ring]
end

local function rail(self, lane)
  local state = self.lanes[lane]
  if state.outage then return state.outage == "dead" and " " or "░", SOFT end
  if not state.ring then return " ", SOFT end
  return self.quorate[self.drawn.lanes[lane].n] == false and "┊" or "│", ring_code(self, state.ring)
end

-- One row: what each lane says, and its line where it says nothing.
local function add_row(self, t, cells, tail)
  local parts = {}
  for lane = 1, #self.drawn.lanes do
    local cell = cells[lane]
    local text, code = rail(self, lane)
    if cell then text, code = cell[1], cell[2] or code end
    local shown, width = fitting(text, self.cell - 1)
    parts[lane] = painted(self, shown, code) .. (" "):rep(self.cell - width)
  end
  local row = ("%10.3f  %s%s"):format(t / 1e6, table.concat(parts), tail or "")
  table.insert(self.lines, (row:gsub("%s+$", "")))
end

local function add_rule(self, t, text, code)
  table.insert(self.lines, painted(self, ("%10.3f  %s"):format(t / 1e6, text), code))
end

local function unfold(self)
  local rows, count = self.folded, #self.folded
  self.folded = {}
  for i, row in ipairs(rows) do
    if count <= MOST_ROWS or i <= KEPT or i > count - KEPT then
      add_row(self, row.t, row.cells, row.tail)
    elseif i == KEPT + 1 then
      table.insert(self.lines, ("            ⋮ %d messages more"):format(count - 2 * KEPT))
    end
  end
end

-- The bands that begin at each column, and who delivered each message.
local function by_column(drawn)
  local starts, heard = {}, {}
  for _, band in ipairs(drawn.bands) do
    local column = math.ceil(band.x)
    starts[column] = starts[column] or {}
    table.insert(starts[column], band)
  end
  for lane, list in ipairs(drawn.lanes) do
    for i, index in ipairs(list.m) do
      heard[index] = heard[index] or {}
      table.insert(heard[index], { lane = lane, t = list.t[i] })
    end
  end
  return starts, heard
end

local function enter(self, bands, is_seen)
  local by_ring, order = {}, {}
  for _, band in ipairs(bands) do
    if not by_ring[band.ring] then
      by_ring[band.ring] = { t = band.t, cells = {}, band = band }
      order[#order + 1] = by_ring[band.ring]
    end
    by_ring[band.ring].t = math.min(by_ring[band.ring].t, band.t)
    self.lanes[band.lane].ring = band.ring
    local nodes = table.concat(band.nodes, #band.nodes > 9 and " " or "")
    by_ring[band.ring].cells[band.lane] = { "╞{" .. nodes .. "}", ring_code(self, band.ring) }
  end
  for _, row in ipairs(order) do
    if is_seen then
      unfold(self)
      add_row(self, row.t, row.cells, "  ring " .. row.band.ring)
    end
  end
end

local function add_message(self, index, heard)
  local message, cells, first = self.drawn.messages[index], {}, math.huge
  local text = (message.text or "#" .. message.number):match("^(.-)%s*$")
  for _, seen in ipairs(heard) do
    local sign = seen.lane == message.lane and "◆" or "●"
    cells[seen.lane] = { self.cell > NARROW and sign .. " " .. text or sign }
    first = math.min(first, seen.t)
  end
  for _, finding in ipairs(self.lacking[index] or {}) do
    for _, lane in ipairs(finding.lacks) do
      cells[lane] = cells[lane] or { self.cell > NARROW and "○ lacks it" or "○", BROKEN }
    end
  end
  local took = message.sent and ("  %.1f ms"):format((first - message.sent) / 1e3) or ""
  table.insert(self.folded, { t = first, cells = cells, tail = took })
end

local function tell_fault(fault)
  return function(self, is_seen)
    if not is_seen then return end
    local text = fault.text .. (fault.failed and " (failed)" or "")
    add_rule(self, fault.t, "══ " .. text .. " ══", fault.mends and MENDED or BROKEN)
  end
end

local function tell_note(note)
  return function(self, is_seen)
    if not is_seen then return end
    local place = note.n and "node " .. note.n .. ": " or ""
    add_rule(self, note.t, "-- " .. place .. note.text, BOLD)
  end
end

local function each_lane_of(self, n, visit)
  for number, lane in ipairs(self.drawn.lanes) do
    if lane.n == n then visit(number) end
  end
end

local function tell_quorum(span)
  return function(self, is_seen)
    local before = self.quorate[span.n]
    self.quorate[span.n] = span.quorate
    if not is_seen or before == span.quorate or before == nil and span.quorate then return end
    local cells = {}
    local cell = span.quorate and { "quorate", MENDED } or { "no quorum", BROKEN }
    each_lane_of(self, span.n, function(number) cells[number] = cell end)
    if next(cells) then add_row(self, span.t, cells) end
  end
end

local function tell_outage(outage, is_over)
  return function(self, is_seen)
    local cells, t = {}, is_over and outage.t1 or outage.t
    local text = is_over and (outage.what == "dead" and "started" or "resumed")
      or outage.what == "dead" and "✕ dead" or "paused"
    each_lane_of(self, outage.n, function(number)
      self.lanes[number].outage = not is_over and outage.what or nil
      if outage.what == "dead" and not is_over then self.lanes[number].ring = nil end
      cells[number] = { text, is_over and MENDED or BROKEN }
    end)
    if is_seen and next(cells) then add_row(self, t, cells) end
  end
end

local function tell_end(lane, life)
  return function(self, is_seen)
    if self.lanes[lane].outage then return end
    self.lanes[lane].ring = nil
    if is_seen then add_row(self, life.t1, { [lane] = { "✕ " .. life.why, SOFT } }) end
  end
end

-- What has a time and no column, in the order in which it came.
local function deeds_of(drawn)
  local list = {}
  local function add(t, tell) list[#list + 1] = { t = t, tell = tell, place = #list } end
  for _, fault in ipairs(drawn.faults) do add(fault.t, tell_fault(fault)) end
  for _, note in ipairs(drawn.notes) do add(note.t, tell_note(note)) end
  for _, span in ipairs(drawn.quorum) do add(span.t, tell_quorum(span)) end
  for _, outage in ipairs(drawn.outages) do
    add(outage.t, tell_outage(outage, false))
    if outage.t1 < drawn.stop then add(outage.t1, tell_outage(outage, true)) end
  end
  for number, lane in ipairs(drawn.lanes) do
    for _, life in ipairs(lane.lives) do
      if life.why then add(life.t1, tell_end(number, life)) end
    end
  end
  table.sort(list, function(a, b)
    if a.t ~= b.t then return a.t < b.t end
    return a.place < b.place
  end)
  return list
end

local function tell_until(self, deeds, t)
  while deeds[self.next_deed] and deeds[self.next_deed].t <= t do
    local deed = deeds[self.next_deed]
    self.next_deed = self.next_deed + 1
    local is_seen = deed.t >= self.from and deed.t <= self.to
    if is_seen then unfold(self) end
    deed.tell(self, is_seen)
  end
end

local function lacking_of(drawn)
  local lacking = {}
  for _, finding in ipairs(drawn.findings) do
    for _, index in ipairs(finding.missing) do
      lacking[index] = lacking[index] or {}
      table.insert(lacking[index], finding)
    end
  end
  return lacking
end

local function new_ladder(drawn, options)
  local self = setmetatable({
    drawn = drawn, lines = {}, folded = {}, codes = {}, ring_count = 0, lanes = {}, quorate = {},
    is_coloured = options.colour, next_deed = 1, lacking = lacking_of(drawn),
    cell = #drawn.lanes > MOST_WIDE and NARROW or CELL,
    from = (options.from or 0) * 1e6, to = options.to and options.to * 1e6 or math.huge,
  }, ladder_mt)
  for lane = 1, #drawn.lanes do self.lanes[lane] = {} end
  return self
end

local function head_of(self)
  local names = {}
  for i, lane in ipairs(self.drawn.lanes) do
    local name = self.cell > NARROW and lane.name or tostring(lane.n)
    local shown, width = fitting(name, self.cell - 1)
    names[i] = shown .. (" "):rep(self.cell - width)
  end
  return (((" "):rep(12) .. table.concat(names)):gsub("%s+$", ""))
end

local function tell_findings(self)
  for _, finding in ipairs(self.drawn.findings) do
    table.insert(self.lines, painted(self, ("%s: %s"):format(finding.property, finding.text),
      BROKEN))
  end
  for _, limit in ipairs(self.drawn.limits) do table.insert(self.lines, limit) end
end

--- The text.
---@param drawn corolua.draw.Model
---@param options corolua.draw.Options
---@return string
function ladder.text(drawn, options)
  local self = new_ladder(drawn, options)
  local times = places.of(drawn, {}).times
  local starts, heard = by_column(drawn)
  local deeds, message_at = deeds_of(drawn), {}
  for index = 1, drawn.delivered do message_at[drawn.messages[index].column] = index end
  table.insert(self.lines, head_of(self))
  for column = 1, drawn.columns do
    local t = times[column]
    tell_until(self, deeds, t)
    local is_seen = t >= self.from and t <= self.to
    if starts[column] then enter(self, starts[column], is_seen) end
    if message_at[column] and is_seen then
      add_message(self, message_at[column], heard[message_at[column]])
    end
  end
  tell_until(self, deeds, math.huge)
  unfold(self)
  table.insert(self.lines, painted(self, drawn.sentence, BOLD))
  tell_findings(self)
  return table.concat(self.lines, "\n") .. "\n"
end

return ladder
