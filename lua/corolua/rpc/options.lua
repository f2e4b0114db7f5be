--- What `corolua.rpc` takes, checked at the caller's line.

local args = require("corolua.base.args")
local codec = require("corolua.base.codec")
local is_member = require("corosync.cpg").is_member
local names = require("corolua.base.names")
local service = require("corolua.service")
local wire = require("corolua.rpc.wire")

---@class corolua.rpc.Options: corolua.ServiceOptions
---@field call_timeout number? of calls that name none, 0 to 1,000,000 seconds; 5 unless told
---@field codec "json"|"string"|corolua.CustomCodec|nil of arguments and results; "json" unless told
---@field max_running integer? methods that run at a time; 16384 unless told

local options = {}

local CALL_TIMEOUT = 5
local RUNNING_MAX = 16384

-- A deadline that is set, and that a clock can tell.
local LONGEST = 1000000

local is_time = args.seconds(LONGEST)
local targets = { all = true, majority = true }

local SPEC = service.options({
  { "call_timeout", is_time, CALL_TIMEOUT },
  { "codec", codec.kind, "json" },
  { "max_running", args.integer(1), RUNNING_MAX },
})

--- The options of `rpc.open` with their defaults.
---@param given corolua.rpc.Options?
---@param level integer whose line is to blame, as in `error`
---@return corolua.rpc.Options # its `codec` is made
function options.check(given, level)
  local checked = args.check(given, SPEC, "rpc.open", level + 1)
  checked.codec = codec.of(checked.codec, "rpc.open", level + 1)
  return checked
end

local function check_name(name, what, level)
  args.value(name, args.string, what, "a method's name", level + 1)
  if #name < 1 or #name > wire.COUNT_MAX then
    error(("%s: a method's name has 1 to %d bytes, got %d"):format(what, wire.COUNT_MAX, #name),
      level + 1)
  end
end

local is_methods = args.table("a table of functions by name")

--- A copy of the methods.
---@param given table<string, fun(arguments: any, from: corosync.Member): any>?
---@param level integer
---@return table<string, fun(arguments: any, from: corosync.Member): any>
function options.check_methods(given, level)
  if given ~= nil then args.value(given, is_methods, "rpc.open", "methods", level + 1) end
  local copy = {}
  for name, fn in next, given or {} do
    check_name(name, "rpc.open", level + 1)
    args.value(fn, args.callable, "rpc.open", ("the method '%s'"):format(name), level + 1)
    copy[name] = fn
  end
  return copy
end

local function check_list(list, level)
  if #list < 1 or #list > wire.COUNT_MAX then
    error(("call: option 'to' must list 1 to %d members, got %d"):format(wire.COUNT_MAX, #list),
      level + 1)
  end
  local wanted, distinct = {}, {}
  for i = 1, #list do
    local member = list[i]
    if not is_member(member) then
      args.refuse("call", ("option 'to'[%d]"):format(i), "a member", member, level + 1)
    end
    if not wanted[member] then
      wanted[member] = true
      distinct[#distinct + 1] = member
    end
  end
  return { wanted = wanted, list = distinct }
end

---@class corolua.rpc.CallOptions
---@field to "all"|"majority"|corosync.Member|corosync.Member[] whom it asks
---@field timeout number? in seconds; that of the service unless told

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
  if to == "all" then return ALL end
  if to == "majority" then return MAJORITY end
  if is_member(to) then return single(to) end
  if type(to) == "table" then
    local listed = check_list(to, level + 1)
    return listed -- no tail call: it would hide the caller's line
  end
  args.refuse("call", "option 'to'", '"all", "majority", a member or a list of members', to,
    level + 1, names.hint(to, targets))
end

local CALL = { { "to", args.any }, { "timeout", args.any } }

-- `args.check` is for what is not so frequent.
local function check_known(given, level)
  if type(given) == "table" then
    local key = next(given)
    while key == "to" or key == "timeout" do key = next(given, key) end
    if key == nil then return end
  end
  args.check(given, CALL, "call", level + 1)
end

--- What a call takes beside its method and arguments.
---@param method any
---@param given corolua.rpc.CallOptions
---@param otherwise number the timeout where none is given
---@param level integer
---@return corolua.rpc.Target target, number timeout
function options.check_call(method, given, otherwise, level)
  if type(method) ~= "string" or #method < 1 or #method > wire.COUNT_MAX then
    check_name(method, "call", level + 1)
  end
  if given == nil then check_target(nil, level + 1) end
  check_known(given, level + 1)
  local to, timeout = given.to, given.timeout
  local target = to ~= nil and singles[to] or check_target(to, level + 1)
  if timeout == nil then
    timeout = otherwise
  elseif not is_time(timeout) then
    args.value(timeout, is_time, "call", "option 'timeout'", level + 1)
  end
  return target, timeout
end

return options
