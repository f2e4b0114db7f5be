-- A life of a group that something ends at a chosen event: it joins, sends more
-- than its window holds, enters another ring, leaves, and joins again. What must
-- be true afterwards is looked at here; what happens is up to the daemon.
local corolua = require("corolua")
local fake = require("spec.support.fake")
local quorum = require("corolua.daemon.quorum")

local sweep = {}

sweep.forms = {
  raw = { window = 3 },
  packed = { packed = true, window = 2 },
  fragmented = { packed = true, fragment = true, window = 2 },
}

local MESSAGES, LONG = 20, 1100000
local FULL, FIRST_WORD = 40, "^%S+"

-- How often something that failed is done again, and the pause between.
local ATTEMPTS, PAUSE = 400, 0.01

-- Whose waits end while the daemon is frozen, and how long that is.
local SHORT, FROZEN = 0.03, 0.1

---@class spec.Sweep
---@field faults string[] what was not as it must be
---@field accepted table<string, boolean>
---@field fates table<string, string> what became of a message
local methods = {}
local sweep_mt = { __index = methods }

function methods:fault(...) table.insert(self.faults, (...):format(select(2, ...))) end

-- What became of a message is told once.
function methods:note(payload, what)
  local key = payload:match(FIRST_WORD)
  if self.fates[key] then self:fault("%s: %s and %s", key, self.fates[key], what) end
  self.fates[key] = what
end

function methods:note_all(unconfirmed)
  for _, entry in ipairs(unconfirmed) do
    self:note(entry.payload, entry.sent and "unknown" or "unsent")
  end
end

local function listen(self)
  local room = self.room
  function room.on.message(payload)
    if room.view == nil then self:fault("a message without a view") end
    self:note(payload, "delivered")
  end
  function room.on.inquorate(payload) self:note(payload, "delivered") end
  function room.on.down(why) self:note_all(why.unconfirmed) end
  function room.on.members(view)
    if room.view ~= view then self:fault("members of another view") end
  end
  -- View and quorum change together.
  function room.on.quorum(state)
    local view = room.view
    if view.ring.seq ~= state.ring.seq or view.quorate ~= state.quorate then
      self:fault("a state of ring %d in a view of ring %d", state.ring.seq, view.ring.seq)
    end
  end
end

function methods:expect_state(state)
  local now = self.room:stats().state
  if now ~= state then self:fault("the state is %s, not %s", now, state) end
end

-- Waits until the condition holds that something else brings about.
local function wait(condition)
  for _ = 1, ATTEMPTS do
    if condition() then return true end
    if not corolua.sleep(PAUSE) then return false end
  end
  return false
end

function methods:join()
  return wait(function()
    local joined, _, code = self.room:join({ timeout = self.timeout })
    if not joined then
      self:expect_state("left")
      if code == "ERR_INTERRUPT" then return true end
    end
    return joined
  end) or self:fault("cannot join")
end

local function payload_of(self, n, attempt)
  local length = self.form == "fragmented" and n == 3 and LONG or FULL
  return ("%d.%d "):format(n, attempt) .. ("x"):rep(length)
end

-- A message that is refused is another one when it is sent again.
function methods:send(n)
  local attempt = 0
  return wait(function()
    attempt = attempt + 1
    local payload = payload_of(self, n, attempt)
    local key = payload:match(FIRST_WORD)
    local ok, _, code = self.room:send(payload, { timeout = self.timeout })
    if ok then self.accepted[key] = true end
    corolua.sleep(0) -- packed: a frame of its own for some
    return ok or code == "ERR_INTERRUPT"
  end) or self:fault("cannot send")
end

local function is_told(self)
  for key in pairs(self.accepted) do
    if not self.fates[key] then return false end
  end
  return true
end

-- A connection that has come back is there, and nothing else of the group is.
local function check_settled(self)
  local room = self.room
  if not wait(function()
    return room:stats().state == "joined" and is_told(self) and room:stats().in_flight == 0
  end) then
    self:fault("not settled, but %s", room:stats().state)
  end
  if self.joined and self.joined() ~= 1 then self:fault("%d are joined", self.joined()) end
end

