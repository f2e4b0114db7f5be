--- When each line of a trace was written, and what judges pass over and pictures
--- show: previews of payloads, notes, steps, states.

local json = require("corolua.base.json")
local printable = require("corolua.draw.printable")
local reading = require("corolua.check.reading")

local moments = {}

---@class corolua.draw.Moments
---@field times table<integer, integer> microseconds, by the reference of the line
---@field texts table<integer, string> previews that can be shown, by that of their line
---@field notes corolua.draw.Note[]

---@class corolua.draw.Note
---@field t integer
---@field text string
---@field n integer? the node that it is of
---@field is_step boolean

local KINDS = {}

local function add_note(found, event, text, is_step)
  table.insert(found.notes, { t = event.t, text = printable.text(text),
    n = math.type(event.n) == "integer" and event.n or nil, is_step = is_step })
end

function KINDS.note(found, event)
  if type(event.text) == "string" then
    add_note(found, event, event.text, event.level == "step")
  end
end

local function as_text(value)
  if type(value) == "string" then return value end
  local ok, text = pcall(json.encode, value)
  return ok and text or tostring(value)
end

function KINDS.state(found, event) add_note(found, event, as_text(event.value), false) end

-- Lines of messages are most of a trace: their previews are taken without reading
-- the rest.
local function take_preview(found, ref, text)
  local preview = text:match(',"d":(".*")}%s*$')
  if not preview or preview == '""' then return end
  local known = found.known[preview]
  if not known then
    local list = json.decode("[" .. preview .. "]")
    known = type(list) == "table" and type(list[1]) == "string" and printable.payload(list[1]) or ""
    found.known[preview] = known
  end
  found.texts[ref] = known
end

local function take_event(found, ref, event, offset)
  if type(event) ~= "table" or math.type(event.t) ~= "integer" then return end
  event.t = event.t + offset
  found.times[ref] = event.t
  local add = KINDS[event.k]
  if add then add(found, event) end
end

local function take(found, ref, text, offset)
  local kind, t = text:match('^{"k":"(%l+)","t":(%d+)')
  if not kind or KINDS[kind] then return take_event(found, ref, json.decode(text), offset) end
  found.times[ref] = math.tointeger(tonumber(t)) + offset
  if kind == "recv" or kind == "send" then take_preview(found, ref, text) end
end

--- Reads them.
---@param paths string[]
---@return corolua.draw.Moments? moments
---@return string? message why a file cannot be read
---@return string|integer|nil code
function moments.read(paths)
  local found = { times = {}, texts = {}, notes = {}, known = {} }
  local ok, why, code = reading.each(paths, function(ref, text, offset)
    take(found, ref, text, offset or 0)
  end)
  if not ok then return nil, why, code end
  table.sort(found.notes, function(a, b)
    if a.t ~= b.t then return a.t < b.t end
    if a.n ~= b.n then return (a.n or 0) < (b.n or 0) end
    return a.text < b.text
  end)
  return found
end

return moments
