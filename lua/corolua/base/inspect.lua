--- Values as text for people: of what is equal the text is equal, whatever the
--- order of a table's keys and wherever its objects are in memory.

local shown = require("corolua.base.shown")

local inspect = {}

---@class corolua.InspectOptions
---@field depth integer? tables within tables that are written out; 6 unless told
---@field fields integer? that are written out in all; 1000 unless told
---@field bytes integer? of a string; 1000 unless told

local DEFAULTS = { depth = 6, fields = 1000, bytes = 1000 }

-- What is longer than a line goes over several.
local WIDTH = 80

-- The class of plain values that print as `corolua.inspect` shows them.
local plain_mt = { is_plain = true }

-- At the most 3 bytes of a character follow its first one.

--- The beginning of a string that is longer, without a part of a character at
--- its end.
---@param text string
---@param bytes integer at most so many
---@return string
function inspect.cut(text, bytes)
  for last = bytes, math.max(bytes - 3, 0), -1 do
    local behind = text:byte(last + 1)
    if behind < 0x80 or behind >= 0xc0 then return text:sub(1, last) end
  end
  return text:sub(1, bytes)
end

local function show_string(state, text)
  if #text <= state.bytes then return shown.quoted(text) end
  return ("%s… (%d bytes)"):format(shown.quoted(inspect.cut(text, state.bytes)), #text)
end

local function show_function(fn)
  local info = debug.getinfo(fn, "S")
  if info.what == "C" then return "function (C)" end
  return ("function (%s:%d)"):format(info.short_src, info.linedefined)
end

local function state_of(depth, fields, bytes, is_line)
  return { depth = depth, left = fields, bytes = bytes, is_line = is_line, path = {} }
end

local show

--- A value on one line: a table written out to so many fields, without those of
--- tables in it.
---@param value any
---@param fields integer
---@return string
function inspect.line(value, fields)
  return show(state_of(1, fields, DEFAULTS.bytes, true), value)
end

local KEY_FIELDS = 8
local RANKS = { number = 1, string = 2, boolean = 3 }

local function natural(text)
  return (text:gsub("%d+", function(digits) return ("0"):rep(20 - #digits) .. digits end))
end

-- What stands behind the array, with what it is sorted by.
local function entry_of(key, value)
  local rank = RANKS[type(key)] or 4
  if rank < 3 then return { key = key, value = value, rank = rank, order = key } end
  local text = inspect.line(key, KEY_FIELDS)
  return { key = key, value = value, rank = rank, text = text, order = natural(text) }
end

-- Keys that look alike are told apart by their values.
local function is_before(a, b)
  if a.rank ~= b.rank then return a.rank < b.rank end
  if a.order ~= b.order then return a.order < b.order end
  return inspect.line(a.value, KEY_FIELDS) < inspect.line(b.value, KEY_FIELDS)
end

local function fields_of(value, count)
  local entries = {}
  for key, field in next, value do
    if math.type(key) ~= "integer" or key < 1 or key > count then
      entries[#entries + 1] = entry_of(key, field)
    end
  end
  table.sort(entries, is_before)
  return entries
end

local function show_key(state, entry)
  local key = entry.key
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key end
  return "[" .. (entry.text or show(state, key)) .. "]"
end

local function braces(state, items)
  if #items == 0 then return "{}" end
  local line = "{ " .. table.concat(items, ", ") .. " }"
  local is_short = #line <= WIDTH and not line:find("\n", 1, true)
  if is_short or state.is_line then return line end
  return "{\n  " .. table.concat(items, ",\n"):gsub("\n", "\n  ") .. "\n}"
end

local function length_of(value)
  local count = 0
  while rawget(value, count + 1) ~= nil do count = count + 1 end
  return count
end

local function show_fields(state, value)
  local count, items = length_of(value), {}
  local entries = fields_of(value, count)
  for i = 1, count + #entries do
    if state.left == 0 then
      items[i] = ("… %d more"):format(count + #entries - i + 1)
      break
    end
    state.left = state.left - 1
    local entry = entries[i - count]
    items[i] = entry and show_key(state, entry) .. " = " .. show(state, entry.value)
      or show(state, rawget(value, i))
  end
  return braces(state, items)
end

local function show_table(state, value)
  if state.path[value] then return "<cycle>" end
  if next(value) == nil then return "{}" end
  if state.depth == 0 then return "{…}" end
  state.path[value], state.depth = true, state.depth - 1
  local text = show_fields(state, value)
  state.path[value], state.depth = nil, state.depth + 1
  return text
end

-- The inside of our own objects is nobody's business.
local function show_object(state, value)
  local mt = getmetatable(value)
  local name = type(mt) == "table" and mt.__name
  if type(name) ~= "string" then return show_table(state, value) end
  if name:find("^corolua%.") then return "<" .. name .. ">" end
  return name .. " " .. show_table(state, value)
end

function show(state, value)
  local kind = type(value)
  if kind == "string" then return show_string(state, value) end
  if kind == "function" then return show_function(value) end
  if kind == "thread" then return kind end
  if kind ~= "table" and kind ~= "userdata" then return tostring(value) end
  return shown.own_text(value) or show_object(state, value)
end

-- Few ask for other limits.
local function limits_of(options, level)
  if options == nil then return DEFAULTS end
  local args = require("corolua.base.args")
  local count = args.integer(0)
  local limits = args.check(options, {
    { "depth", count, DEFAULTS.depth }, { "fields", count, DEFAULTS.fields },
    { "bytes", count, DEFAULTS.bytes },
  }, "inspect", level + 1)
  return limits -- no tail call: it would hide the caller's line
end

--- A value as text for people: strings in quotes; arrays in their order, other
--- fields sorted by their keys; what has a `__tostring`, by that, as members,
--- rings, groups and clusters; a table inside itself as `<cycle>`. What fits is
--- on one line. Beyond the options' limits there is a `…`, and how much is left
--- out. It is no code of Lua, and nothing reads it back.
---@param value any
---@param options corolua.InspectOptions?
---@return string
function inspect.text(value, options)
  local most = limits_of(options, 2)
  return show(state_of(most.depth, most.fields, most.bytes, false), value)
end

plain_mt.__tostring = function(value) return inspect.text(value) end

--- Makes a table of plain values print as `corolua.inspect` shows it.
---@generic T: table
---@param value T
---@return T
function inspect.readable(value) return setmetatable(value, plain_mt) end

return inspect
