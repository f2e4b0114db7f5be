--- A run as one still picture, for pages and papers. On the order axis nothing of
--- it hangs on clocks, processes or the names of rings: the same story is the same
--- picture, byte for byte.

local palette = require("corolua.draw.palette")
local places = require("corolua.draw.places")

local svg = {}

local WIDTH, LEFT, RIGHT, FAULT, STEP = 960, 96, 12, 16, 26
-- The verdict: the height of its lines, and about how many letters of it one holds.
local VERDICT, VERDICT_LETTERS = 16, 122
-- So wide is a letter, about: pictures of the same story are equal wherever they are made.
local LETTER = 6.1
-- More deliveries a pixel than this are shown by how many they are.
local DENSE, MOST_ARROWS, MOST_ROWS = 0.6, 1500, 4

local THEME = palette.light
local STATUS = { kept = THEME.mended, violated = THEME.broken, inconclusive = THEME.known }

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escaped(text) return (text:gsub('[&<>"]', ESCAPES)) end

---@class corolua.draw.Still
---@field drawn corolua.draw.Model
---@field places corolua.draw.Places
---@field out string[]
---@field verdict string[] its lines
---@field first number where faults begin
---@field head number how much stands above the lanes
---@field lane number the height of one
---@field band number that of its band
---@field counts table<string, integer> what has no room
local methods = {}
local still_mt = { __index = methods }

