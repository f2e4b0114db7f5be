--- What `replica.open` takes, checked at the caller's line.

local args = require("corolua.base.args")
local codec = require("corolua.base.codec")
local service = require("corolua.service")

---@class corolua.ReplicaOptions: corolua.ServiceOptions
---@field initial any the state before the first command; {} unless told
---@field apply fun(state: any, command: any, meta: corolua.ReplicaMeta): any changes the state
---@field snapshot (fun(state: any): string)? JSON unless told
---@field restore (fun(bytes: string): any)?
---@field digest (fun(state: any): string)|false|nil members compare it; of snapshots by default
---@field dir string? folder of the log; without one it is kept in memory
---@field durable "delivered"|"written"|"majority"|"all"|nil "majority" with a dir, else "delivered"
---@field codec "string"|"json"|corolua.CustomCodec|nil what commands are; "string" unless told
---@field retry number? seconds for which a write that fails is tried again; 10 unless told
---@field snapshot_after integer? bytes of records that a snapshot replaces; 4 MiB unless told

---@class corolua.ReplicaMeta
---@field index integer of the command in the log
---@field seq integer of the ring it was applied in
---@field nodeid integer of the member that submitted it
---@field pid integer

local options = {}

local SNAPSHOT_AFTER = 4 * 1024 * 1024

local function is_digest(value)
  return value == false or args.callable(value), "a function or false"
end

local SPEC = service.options({
  { "initial", args.any },
  { "apply", args.callable, needed = true },
  { "snapshot", args.callable },
  { "restore", args.callable },
  { "digest", is_digest },
  { "dir", args.folder },
  { "durable", args.one_of("delivered", "written", "majority", "all") },
  { "codec", codec.kind, "string" },
  { "retry", args.seconds() },
  { "snapshot_after", args.integer(1), SNAPSHOT_AFTER },
})

local function restore_json(bytes)
  local json = require("corolua.base.json")
  local value, why = json.decode(bytes)
  if value == nil then error("the snapshot is no JSON: " .. why, 0) end
  return value
end

local function snapshot_json(state) return require("corolua.base.json").encode(state) end

-- Who gives one of them gives both.
local function complete(given, level)
  if given.snapshot == nil and given.restore == nil then return snapshot_json, restore_json end
  for _, key in ipairs({ "snapshot", "restore" }) do
    args.value(given[key], args.callable, "replica.open", ("option '%s'"):format(key), level + 1)
  end
  return given.snapshot, given.restore
end

-- The initial state as bytes: every member, and every open, starts with a copy.
local function pack_initial(given, snapshot, level)
  local state = given.initial
  if state == nil then state = {} end
  local ok, bytes = pcall(snapshot, state)
  if not ok then
    error(("replica.open: option 'initial': snapshot cannot take it: %s"):format(tostring(bytes)),
      level + 1)
  elseif type(bytes) ~= "string" then
    args.refuse("replica.open", "what option 'snapshot' returns", "a string", bytes, level + 1)
  end
  return bytes
end

local function durable_of(given, level)
  local durable = given.durable
  if durable == nil then return given.dir and "majority" or "delivered" end
  if durable ~= "delivered" and not given.dir then
    error(("replica.open: option 'durable' = \"%s\" needs the option 'dir'"):format(durable),
      level + 1)
  end
  return durable
end

--- The options with their defaults.
---@param given corolua.ReplicaOptions
---@param level integer whose line is to blame, as in `error`
---@return corolua.ReplicaOptions # its `codec` is made, or false for strings
function options.check(given, level)
  local checked = args.check(given or {}, SPEC, "replica.open", level + 1)
  checked.is_json = checked.snapshot == nil
  checked.snapshot, checked.restore = complete(checked, level + 1)
  checked.initial = pack_initial(checked, checked.snapshot, level + 1)
  checked.durable = durable_of(checked, level + 1)
  checked.codec = checked.codec ~= "string" and codec.of(checked.codec, "replica.open", level + 1)
  return checked
end

return options
