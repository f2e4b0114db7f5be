--- What `replica.open` takes, checked at the caller's line.

local codec = require("corolua.base.codec")
local durability = require("corolua.replica.commit_rule")
local names = require("corolua.base.names")

---@class corolua.ReplicaOptions
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

local known = {
  initial = true, apply = true, snapshot = true, restore = true, dir = true, durable = true,
  codec = true, snapshot_after = true, retry = true, digest = true,
}

local function check_function(given, key, level)
  local value = given[key]
  if type(value) == "function" then return end
  error(("option '%s' must be a function, got %s"):format(key, type(value)), level + 1)
end

local function restore_json(bytes)
  local json = require("corolua.base.json")
  local value, why = json.decode(bytes)
  if value == nil then error("the snapshot is no JSON: " .. why, 0) end
  return value
end

local function snapshot_json(state) return require("corolua.base.json").encode(state) end

local function check_snapshot(given, level)
  if given.snapshot == nil and given.restore == nil then return snapshot_json, restore_json end
  check_function(given, "snapshot", level + 1)
  check_function(given, "restore", level + 1)
  return given.snapshot, given.restore
end

local function check_digest(given, level)
  if given.digest then check_function(given, "digest", level + 1) end
  return given.digest
end

-- The initial state as bytes: every member, and every open, starts with a copy.
local function pack_initial(given, snapshot, level)
  local state = given.initial
  if state == nil then state = {} end
  local ok, bytes = pcall(snapshot, state)
  if not ok then
    error(("option 'initial': snapshot cannot take it: %s"):format(tostring(bytes)), level + 1)
  elseif type(bytes) ~= "string" then
    error(("option 'snapshot' must return a string, got %s"):format(type(bytes)), level + 1)
  end
  return bytes
end

local function check_dir(given, level)
  local dir = given.dir
  if dir == nil or (type(dir) == "string" and dir ~= "") then return dir end
  error(("option 'dir' must be the path of a folder, got %s"):format(tostring(dir)), level + 1)
end

local function check_durable(given, level)
  local durable = given.durable
  if durable == nil then return given.dir and "majority" or "delivered" end
  if durability.is_strict[durable] == nil then
    local near = names.nearest(durable, durability.is_strict)
    error(("option 'durable' must be \"delivered\", \"written\", \"majority\" or \"all\", got %s%s")
      :format(tostring(durable), near and (", did you mean '" .. near .. "'?") or ""), level + 1)
  elseif durable ~= "delivered" and not given.dir then
    error(("option 'durable' = \"%s\" needs the option 'dir'"):format(durable), level + 1)
  end
  return durable
end

local function check_bytes(given, level)
  local bytes = given.snapshot_after
  if bytes == nil then return SNAPSHOT_AFTER end
  if math.type(bytes) == "integer" and bytes > 0 then return bytes end
  error(("option 'snapshot_after' must be a positive integer, got %s"):format(tostring(bytes)),
    level + 1)
end

local function check_retry(given, level)
  local retry = given.retry
  if retry == nil or (type(retry) == "number" and retry >= 0) then return retry end
  error(("option 'retry' must be seconds that are not negative, got %s"):format(tostring(retry)),
    level + 1)
end

--- The options with their defaults.
---@param given table
---@param level integer whose line is to blame, as in `error`
---@return table
function options.check(given, level)
  if type(given) ~= "table" then
    error(("replica.open: a table of options was expected, got %s"):format(type(given)), level + 1)
  end
  names.check_keys(given, known, "option", level + 1)
  check_function(given, "apply", level + 1)
  local snapshot, restore = check_snapshot(given, level + 1)
  return {
    apply = given.apply, snapshot = snapshot, restore = restore,
    digest = check_digest(given, level + 1), is_json = given.snapshot == nil,
    initial = pack_initial(given, snapshot, level + 1),
    dir = check_dir(given, level + 1), durable = check_durable(given, level + 1),
    codec = given.codec ~= nil and given.codec ~= "string" and codec.of(given.codec, level + 1)
      or nil,
    snapshot_after = check_bytes(given, level + 1), retry = check_retry(given, level + 1),
  }
end

--- A group that was handed over must be of the right form.
---@param room corolua.Group
---@param level integer
function options.check_group(room, level)
  local wrong
  if not room.is_packed then wrong = "packed = true"
  elseif room.max_message == 0 then wrong = "fragment = true"
  elseif room.codec then wrong = "codec = \"string\""
  elseif not room.requires_quorum then wrong = "quorum = \"required\"" end
  if wrong then
    error(("replica.open: %s must have been made with %s"):format(tostring(room), wrong), level + 1)
  end
end

return options