function methods:put(text, ...)
  self.out[#self.out + 1] = select("#", ...) > 0 and text:format(...) or text
end

function methods:x(place)
  local window = self.places
  return LEFT + (place - window.from) / (window.to - window.from) * (WIDTH - LEFT - RIGHT)
end

function methods:middle(lane) return self.head + (lane - 0.5) * self.lane end

local function sender_colour(lane)
  if lane == 0 then return THEME.soft end
  return THEME.senders[(lane - 1) % #THEME.senders + 1]
end

-- What of a text has room; an ellipsis tells of the rest, and a tooltip has it all.
local function cut(text, room)
  local most = math.floor(room / LETTER)
  local length = utf8.len(text) or #text
  if length <= most then return escaped(text) end
  if most < 2 then return nil end
  local last = utf8.offset(text, most) - 1
  return escaped(text:sub(1, last)) .. "…<title>" .. escaped(text) .. "</title>"
end

function methods:write(text, x, y, room, style)
  local shown = cut(text, room)
  if shown then self:put('<text x="%.1f" y="%.1f" %s>%s</text>', x, y, style, shown) end
  return shown ~= nil
end

local function clip(self, from, to)
  local window = self.places
  if to < window.from or from > window.to then return nil end
  return self:x(math.max(from, window.from)), self:x(math.min(to, window.to))
end

local function band_range(self, band)
  if self.places.is_order then return clip(self, band.x, band.x1) end
  return clip(self, band.t, band.t1)
end

-- One colour for each ring, calm for those of all nodes: in the order of the picture.
local function ring_colours(self)
  local most, bands = 0, table.move(self.drawn.bands, 1, #self.drawn.bands, 1, {})
  for _, band in ipairs(bands) do most = math.max(most, #band.nodes) end
  local is_order = self.places.is_order
  table.sort(bands, function(a, b)
    local x, y = is_order and a.x or a.t, is_order and b.x or b.t
    if x ~= y then return x < y end
    return a.lane < b.lane
  end)
  local colours, calm, parts = {}, 0, 0
  for _, band in ipairs(bands) do
    if colours[band.ring] then
      goto next
    elseif #band.nodes == most then
      colours[band.ring], calm = THEME.calm[calm % #THEME.calm + 1], calm + 1
    else
      colours[band.ring], parts = THEME.parts[parts % #THEME.parts + 1], parts + 1
    end
    ::next::
  end
  return colours
end

local function put_bands(self)
  local colours, last = ring_colours(self), {}
  for _, band in ipairs(self.drawn.bands) do
    local a, b = band_range(self, band)
    if a and (b - a >= 0.7 or a - (last[band.lane] or -9) >= 0.7) then
      last[band.lane] = a
      local y = self:middle(band.lane) - self.band / 2
      local width = math.max(b - a, 0.7)
      self:put('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>', a, y, width,
        self.band, colours[band.ring])
      if band.quorate == false then
        self:put('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="url(#hatch)"/>', a, y,
          width, self.band)
      end
      self:put('<path d="M%.1f %.1fv%.1f" stroke="%s"/>', a, y, self.band, THEME.soft)
    elseif a then
      self.counts.bands = (self.counts.bands or 0) + 1
    end
  end
end

local function put_outage(self, number, outage, a, b)
  local y = self:middle(number)
  if outage.what == "paused" then
    self:put('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" opacity=".8"><title>'
      .. 'paused</title></rect>', a, y - self.band / 2, math.max(b - a, 1), self.band,
      THEME.paused)
    return
  end
  self:put('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/><path d="M%.1f %.1fH%.1f"'
    .. ' stroke="%s" stroke-dasharray="2 4"/>', a, y - self.band / 2 - 1, b - a, self.band + 2,
    THEME.paper, a, y, b, THEME.broken)
  self:put('<text x="%.1f" y="%.1f" font-size="14" font-weight="600" fill="%s">✕</text>', a - 3,
    y + 5, THEME.broken)
end

local function put_outages(self)
  for _, outage in ipairs(self.drawn.outages) do
    local a, b = clip(self, self.places:at(outage.t), self.places:at(outage.t1))
    for number, lane in ipairs(self.drawn.lanes) do
      if a and lane.n == outage.n then put_outage(self, number, outage, a, b) end
    end
  end
end

-- Faults in rows, so that their words do not cover each other.
local function place_faults(self)
  local ends, list = {}, {}
  for _, fault in ipairs(self.drawn.faults) do
    local a, b = clip(self, self.places:at(fault.t), self.places:at(fault.t1))
    if a then
      local text = fault.text .. (fault.failed and " (failed)" or "")
      local last, row = math.max(b, a + (utf8.len(text) or #text) * LETTER + 12), 1
      while ends[row] and ends[row] > a do row = row + 1 end
      if row <= MOST_ROWS then
        ends[row] = last
        list[#list + 1] = { fault = fault, text = text, a = a, b = b, row = row }
      else
        self.counts.faults = (self.counts.faults or 0) + 1
      end
    end
  end
  return list, #ends
end

local function put_faults(self, list)
  for _, placed in ipairs(list) do
    local colour = placed.fault.mends and THEME.mended or THEME.broken
    local y = self.first + (placed.row - 1) * FAULT
    self:put('<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-dasharray="4 4" opacity=".6"/>',
      placed.a, y, self.bottom, colour)
    self:put('<rect x="%.1f" y="%.1f" width="%.1f" height="13" fill="%s" opacity=".16"/>',
      placed.a, y, math.max(placed.b - placed.a, 2), colour)
    self:write(placed.text, placed.a + 4, y + 10, WIDTH - RIGHT - placed.a - 4,
      ('fill="%s" font-weight="600"'):format(colour))
  end
end

local function sent_place(self, message)
  if not message.sent then return nil end
  if not self.places.is_order then return message.sent end
  local place = self.places:column_at(message.sent)
  return message.column and math.min(place, message.column - 0.4) or place
end

local function hearing_place(self, message, t)
  return self.places.is_order and message.column or t
end

local function title_of(self, message)
  local from = message.lane > 0 and self.drawn.lanes[message.lane].name or message.from
  return escaped(("%s #%d %s"):format(from, message.number, message.text or ""):match("^(.-)%s*$"))
end

-- The deliveries in the window, by lane.
local function in_window(self)
  local list, total = {}, 0
  for number, lane in ipairs(self.drawn.lanes) do
    list[number] = {}
    for i, index in ipairs(lane.m) do
      local place = hearing_place(self, self.drawn.messages[index], lane.t[i])
      if self.places:has(place) then
        table.insert(list[number], { index = index, place = place })
      end
    end
    total = total + #list[number]
  end
  return list, total
end

local function put_dot(self, index)
  local message = self.drawn.messages[index]
  local place = message.lane > 0 and sent_place(self, message)
  if not place or not self.places:has(place) then return end
  local colour = sender_colour(message.lane)
  self:put('<circle cx="%.1f" cy="%.1f" r="2.6" %s="%s"%s/>', self:x(place),
    self:middle(message.lane) - self.band / 2 - 6, message.column and "fill" or "stroke", colour,
    message.column and "" or ' fill="none"')
end

local function put_arrow(self, message, lane, place)
  local from = message.lane > 0 and sent_place(self, message)
  if not from then return end
  local y, y1, half = self:middle(message.lane), self:middle(lane), self.band / 2
  if message.lane == lane then
    y, y1 = y - half - 6, y - half
  elseif lane > message.lane then
    y, y1 = y + half, y1 - half
  else
    y, y1 = y - half, y1 + half
  end
  self:put('<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" opacity=".55"/>', self:x(from), y,
    self:x(place), y1, sender_colour(message.lane))
end

local function put_arrows(self, deliveries, total)
  if total > MOST_ARROWS then
    self.counts.arrows = total
    return
  end
  local has_dot = {}
  for lane, list in ipairs(deliveries) do
    for _, delivery in ipairs(list) do
      if not has_dot[delivery.index] then put_dot(self, delivery.index) end
      has_dot[delivery.index] = true
      put_arrow(self, self.drawn.messages[delivery.index], lane, delivery.place)
    end
  end
end

-- Those that nobody delivered: hollow, and as many as have room.
local function put_unheard(self)
  local last = {}
  for index = self.drawn.delivered + 1, #self.drawn.messages do
    local message = self.drawn.messages[index]
    local place = message.lane > 0 and sent_place(self, message)
    if place and self.places:has(place) then
      local x = self:x(place)
      if x - (last[message.lane] or -9) >= 1 then
        last[message.lane] = x
        put_dot(self, index)
      else
        self.counts.unheard = (self.counts.unheard or 0) + 1
      end
    end
  end
end

-- A tick of the ninth sender and those behind it is notched.
local function put_tick(self, message, x, y, height)
  local pieces = math.max(1, 1 + (message.lane - 1) // #THEME.senders)
  local each = math.max(1, (height - 2.5 * (pieces - 1)) / pieces)
  local path = {}
  for i = 1, pieces do
    path[i] = ("M%.1f %.1fv%.1f"):format(x, y - height / 2 + (i - 1) * (each + 2.5), each)
  end
  self:put('<path d="%s" stroke="%s" stroke-width="2.4"><title>%s</title></path>',
    table.concat(path), sender_colour(message.lane), title_of(self, message))
end

local function put_ticks(self, lane, list)
  local y, free = self:middle(lane), -1
  for i, delivery in ipairs(list) do
    local message, x = self.drawn.messages[delivery.index], self:x(delivery.place)
    put_tick(self, message, x, y, self.band - 6)
    local next_x = list[i + 1] and self:x(list[i + 1].place) or WIDTH - RIGHT
    local text = (message.text or "#" .. message.number):match("^(.-)%s*$")
    local width = (utf8.len(text) or #text) * LETTER
    if x > free and width <= next_x - x - 7 and self.band > 16 then
      free = x + 4 + width
      self:put('<text x="%.1f" y="%.1f" fill="%s">%s</text>', x + 4, y + 4,
        sender_colour(message.lane), escaped(text))
    end
  end
end

local function put_crowd(self, lane, list)
  local y, most, bins = self:middle(lane), self.band - 4, {}
  for _, delivery in ipairs(list) do
    local bin = math.floor((self:x(delivery.place) - LEFT) / 2)
    bins[bin] = (bins[bin] or 0) + 1
  end
  for bin = 0, (WIDTH - LEFT - RIGHT) // 2 do
    if bins[bin] then
      local height = math.min(most, 2 + math.log(bins[bin] + 1, 2) * most / 9)
      self:put('<path d="M%.1f %.1fv%.1f" stroke="%s" stroke-width="1.6" opacity=".66"/>',
        LEFT + bin * 2 + 1, y - height / 2, height, THEME.ink)
    end
  end
  self.counts.crowded = (self.counts.crowded or 0) + #list
end

local function put_deliveries(self)
  local deliveries, total = in_window(self)
  put_arrows(self, deliveries, total)
  put_unheard(self)
  for lane, list in ipairs(deliveries) do
    if #list > (WIDTH - LEFT - RIGHT) * DENSE then
      put_crowd(self, lane, list)
    else
      put_ticks(self, lane, list)
    end
  end
end

-- When each message was heard first.
local function first_heard(self)
  local first = {}
  for _, lane in ipairs(self.drawn.lanes) do
    for i, index in ipairs(lane.m) do
      if not first[index] or lane.t[i] < first[index] then first[index] = lane.t[i] end
    end
  end
  return first
end

local function heard_by(lane)
  local heard = {}
  for _, index in ipairs(lane.m) do heard[index] = true end
  return heard
end

local function put_missing(self, finding, first, colour)
  for _, number in ipairs(finding.lacks) do
    local heard, last = heard_by(self.drawn.lanes[number]), -9
    for _, index in ipairs(finding.missing) do
      local place = hearing_place(self, self.drawn.messages[index], first[index])
      local x = self:x(place)
      if self.places:has(place) and not heard[index] and x - last < 3 then
        self.counts.missing = (self.counts.missing or 0) + 1
      elseif self.places:has(place) and not heard[index] then
        last = x
        self:put('<rect x="%.1f" y="%.1f" width="5" height="%.1f" fill="%s" stroke="%s" '
          .. 'stroke-width="1.5"><title>never delivered: %s</title></rect>', x - 2.5,
          self:middle(number) - self.band / 2 + 3, self.band - 6, THEME.paper, colour,
          title_of(self, self.drawn.messages[index]))
      end
    end
  end
end

local function mark_place(self, mark)
  local message = mark.message and self.drawn.messages[mark.message]
  if self.places.is_order and message and message.column then return message.column end
  return self.places:at(mark.t)
end

-- The text of a finding names rings, which differ from run to run.
function methods:words_of(finding)
  if self.places.is_order then return finding.property .. ", " .. finding.class end
  return finding.property .. ": " .. finding.text
end

local function put_findings(self)
  if #self.drawn.findings == 0 then return end
  local first = first_heard(self)
  for _, finding in ipairs(self.drawn.findings) do
    local colour = finding.class == "violated" and THEME.broken or THEME.known
    put_missing(self, finding, first, colour)
    for _, mark in ipairs(finding.marks) do
      local place = mark_place(self, mark)
      if self.places:has(place) then
        self:put('<rect x="%.1f" y="%.1f" width="14" height="%.1f" rx="6" fill="none" stroke="%s" '
          .. 'stroke-width="2"><title>%s</title></rect>', self:x(place) - 7,
          self:middle(mark.lane) - self.band / 2 - 4, self.band + 8, colour,
          escaped(self:words_of(finding)))
      end
    end
  end
end

local HALO = 'stroke="%s" stroke-width="3" stroke-linejoin="round" paint-order="stroke" fill="%s"'

local function band_text(self, band, room)
  local nodes = "{" .. table.concat(band.nodes, " ") .. "}"
  local quorum = band.quorate == false and "  no quorum" or ""
  local full = nodes .. quorum .. (self.places.is_order and "" or "  ring " .. band.ring)
  for _, text in ipairs({ full, nodes .. quorum, nodes, table.concat(band.nodes) }) do
    if #text * LETTER <= room then return text end
  end
end

local function put_band_names(self)
  if self.band <= 16 then return end
  for _, band in ipairs(self.drawn.bands) do
    local a, b = band_range(self, band)
    local text = a and band_text(self, band, b - a - 4)
    if text then
      self:write(text, a + 3, self:middle(band.lane) + self.band / 2 + 12, b - a,
        HALO:format(THEME.paper, band.quorate == false and THEME.broken or THEME.soft))
    end
  end
end

local function lane_of_node(self, n)
  for number, lane in ipairs(self.drawn.lanes) do
    if lane.n == n then return number end
  end
end

local function put_note(self, note, free)
  local x, lane = self:x(self.places:at(note.t)), lane_of_node(self, note.n)
  if not lane then return end
  local room = math.min(240, (utf8.len(note.text) or #note.text) * LETTER)
  local start = math.min(x + 3, WIDTH - RIGHT - room)
  if start < (free[lane] or 0) or self.band <= 16 then
    self.counts.notes = (self.counts.notes or 0) + 1
  else
    free[lane] = start + room + 4
    self:write(note.text, start, self:middle(lane) - self.band / 2 - 5, room + 1,
      HALO:format(THEME.paper, THEME.ink) .. ' font-weight="600"')
  end
end

local function put_notes(self)
  local steps, free = {}, {}
  for _, note in ipairs(self.drawn.notes) do
    local is_seen = self.places:has(self.places:at(note.t))
    if is_seen and note.n then put_note(self, note, free) end
    if is_seen and not note.n then steps[#steps + 1] = note end
  end
  for i, note in ipairs(steps) do
    local x = self:x(self.places:at(note.t))
    local last = steps[i + 1] and self:x(self.places:at(steps[i + 1].t)) or WIDTH - RIGHT
    self:put('<path d="M%.1f %.1fv14" stroke="%s"/>', x, self.bottom + 4, THEME.soft)
    if not self:write(note.text, x + 4, self.bottom + 15, last - x - 8,
      ('font-style="italic" fill="%s"'):format(THEME.ink)) then
      self.counts.notes = (self.counts.notes or 0) + 1
    end
  end
end

local function put_heads(self)
  for number, lane in ipairs(self.drawn.lanes) do
    local y = self:middle(number)
    put_tick(self, { lane = number, number = 0, from = "" }, 12, y, math.min(20, self.band))
    self:write(lane.name, 22, y + (self.band > 16 and 0 or 4), LEFT - 24,
      ('font-weight="600" fill="%s"'):format(THEME.ink))
    if self.band > 16 then
      self:write(lane.g, 22, y + 12, LEFT - 24, ('fill="%s"'):format(THEME.soft))
    end
  end
end

local COUNTS = {
  { "crowded", "deliveries, as black bars with a logarithmic height: %d" },
  { "arrows", "arrows of deliveries: %d" }, { "bands", "rings too short to be seen: %d" },
  { "faults", "faults: %d" }, { "notes", "notes: %d" }, { "missing", "lost messages: %d" },
  { "unheard", "messages that nobody delivered: %d" },
}

local function put_counts(self)
  local texts = {}
  for _, entry in ipairs(COUNTS) do
    local count = self.counts[entry[1]]
    if count then texts[#texts + 1] = entry[2]:format(count) end
  end
  table.move(self.drawn.limits, 1, #self.drawn.limits, #texts + 1, texts)
  if #texts == 0 then return end
  self:write("Not shown one by one: " .. table.concat(texts, "; "), 10, self.height - 6,
    WIDTH - 20, ('fill="%s"'):format(THEME.known))
end

local function put_frame(self)
  self:put('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
    .. 'font-family="system-ui,sans-serif" font-size="11">', WIDTH, self.height)
  self:put("<title>%s</title>", escaped(self.drawn.title))
  self:put('<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    .. 'patternTransform="rotate(45)"><path d="M0 0V7" stroke="%s" stroke-opacity=".4" '
    .. 'stroke-width="1.8"/></pattern></defs>', THEME.hatch)
  self:put('<rect width="100%%" height="100%%" fill="%s"/>', THEME.paper)
  for i, line in ipairs(self.verdict) do
    self:put('<text x="10" y="%d" font-size="12" font-weight="600" fill="%s">%s</text>',
      i * VERDICT, STATUS[self.drawn.status], escaped(line))
  end
end

-- A text in lines, broken at blanks.
local function wrapped(text)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    local longer = line == "" and word or line .. " " .. word
    if #longer > VERDICT_LETTERS and line ~= "" then
      lines[#lines + 1], line = line, word
    else
      line = longer
    end
  end
  lines[#lines + 1] = line
  return lines
end

local function new_still(drawn, options)
  local self = setmetatable({ drawn = drawn, places = places.of(drawn, options), out = {},
    counts = {} }, still_mt)
  self.lane = #drawn.lanes > 16 and 24 or 64
  self.band = #drawn.lanes > 16 and 14 or 24
  return self
end

--- The picture.
---@param drawn corolua.draw.Model
---@param options corolua.draw.Options
---@return string
function svg.picture(drawn, options)
  local self = new_still(drawn, options)
  local faults, rows = place_faults(self)
  self.verdict = wrapped(drawn.sentence)
  self.first = #self.verdict * VERDICT + 12
  self.head = self.first + 8 + math.min(rows, MOST_ROWS) * FAULT
  self.bottom = self.head + #drawn.lanes * self.lane
  self.height = math.ceil(self.bottom + STEP + 16)
  put_frame(self)
  put_bands(self)
  put_outages(self)
  put_deliveries(self)
  put_findings(self)
  put_faults(self, faults)
  put_band_names(self)
  put_notes(self)
  put_heads(self)
  put_counts(self)
  self:put("</svg>")
  return table.concat(self.out, "\n") .. "\n"
end

return svg