function methods:leave()
  local room = self.room
  local _, _, _, unconfirmed = room:leave({ timeout = self.timeout })
  self:note_all(unconfirmed or {})
  self:expect_state("left")
  local stats = room:stats()
  if stats.in_flight + stats.waiting > 0 then self:fault("the window is not empty") end
  if self.joined and self.joined() ~= 0 then self:fault("%d are joined", self.joined()) end
  if next(room.changed.waiting) then self:fault("somebody waits") end
end

function methods:check_fates()
  for key in pairs(self.accepted) do
    if not self.fates[key] then self:fault("%s was lost in silence", key) end
  end
  for key in pairs(self.fates) do
    if not self.accepted[key] then self:fault("%s was sent, and refused", key) end
  end
end

-- One life, and what comes after it.
function methods:live()
  self:join()
  for n = 1, MESSAGES do
    if n == 5 and self.form_ring then self.form_ring() end
    self:send(n)
  end
  if self.is_over() then check_settled(self) end
  self:leave()
  self:check_fates()
  wait(self.is_over)
  self.timeout = 5
  self:join()
  self:send(MESSAGES + 1)
  check_settled(self)
  self:leave()
  self:check_fates()
end

---@param room corolua.Group
---@param form string
---@param options { joined: function?, form_ring: function?, is_over: function, timeout: number? }
function sweep.new(room, form, options)
  local self = setmetatable({
    room = room, form = form, faults = {}, accepted = {}, fates = {},
    joined = options.joined, form_ring = options.form_ring, is_over = options.is_over,
    timeout = options.timeout or 5,
  }, sweep_mt)
  listen(self)
  return self
end

-- What is ended at an event: all connections, that of quorum alone, or the waits
-- of the group's tasks, by their timeouts.
local strikes = {
  daemon = function(daemon) daemon:die() end,
  quorum = function(daemon) daemon:die("quorum") end,
  wait = function(daemon)
    daemon:freeze()
    corolua.after(FROZEN, function() daemon:thaw() end)
  end,
  none = function() end,
}

sweep.kinds = { "daemon", "quorum", "wait" }

-- The library takes three of four messages at once.
local function answer_of(daemon)
  local calls = 0
  return function()
    calls = calls + 1
    if calls % 4 == 0 and not daemon.is_frozen then return nil, "try again", "ERR_TRY_AGAIN" end
    return true
  end
end

--- A life with a daemon that is played: what was wrong, and how many events there
--- were.
---@param form string
---@param kind string
---@param at integer? the event at which it is ended
---@return string[] faults
---@return integer events
function sweep.played(form, kind, at)
  local daemon = fake.daemon()
  daemon.answer = answer_of(daemon)
  function daemon.strike(index) if index == at then strikes[kind](daemon) end end
  local life = sweep.new(daemon:group("tea", sweep.forms[form]), form, {
    joined = function() return daemon:joined() end,
    form_ring = function() daemon:form_ring((at or 0) % 2 == 0) end,
    is_over = function() return not daemon.is_frozen end,
    timeout = kind == "wait" and SHORT,
  })
  life:live()
  local tracker = quorum.at(daemon.place)
  if #tracker.followers > 0 then life:fault("%d follow quorum", #tracker.followers) end
  quorum.close(daemon.place)
  return life.faults, daemon.index
end

--- A program that stops at an event, while its daemon goes on: it writes down
--- what it accepted and what became of that.
---@param form string
---@param at integer 0 for none
function sweep.stopped(form, at)
  fake.install()
  local daemon = fake.daemon()
  daemon.answer = answer_of(daemon)
  function daemon.strike(index) if index == at then corolua.stop() end end
  local life = sweep.new(daemon:group("tea", sweep.forms[form]), form, {
    form_ring = function() daemon:form_ring(at % 2 == 0) end,
    is_over = function() return true end,
  })
  function life.note(_, payload, what) print(what, payload:match(FIRST_WORD)) end
  life.accepted = setmetatable({}, { __newindex = function(_, key) print("accepted", key) end })
  life:join()
  for n = 1, MESSAGES do life:send(n) end
  life:leave()
  print("events", daemon.index)
end

return sweep
