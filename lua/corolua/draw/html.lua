--- A run as one page of HTML: the template beside this file, with the data in it.
--- Numbers are written as differences, which makes a fifth of them.

local json = require("corolua.base.json")
local palette = require("corolua.draw.palette")

local html = {}

local PLACE = "@DATA@"

-- The template stands beside this module.
local function template()
  local here = debug.getinfo(1, "S").source:match("^@(.*)html%.lua$")
  local file, why = io.open((here or "") .. "page.html", "rb")
  if not file then error("the template of corolua.draw is missing: " .. why, 0) end
  local text = file:read("a")
  file:close()
  local first, last = text:find(PLACE, 1, true)
  return text:sub(1, first - 1), text:sub(last + 1)
end

-- Nothing in a script element may look like a tag or a comment of HTML.
local function encoded(value) return (json.encode(value):gsub("<", "\\u003c")) end

local function list_of(items) return "[" .. table.concat(items, ",") .. "]" end

local function encoded_list(items, convert)
  local texts = {}
  for i, item in ipairs(items) do texts[i] = encoded(convert(item)) end
  return list_of(texts)
end

local function differences(values)
  local list, last = {}, 0
  for i, value in ipairs(values) do
    list[i], last = value - last, value
  end
  return list_of(list)
end

-- As an array of JSON; an empty table would be an object.
local function zero_based(numbers)
  local list = {}
  for i, number in ipairs(numbers) do list[i] = number - 1 end
  return list
end

local function sent_times(messages)
  local list, last = {}, 0
  for i, message in ipairs(messages) do
    list[i] = message.sent and message.sent - last or "null"
    last = message.sent or last
  end
  return list_of(list)
end

local function texts_of(messages)
  local list, has_any = {}, false
  for i, message in ipairs(messages) do
    list[i] = message.text and encoded(message.text) or '""'
    has_any = has_any or message.text ~= nil
  end
  return has_any and list_of(list) or "[]"
end

local function encoded_messages(drawn)
  local lanes, numbers, columns, strangers = {}, {}, {}, {}
  for i, message in ipairs(drawn.messages) do
    lanes[i], numbers[i] = message.lane - 1, message.number
    if i <= drawn.delivered then columns[i] = message.column end
    if message.lane == 0 then
      strangers[#strangers + 1] = ("[%d,%s]"):format(i - 1, encoded(message.from))
    end
  end
  return ('{"lane":%s,"number":%s,"sent":%s,"column":%s,"text":%s,"strangers":%s}'):format(
    list_of(lanes), list_of(numbers), sent_times(drawn.messages), differences(columns),
    texts_of(drawn.messages), list_of(strangers))
end

local function encoded_lane(lane)
  local places = zero_based(lane.m)
  return ('{"n":%d,"p":%d,"g":%s,"name":%s,"lives":%s,"m":%s,"t":%s}'):format(lane.n, lane.p,
    encoded(lane.g), encoded(lane.name),
    encoded_list(lane.lives, function(life) return life end), differences(places),
    differences(lane.t))
end

local function encoded_lanes(drawn)
  local list = {}
  for i, lane in ipairs(drawn.lanes) do list[i] = encoded_lane(lane) end
  return list_of(list)
end

local function number_text(value) return value and ("%.10g"):format(value) or "0" end

local function encoded_bands(drawn)
  local list = {}
  for i, band in ipairs(drawn.bands) do
    local quorum = band.quorate == nil and "" or ',"quorate":' .. tostring(band.quorate)
    list[i] = ('{"lane":%d,"ring":%s,"nodes":%s,"t":%d,"t1":%d,"x":%s,"x1":%s%s}'):format(
      band.lane - 1, encoded(band.ring), list_of(band.nodes), band.t, band.t1,
      number_text(band.x), number_text(band.x1), quorum)
  end
  return list_of(list)
end

local function encoded_finding(finding)
  local marks = {}
  for i, mark in ipairs(finding.marks) do
    marks[i] = ('{"lane":%d,"t":%d,"m":%d}'):format(mark.lane - 1, mark.t, (mark.message or 0) - 1)
  end
  local head = { property = finding.property, class = finding.class, text = finding.text,
    t = finding.t }
  return ('%s,"marks":%s,"missing":%s,"lacks":%s}'):format(encoded(head):sub(1, -2),
    list_of(marks), list_of(zero_based(finding.missing)), list_of(zero_based(finding.lacks)))
end

local function encoded_findings(drawn)
  local list = {}
  for i, finding in ipairs(drawn.findings) do list[i] = encoded_finding(finding) end
  return list_of(list)
end

local function same(item) return item end

-- Of the first line of the trace, what tells runs apart.
local function facts_of(drawn)
  local facts, run = {}, drawn.run
  local function add(text, value, kind)
    if type(value) == kind then facts[#facts + 1] = text:format(value) end
  end
  if math.type(run.seed) == "integer" then add("seed %d", run.seed, "number") end
  add("corosync %s", run.corosync, "string")
  add("%s", run.at, "string")
  return facts
end

local function window_of(drawn, options)
  if not options.from and not options.to then return "null" end
  return ("[%d,%d]"):format(math.floor((options.from or 0) * 1e6),
    math.ceil(options.to and options.to * 1e6 or drawn.stop))
end

--- The data of a page, in pieces of JSON.
---@param drawn corolua.draw.Model
---@param options corolua.draw.Options
---@return string[]
function html.data(drawn, options)
  local pieces = {}
  local function put(key, text)
    pieces[#pieces + 1] = (#pieces == 0 and "{" or ",\n") .. ('"%s":'):format(key)
    pieces[#pieces + 1] = text
  end
  put("title", encoded(drawn.title))
  put("status", encoded(drawn.status))
  put("sentence", encoded(drawn.sentence))
  put("facts", encoded_list(facts_of(drawn), same))
  put("limits", encoded_list(drawn.limits, same))
  put("events", ("%d"):format(drawn.events))
  put("stop", ("%d"):format(drawn.stop))
  put("columns", ("%d"):format(drawn.columns))
  put("delivered", ("%d"):format(drawn.delivered))
  put("axis", options.order and '"order"' or '"time"')
  put("window", window_of(drawn, options))
  put("themes", encoded({ light = palette.light, dark = palette.dark }))
  put("lanes", encoded_lanes(drawn))
  put("bands", encoded_bands(drawn))
  put("quorum", encoded_list(drawn.quorum, same))
  put("outages", encoded_list(drawn.outages, same))
  put("faults", encoded_list(drawn.faults, same))
  put("notes", encoded_list(drawn.notes, same))
  put("operations", encoded_list(drawn.operations, same))
  put("findings", encoded_findings(drawn))
  put("messages", encoded_messages(drawn))
  pieces[#pieces + 1] = "}"
  return pieces
end

--- The page.
---@param drawn corolua.draw.Model
---@param options corolua.draw.Options
---@return string
function html.page(drawn, options)
  local head, tail = template()
  return head .. table.concat(html.data(drawn, options)) .. tail
end

return html
