--- What `corolua.group` takes, checked at the caller's line.

local args = require("corolua.base.args")
local codec = require("corolua.base.codec")

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

local function is_reconnect(value)
  local ok = type(value) == "boolean" or (type(value) == "number" and value >= 0)
  return ok, "true, false or a number of seconds, 0 or more"
end

local SPEC = {
  { "quorum", args.one_of("required", "ignore"), "required" },
  { "window", args.integer(1, WINDOW_MAX), 128 },
  { "max_held", args.integer(1), 64 * 1024 * 1024 },
  { "overload", args.one_of("leave", "stop_reading"), "leave" },
  { "packed", args.boolean, false },
  { "fragment", args.boolean, false },
  { "max_message", args.integer(1, 1 << 30), 16 * 1024 * 1024 },
  { "codec", codec.kind, "string" },
  { "reconnect", is_reconnect, true },
}

--- The options with their defaults.
---@param given corolua.GroupOptions?
---@param level integer whose line is to blame, as in `error`
---@return corolua.GroupOptions # its `codec` is made, or false for strings
function options.check(given, level)
  local checked = args.check(given, SPEC, "group", level + 1)
  if checked.fragment and not checked.packed then
    error("group: option 'fragment' needs packed = true", level + 1)
  end
  checked.codec = checked.codec ~= "string" and codec.of(checked.codec, "group", level + 1)
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

return options
