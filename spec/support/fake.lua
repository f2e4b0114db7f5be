-- A daemon that a spec plays by hand, to choose a moment: handles whose calls
-- are answered here, and whose events are put in. `mcast_joined` answers what
-- `daemon.answer` says; what it takes comes back as an event of its own. A spec
-- about what a daemon does asks a real one.
local blocking = require("corolua.daemon.calls")
local cmap = require("corosync.cmap")
local cpg = require("corosync.cpg")
local group = require("corolua.group")
local loop = require("corolua.loop")
local quorum = require("corosync.quorum")
local scheduler = require("corolua.task.scheduler")
local tracking = require("corolua.daemon.quorum")

local fake = {}

local GONE = { "no connection to the daemon", "ERR_LIBRARY" }

-- Longer than any spec takes.
local KEPT = 1000

local daemons = {}
local handles = {} -- by descriptor, which is negative
local last_fd = 0

local handle_methods = {}
local handle_mt = { __index = handle_methods }

local function new_handle(callbacks)
  last_fd = last_fd - 1
  local handle = setmetatable({ fd = last_fd, callbacks = callbacks, queue = {} }, handle_mt)
  handles[last_fd] = handle
  return handle
end

function handle_methods:is_readable()
  return self.is_dead or #self.queue > 0 and not self.daemon.is_frozen
end

-- A descriptor that can be read is told of in every turn.
function handle_methods:poll()
  if self.polling or not self.watch or not self:is_readable() then return end
  self.polling = true
  loop.timer(0, function()
    self.polling = false
    if self.watch and self:is_readable() then self.watch() end
    self:poll()
  end)
end

function handle_methods:put(kind, ...)
  table.insert(self.queue, table.pack(kind, ...))
  self:poll()
end

function handle_methods:dispatch()
  assert(not self.is_closed, "a closed handle is dispatched")
  while self:is_readable() and not self.is_closed do
    if #self.queue > 0 then self.daemon:event("dispatch") end
    if self.is_dead then return nil, GONE[1], GONE[2] end
    local event = table.remove(self.queue, 1)
    if event then self.callbacks[event[1]](self, table.unpack(event, 2, event.n)) end
  end
  return true
end

function handle_methods:pending() return 0 end -- luacheck: ignore self
function handle_methods:fd_get() return self.fd end

function handle_methods:mcast_joined(payload)
  assert(not self.is_closed, "a closed handle sends")
  if self.is_dead then return nil, GONE[1], GONE[2] end
  local ok, message, code = self.daemon.answer(payload)
  if not ok then return nil, message, code end
  table.insert(self.daemon.sent, payload)
  if self.daemon.echoes then self:put("deliver", "group", payload, self.daemon.me) end
  self.daemon:event("mcast")
  return true
end

---@class spec.FakeDaemon
local methods = {}
local daemon_mt = { __index = methods }

--- A daemon with a node of its own, on which `daemon:group` makes groups.
function fake.daemon()
  local daemon = setmetatable({
    me = { nodeid = 1, pid = 100 }, seq = 4, quorate = true, echoes = true, sent = {},
    index = 0, waiting = {}, clients = {},
    answer = function() return true end,
    strike = function() end,
  }, daemon_mt)
  daemon.place = { key = daemon, network = daemon }
  table.insert(daemons, daemon)
  return daemon
end

function methods:group(name, options) return group.new(self.place, name, options, 1) end

-- All that happens is counted; `strike(what)` is called in between.
function methods:event(what)
  self.index = self.index + 1
  self.strike(self.index, what)
end

function methods:ring() return { nodeid = 1, seq = self.seq } end

local function each(self, kind, fn)
  for _, handle in ipairs(self.clients) do
    if handle.kind == kind and not handle.is_closed and not handle.is_dead then fn(handle) end
  end
end

function methods:tell_quorum()
  each(self, "quorum", function(handle)
    handle:put("quorum", self.quorate, self:ring(), { 1 })
  end)
end

function methods:tell_ring()
  each(self, "cpg", function(handle)
    if handle.is_joined then handle:put("totem_confchg", self:ring(), { 1 }) end
  end)
end

--- Another ring: CPG tells of it before or after the quorum service does.
function methods:form_ring(quorum_first)
  self.seq = self.seq + 4
  if quorum_first then self:tell_quorum() end
  self:tell_ring()
  if not quorum_first then self:tell_quorum() end
end

