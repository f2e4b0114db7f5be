--- What `corolua.group` takes, checked at the caller's line.

local names = require("corolua.base.names")
local shown = require("corolua.base.shown")

---@class corolua.GroupOptions
---@field quorum "required"|"ignore"|nil whether sending needs quorum; "required" unless told
---@field window integer? messages on their way, 1 to 256; 128 unless told
---@field max_held integer? bytes that are read and not handled; 64 MiB unless told
---@field overload "leave"|"stop_reading"|nil what to do beyond; "leave" unless told
---@field packed boolean? many messages as one; all members alike
---@field fragment boolean? messages over what corosync sends as one; packed groups only
---@field max_message integer? bytes of a message in fragments, 1 GiB at most; 16 MiB unless told
---@field codec "string"|"json"|corolua.CustomCodec|nil what messages are; "string" unless told
---@field reconnect boolean|number|nil false, or seconds until it gives up; true unless told

local options = {}

local WINDOW_MAX = 256

local function is_one_of(...)
  local valid = { ... }
  return function(value)
    for _, one in ipairs(valid) do
      if value == one then return true end
    end
    local list = {}
    for i, one in ipairs(valid) do list[i] = '"' .. one .. '"' end
    return false, table.concat(list, " or ")
  end
end

local function is_integer(min, max)
  return function(value)
    local ok = math.type(value) == "integer" and value >= min and value <= max
    return ok, max == math.maxinteger and "a positive integer"
      or ("an integer of %d to %d"):format(min, max)
  end
end

local function is_reconnect(value)
  local ok = type(value) == "boolean" or (type(value) == "number" and value >= 0)
  return ok, "true, false or a number of seconds"
end

local function is_boolean(value) return type(value) == "boolean", "true or false" end

-- Looked at by corolua.codec.
local function is_anything() return true end

local known = {
  packed = { is_boolean, false },
  fragment = { is_boolean, false },
  max_message = { is_integer(1, 1 << 30), 16 * 1024 * 1024 },
  codec = { is_anything, "string" },
  quorum = { is_one_of("required", "ignore"), "required" },
  window = { is_integer(1, WINDOW_MAX), 128 },
  max_held = { is_integer(1, math.maxinteger), 64 * 1024 * 1024 },
  overload = { is_one_of("leave", "stop_reading"), "leave" },
  reconnect = { is_reconnect, true },
}

--- The options with their defaults.
---@param given table?
---@param level integer whose line is to blame, as in `error`
---@return corolua.GroupOptions
function options.check(given, level)
  names.check_keys(given, known, "option", level + 1)
  local checked = {}
  for key, rule in pairs(known) do
    local value = given and given[key]
    if value == nil then
      value = rule[2]
    else
      local ok, expected = rule[1](value)
      if not ok then
        error(("option '%s' must be %s, got %s"):format(key, expected, shown(value)), level + 1)
      end
    end
    checked[key] = value
  end
  if checked.fragment and not checked.packed then
    error("option 'fragment' needs packed = true", level + 1)
  end
  return checked
end

local NAME_MAX = 127

--- A group's name: what corosync handles in all places.
---@param name any
---@param level integer
function options.check_name(name, level)
  if type(name) ~= "string" then
    error("a group's name must be a string, got " .. type(name), level + 1)
  elseif #name < 1 or #name > NAME_MAX then
    error(("a group's name has 1 to %d bytes, got %d"):format(NAME_MAX, #name), level + 1)
  elseif name:find("\0", 1, true) then
    error("a group's name has no NUL byte", level + 1)
  end
end

--- The name of an event.
---@param kind any
---@param known_kinds table its keys are the events
---@param level integer
function options.check_kind(kind, known_kinds, level)
  if known_kinds[kind] then return end
  local near = names.nearest(kind, known_kinds)
  error(("unknown event '%s'%s"):format(tostring(kind),
    near and (", did you mean '" .. near .. "'?") or ""), level + 1)
end

--- A function, or nil to take the handler away.
---@param kind string
---@param handler any
---@param level integer
function options.check_handler(kind, handler, level)
  if handler == nil or type(handler) == "function" then return end
  local mt = getmetatable(handler)
  if type(mt) == "table" and mt.__call then return end
  error(("the handler of '%s' must be a function, got %s"):format(kind, type(handler)), level + 1)
end

--- Seconds, where they are given.
---@param seconds any
---@param otherwise number
---@param level integer
---@return number
function options.check_timeout(seconds, otherwise, level)
  if seconds == nil then return otherwise end
  if type(seconds) == "number" and seconds >= 0 then return seconds end
  error("timeout must be a number of seconds that is not negative, got " .. shown(seconds),
    level + 1)
end

--- The timeout out of a table of options that knows no other.
---@param given table?
---@param otherwise number
---@param level integer
---@return number
function options.timeout_of(given, otherwise, level)
  names.check_keys(given, { timeout = true }, "option", level + 1)
  local timeout = options.check_timeout(given and given.timeout, otherwise, level + 1)
  return timeout -- no tail call: it would hide the caller's line
end

return options
