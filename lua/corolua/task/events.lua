--- Events that are told one at a time, in order, in a task of their own: a
--- handler may wait without holding up whoever tells.

local describe = require("corolua.base.describe")
local fifo = require("corolua.base.fifo")
local failures = require("corolua.task.failures")
local handlers = require("corolua.base.handlers")
local limit = require("corolua.limit")
local scheduler = require("corolua.task.scheduler")

---@class corolua.Events
---@field on table<string, function> what the script sets
---@field source any whose events these are; what `corolua.on.error` is told
---@field private name string
---@field private set table<string, function>
---@field private queue corolua.Fifo
---@field private offered integer bytes of offered events in the queue
---@field private telling string|false the event whose handler was called last
---@field private has_begun boolean
---@field private is_running boolean
local methods = {}
local events_mt = { __name = "corolua.events", __index = methods }

local events = {}

-- Bytes of offered events that wait for a handler which is slow, and what one takes
-- beside those that it brings.
local MAX, OVERHEAD = 1 << 20, 256

--- Events whose handlers are called from `begin` on.
---@param name string what an error names: "election 'lock'"
---@param kinds string[]
---@return corolua.Events
function events.new(name, kinds)
  local on, set = handlers.new(kinds)
  return setmetatable({
    name = name, source = name, on = on, set = set, queue = fifo.new(), offered = 0,
    telling = false, has_begun = false, is_running = false,
  }, events_mt)
end

local function call_next(self)
  local entry = self.queue:take()
  self.offered = self.offered - entry.size
  self.telling = entry.kind
  local handler = self.set[entry.kind]
  if not handler then return end
  limit.next()
  handler(table.unpack(entry, 1, entry.n))
end

local function call_all(self)
  while self.queue:peek() do call_next(self) end
end

local function note(problem)
  if rawequal(problem, limit.STOPPED) then return problem end
  return debug.traceback(describe(problem), 2)
end

local function run(self)
  local ok, problem, failure
  repeat
    ok, problem = limit.pcall(note, call_all, self)
    if rawequal(problem, limit.STOPPED) then break end
    if not ok then
      problem = ("%s, handler of '%s': %s"):format(self.name, self.telling, problem)
      failure = failures.ask(problem, self.source, self.telling)
    end
  until ok or failure
  self.is_running = false
  if failure then scheduler.fail(failure) end
end

local function wake(self)
  if self.is_running or not self.has_begun or not self.queue:peek() then return end
  self.is_running = true
  scheduler.spawn(run, self).resume = limit.resume
end

local function add(self, size, kind, ...)
  local entry = table.pack(...)
  entry.kind, entry.size = kind, size
  self.queue:add(entry)
  self.offered = self.offered + size
  wake(self)
end

--- Has the handler of an event called, after those of the events before it.
---@param kind string
---@param ... any
function methods:tell(kind, ...) add(self, 0, kind, ...) end

--- Tells of an event that others can have happen as often as they like: only where
--- there is a handler, and as long as it is not behind by 1 MiB of such events.
---@param bytes integer that the event brings
---@param kind string
---@param ... any
function methods:offer(bytes, kind, ...)
  local size = bytes + OVERHEAD
  local is_behind = self.offered > 0 and self.offered + size > MAX
  if self.set[kind] and not is_behind then add(self, size, kind, ...) end
end

--- Handlers are called from now on, not before the calling task waits again.
function methods:begin()
  self.has_begun = true
  wake(self)
end

--- What was not told yet never is.
function methods:clear() self.queue, self.offered = fifo.new(), 0 end

return events