--- The members of the group change, which names them beside the own one.
function methods:change(others, left, joined)
  local members = { self.me, table.unpack(others) }
  each(self, "cpg", function(handle)
    if handle.is_joined then handle:put("confchg", "group", members, left or {}, joined or {}) end
  end)
end

--- A message of somebody else.
function methods:deliver(payload, from)
  each(self, "cpg", function(handle) handle:put("deliver", "group", payload, from or {}) end)
end

--- How many connections are members of a group.
function methods:joined()
  local count = 0
  each(self, "cpg", function(handle) count = count + (handle.is_joined and 1 or 0) end)
  return count
end

local function kill_handle(handle)
  handle.is_dead = true
  handle.queue = {}
  handle:poll()
end

--- The connections of a kind, or all, are gone. Another daemon is there at once,
--- unless `is_gone` is set.
function methods:die(kind)
  if not kind then self.seq = self.seq + 4 end
  for _, one in ipairs({ "quorum", "cpg" }) do
    if not kind or kind == one then each(self, one, kill_handle) end
  end
end

function methods:freeze() self.is_frozen = true end

function methods:thaw()
  self.is_frozen = false
  local waiting = self.waiting
  self.waiting = {}
  for _, finish in ipairs(waiting) do finish() end
  for _, handle in ipairs(self.clients) do handle:poll() end
end

-- What the calls return that wait for the daemon.
local calls = {}

function calls.initialize(daemon, handle)
  if daemon.is_gone then return nil, GONE[1], GONE[2] end
  handle.kind = handle.callbacks.quorum and "quorum" or "cpg"
  table.insert(daemon.clients, handle)
  return handle.kind == "quorum" and "set" or true
end

function calls.trackstart(daemon, handle)
  handle:put("quorum", daemon.quorate, daemon:ring(), { 1 })
  return true
end

function calls.join(daemon, handle)
  handle.is_joined = true
  local me = daemon.me
  handle:put("totem_confchg", daemon:ring(), { 1 })
  handle:put("confchg", "group", { me }, {}, { { member = me, reason = "join" } })
  return me
end

function calls.leave(daemon, handle)
  handle.is_joined = false
  handle:put("confchg", "group", {}, { { member = daemon.me, reason = "leave" } }, {})
  return true
end

-- A daemon that is played has no map of keys.
local MAP = {}

-- A call takes a turn, or for as long as the daemon is frozen. Nobody waits for
-- it after its timeout: the handle is let go then.
local function call(handle, what, daemon, timeout)
  if handle == MAP then return nil, GONE[1], GONE[2] end
  handle.daemon = daemon
  local is_over = false
  return scheduler.await(function(resume)
    local function finish()
      if is_over then return end
      if daemon.is_frozen then return table.insert(daemon.waiting, finish) end
      daemon:event("call " .. what)
      is_over = true
      if handle.is_dead then return resume(nil, GONE[1], GONE[2]) end
      resume(calls[what](daemon, handle))
    end
    loop.timer(0, finish)
    return function()
      if not is_over then handle.is_closed = true end
      is_over = true
    end
  end, timeout)
end

local real

-- Handles are made here from now on.
function fake.install()
  real = {
    cpg = cpg.prepare, quorum = quorum.prepare, fd = loop.fd,
    cmap = cmap.prepare, call = blocking.call, finalize = blocking.finalize,
  }
  cpg.prepare, quorum.prepare = new_handle, new_handle
  cmap.prepare = function() return MAP end
  blocking.call = call
  blocking.finalize = function(handle) handle.is_closed = true end
  loop.fd = function(fd, mode, fn)
    local handle = handles[fd]
    if not handle then return real.fd(fd, mode, fn) end
    handle.watch = fn
    handle:poll()
    -- Keeps the program running, as a descriptor that is watched does.
    local keeper = loop.timer(KEPT, function() end)
    local watch = { ref = function() keeper:ref() end, unref = function() keeper:unref() end }
    function watch.cancel()
      keeper:cancel()
      if handle.watch == fn then handle.watch = nil end
    end
    return watch
  end
end

function fake.restore()
  for _, daemon in ipairs(daemons) do tracking.close(daemon.place) end
  daemons = {}
  cpg.prepare, quorum.prepare, loop.fd = real.cpg, real.quorum, real.fd
  cmap.prepare = real.cmap
  blocking.call, blocking.finalize = real.call, real.finalize
end

return fake
