--- Options and arguments, checked in one way: in the order of a list, with one
--- sentence for the same fault everywhere, at the line of the caller.
---
--- A kind is a function that tells whether a value is of it, else what was
--- expected, and perhaps which known word was meant.

local lists = require("corolua.base.lists")
local names = require("corolua.base.names")
local shown = require("corolua.base.shown")

---@alias corolua.Kind fun(value: any): boolean, string?, string?

---@class corolua.Option
---@field [1] string its name
---@field [2] corolua.Kind
---@field [3] any what holds where it is not given
---@field needed boolean? it has to be given

---@class corolua.OptionList
---@field [integer] corolua.Option
---@field noun string? what one of them is called; "option" unless told

local args = {}

--- Raises the sentence of a wrong value.
---@param what string the function, as people write it: "rpc.open"
---@param thing string which of its arguments: "option 'codec'"
---@param expected string
---@param value any what came instead
---@param level integer whose line is to blame, as in `error`
---@param hint string? which word was meant
function args.refuse(what, thing, expected, value, level, hint)
  error(("%s: %s must be %s, got %s%s")
    :format(what, thing, expected, shown.value(value), hint or ""), level + 1)
end

--- Raises unless a value is of a kind.
---@param value any
---@param kind corolua.Kind
---@param what string the function
---@param thing string which of its arguments
---@param level integer
function args.value(value, kind, what, thing, level)
  local ok, expected, hint = kind(value)
  if not ok then args.refuse(what, thing, expected, value, level + 1, hint) end
end

local function is_known(spec, key)
  for i = 1, #spec do
    if spec[i][1] == key then return true end
  end
  return false
end

-- The first in the alphabet where there are several.
local function unknown_key(given, spec)
  local found
  for key in next, given do
    if not is_known(spec, key) and (found == nil or tostring(key) < tostring(found)) then
      found = key
    end
  end
  return found
end

local function check_keys(given, spec, what, noun, level)
  if type(given) ~= "table" then
    error(("%s: a table of %ss was expected, got %s"):format(what, noun, shown.value(given)),
      level + 1)
  end
  local key = unknown_key(given, spec)
  if key == nil then return end
  local known = {}
  for i = 1, #spec do known[spec[i][1]] = true end
  error(("%s: unknown %s '%s'%s"):format(what, noun, tostring(key), names.hint(key, known)),
    level + 1)
end

--- The options with their defaults, in a table of their own.
---@param given table? nil is none
---@param spec corolua.OptionList they are checked in this order, behind unknown ones
---@param what string whose options: "rpc.open"
---@param level integer whose line is to blame, as in `error`
---@return table
function args.check(given, spec, what, level)
  local noun, checked = spec.noun or "option", {}
  if given ~= nil then check_keys(given, spec, what, noun, level + 1) end
  for i = 1, #spec do
    local option = spec[i]
    local name = option[1]
    local value = given and given[name]
    if value ~= nil or option.needed then
      args.value(value, option[2], what, noun .. " '" .. name .. "'", level + 1)
    else
      value = option[3]
    end
    checked[name] = value
  end
  return checked
end

local function range(thing, min, max)
  if not max then return ("%s %s or more"):format(thing, min) end
  return ("%s %s to %s"):format(thing, min, max)
end

--- Integers, of a range where one is told.
---@param min integer?
---@param max integer? none unless told
---@return corolua.Kind
function args.integer(min, max)
  return function(value)
    local is_integer = math.type(value) == "integer"
    if is_integer and value >= (min or value) and value <= (max or value) then return true end
    return false, min and range("an integer of", min, max) or "an integer"
  end
end

--- Seconds from 0 on.
---@param max integer? none unless told
---@return corolua.Kind
function args.seconds(max)
  return function(value)
    if type(value) == "number" and value >= 0 and value <= (max or value) then return true end
    return false, range("a number of seconds,", 0, max)
  end
end

--- A time that is not nothing and comes to its end.
---@type corolua.Kind
function args.time(value)
  return type(value) == "number" and value > 0 and value < math.huge,
    "a number of seconds above 0"
end

---@type corolua.Kind
function args.boolean(value) return type(value) == "boolean", "a boolean" end

---@type corolua.Kind
function args.string(value) return type(value) == "string", "a string" end

---@type corolua.Kind
function args.callable(value)
  if type(value) == "function" then return true end
  local mt = getmetatable(value)
  return type(mt) == "table" and mt.__call ~= nil, "a function"
end

local function path(expected)
  return function(value)
    return type(value) == "string" and value ~= "" and not value:find("\0", 1, true), expected
  end
end

---@type corolua.Kind
args.path = path("a path")

--- The path of a folder.
---@type corolua.Kind
args.folder = path("the path of a folder")

--- Anything: whoever uses it looks itself.
---@type corolua.Kind
function args.any() return true end

--- Some words.
---@param ... string
---@return corolua.Kind
function args.one_of(...)
  local words, known = { ... }, lists.set({ ... })
  return function(value)
    if known[value] then return true end
    return false, 'one of "' .. table.concat(words, '", "') .. '"', names.hint(value, known)
  end
end

--- Tables, described by how they look.
---@param looks string "{ fault = weight }"
---@return corolua.Kind
function args.table(looks)
  return function(value) return type(value) == "table", looks end
end

local is_seconds = args.seconds()
local TIMEOUT = { { "timeout", is_seconds } }

--- The timeout out of a table of options that knows no other. The path of every
--- message with a timeout comes by here.
---@param given table?
---@param otherwise number where it is not given
---@param what string whose: "send"
---@param level integer
---@return number
function args.timeout(given, otherwise, what, level)
  if given == nil then return otherwise end
  if type(given) == "table" and next(given) == "timeout" and next(given, "timeout") == nil
    and is_seconds(given.timeout) then
    return given.timeout
  end
  local timeout = args.check(given, TIMEOUT, what, level + 1).timeout or otherwise
  return timeout -- no tail call: it would hide the caller's line
end

return args
