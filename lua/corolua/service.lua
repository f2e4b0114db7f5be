--- What `corolua.rpc`, `corolua.election` and `corolua.replica` are made of: a
--- group whose handlers they own, and events of their own.

local describe = require("corolua.describe")
local handlers = require("corolua.handlers")
local limit = require("corolua.limit")
local scheduler = require("corolua.scheduler")

local service = {}

local function check_group(room, what, level)
  local mt = getmetatable(room)
  if type(mt) ~= "table" or mt.__name ~= "corolua.group" then
    error(("%s: a group or its name was expected, got %s"):format(what, type(room)), level + 1)
  elseif room.state ~= "new" then
    error(("%s: %s must not have been joined before"):format(what, tostring(room)), level + 1)
  end
  local kind = next(room.handlers)
  if kind then
    error(("%s: %s has a handler of '%s' already"):format(what, tostring(room), kind), level + 1)
  end
end

--- The group of a service: one of that name on the program's own node, or the
--- one given, which nobody has joined or set handlers of.
---@param given string|corolua.Group
---@param what string whose: "rpc.open"
---@param options corolua.GroupOptions? of a group that is made here
---@param level integer whose line is to blame, as in `error`
---@return corolua.Group
function service.room(given, what, options, level)
  if type(given) ~= "string" then
    check_group(given, what, level + 1)
    return given
  end
  local group, quorum = require("corolua.group"), require("corolua.quorum")
  local made = group.new(quorum.HERE, given, options, level + 1)
  return made -- no tail call: it would hide the caller's line
end

--- Joins the group of a service. What the caller did wrong raises at its line.
---@param room corolua.Group
---@param what string whose: "rpc.open"
---@param level integer whose line is to blame, as in `error`
---@param timeout number? in seconds, that of the group unless told
---@return true? joined, string? message, string? code
function service.join(room, what, level, timeout)
  local done, joined, message, code = pcall(room.join, room, { timeout = timeout })
  if not done then error(("%s: %s"):format(what, describe(joined)), level + 1) end
  return joined, message, code
end

---@class corolua.service.Events
---@field on table<string, function> what the script sets
local methods = {}
local events_mt = { __index = methods }

--- Events of a service, told in order, one at a time, in a task of their own:
--- a handler may wait without holding up the group.
---@param name string what an error names: "election 'lock'"
---@param kinds string[]
---@return corolua.service.Events
function service.events(name, kinds)
  local on, set = handlers.new(kinds)
  return setmetatable({ name = name, on = on, set = set, queue = {}, first = 1, last = 0 },
    events_mt)
end

local function call_next(self)
  local entry = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  self.telling = entry.kind
  local handler = self.set[entry.kind]
  if not handler then return end
  limit.next()
  handler(table.unpack(entry, 1, entry.n))
end

local function call_all(self)
  while self.first <= self.last do call_next(self) end
end

local function note(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  return debug.traceback(describe(problem), 2)
end

local function run(self)
  local ok, problem = limit.pcall(note, call_all, self)
  self.is_running = false
  if ok or rawequal(problem, limit.STOPPED) then return end
  scheduler.fail(("%s, handler of '%s': %s"):format(self.name, self.telling, problem))
end

local function wake(self)
  if self.is_running or not self.has_begun or self.first > self.last then return end
  self.is_running = true
  scheduler.spawn(run, self).resume = limit.resume
end

--- Has the handler of an event called, after those of the events before it.
---@param kind string
---@param ... any
function methods:tell(kind, ...)
  local entry = table.pack(...)
  entry.kind = kind
  self.last = self.last + 1
  self.queue[self.last] = entry
  wake(self)
end

--- Handlers are called from now on, not before the calling task waits again.
function methods:begin()
  self.has_begun = true
  wake(self)
end

return service
