--- What `corolua.rpc` takes, checked at the caller's line.

local codec = require("corolua.base.codec")
local is_member = require("corosync.cpg").is_member
local names = require("corolua.base.names")
local shown = require("corolua.base.shown")
local wire = require("corolua.rpc.wire")

---@class corolua.rpc.Options
---@field timeout number? of calls that name none, 0 to 1,000,000 seconds; 5 unless told
---@field codec "json"|"string"|corolua.CustomCodec|nil of arguments and results; "json" unless told
---@field max_running integer? methods that run at a time; 16384 unless told

local options = {}

local TIMEOUT = 5
local RUNNING_MAX = 16384

-- A deadline that is set, and that a clock can tell.
local LONGEST = 1e6

local known = { timeout = true, codec = true, max_running = true }
local known_of_call = { to = true, timeout = true }
local targets = { all = true, majority = true }

local function check_timeout(seconds, what, level)
  if type(seconds) == "number" and seconds >= 0 and seconds <= LONGEST then return seconds end
  error(("%s: timeout must be seconds of 0 to %d, got %s"):format(what, LONGEST,
    shown(seconds)), level + 1)
end

local function check_running(count, level)
  if math.type(count) == "integer" and count >= 1 then return count end
  error(("rpc.open: max_running must be a positive integer, got %s"):format(shown(count)),
    level + 1)
end

--- The options of `rpc.open` with their defaults.
---@param given table?
---@param level integer whose line is to blame, as in `error`
---@return { timeout: number, codec: corolua.Codec, max_running: integer }
function options.check(given, level)
  names.check_keys(given, known, "option", level + 1)
  given = given or {}
  return {
    timeout = check_timeout(given.timeout or TIMEOUT, "rpc.open", level + 1),
    codec = codec.of(given.codec or "json", level + 1),
    max_running = check_running(given.max_running or RUNNING_MAX, level + 1),
  }
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local mt = getmetatable(value)
  return type(mt) == "table" and mt.__call ~= nil
end

local function check_name(name, what, level)
  if type(name) ~= "string" then
    error(("%s: a method's name must be a string, got %s"):format(what, type(name)), level + 1)
  elseif #name < 1 or #name > wire.COUNT_MAX then
    error(("%s: a method's name has 1 to %d bytes, got %d"):format(what, wire.COUNT_MAX, #name),
      level + 1)
  end
end

--- A copy of the methods.
---@param given table?
---@param level integer
---@return table<string, fun(arguments: any, from: corosync.Member): any>
function options.check_methods(given, level)
  if given ~= nil and type(given) ~= "table" then
    error(("rpc.open: methods must be a table of functions by name, got %s"):format(type(given)),
      level + 1)
  end
  local copy = {}
  for name, fn in next, given or {} do
    check_name(name, "rpc.open", level + 1)
    if not is_callable(fn) then
      error(("rpc.open: the method '%s' must be a function, got %s"):format(name, type(fn)),
        level + 1)
    end
    copy[name] = fn
  end
  return copy
end

local EXPECTED = "call: to must be \"all\", \"majority\", a member or a list of members, got "

local function check_list(list, level)
  if #list < 1 or #list > wire.COUNT_MAX then
    error(("call: to must list 1 to %d members, got %d"):format(wire.COUNT_MAX, #list), level + 1)
  end
  local wanted = {}
  for i = 1, #list do
    if not is_member(list[i]) then
      error(("call: to[%d] must be a member, got %s"):format(i, tostring(list[i])), level + 1)
    end
    wanted[list[i]] = true
  end
  return wanted
end

---@class corolua.rpc.Target
---@field member corosync.Member? that one alone
---@field wanted table<corosync.Member, true>? those in a list
---@field list corosync.Member[]? the list
---@field is_majority boolean?

local ALL, MAJORITY = {}, { is_majority = true }

-- Of each member the one that means it alone; most calls name one they named
-- before.
local singles = setmetatable({}, { __mode = "k" })

local function single(member)
  local target = { member = member }
  singles[member] = target
  return target
end

-- Who is to answer.
local function check_target(to, level)
  if to == nil or to == "all" then return ALL end
  if to == "majority" then return MAJORITY end
  if is_member(to) then return single(to) end
  if type(to) == "table" then
    local wanted = check_list(to, level + 1)
    local list = {}
    for member in pairs(wanted) do list[#list + 1] = member end
    return { wanted = wanted, list = list }
  end
  local near = names.nearest(to, targets)
  error(EXPECTED .. (type(to) == "string" and "'" .. to .. "'" or tostring(to))
    .. (near and (", did you mean '%s'?"):format(near) or ""), level + 1)
end

-- names.check_keys is for what is not so frequent.
local function check_known(given, level)
  if type(given) == "table" then
    local key = next(given)
    while key ~= nil and known_of_call[key] do key = next(given, key) end
    if key == nil then return end
  end
  names.check_keys(given, known_of_call, "option", level + 1)
end

--- What a call takes beside its method and arguments.
---@param method any
---@param given table?
---@param otherwise number the timeout where none is given
---@param level integer
---@return corolua.rpc.Target target, number timeout
function options.check_call(method, given, otherwise, level)
  if type(method) ~= "string" or #method < 1 or #method > wire.COUNT_MAX then
    check_name(method, "call", level + 1)
  end
  if given == nil then return ALL, otherwise end
  check_known(given, level + 1)
  local to, timeout = given.to, given.timeout
  timeout = timeout == nil and otherwise or check_timeout(timeout, "call", level + 1)
  return to ~= nil and singles[to] or check_target(to, level + 1), timeout
end

return options
