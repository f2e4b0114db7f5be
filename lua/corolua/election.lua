--- One leader among the members of a group: the oldest one of the quorate side.
--- docs/election.md says what that guarantees and what it cannot.

local args = require("corolua.base.args")
local group = require("corolua.group")
local guard = require("corolua.base.guard")
local inspect = require("corolua.base.inspect")
local lease = require("corolua.election.lease")
local line = require("corolua.election.line")
local once = require("corolua.task.once")
local scheduler = require("corolua.task.scheduler")
local service = require("corolua.service")
local strangers = require("corolua.service.strangers")
local term = require("corolua.election.term")
local wire = require("corolua.election.wire")

---@class corolua.ElectionHandlers
---@field elected? fun(term: integer) we lead from here on
---@field deposed? fun(term: integer) we do not lead any more
---@field changed? fun(leader: corosync.Member?, term: integer) another one leads, or nobody
---@field malformed? fun(bytes: string, from: corosync.Member, why: string) it changes nothing

---@class corolua.Election
---@field group corolua.Group its own: nobody else sets handlers of it
---@field on corolua.ElectionHandlers
---@field leader corosync.Member? the member that leads, as far as was read
---@field term integer of the leader, or of the last one; 0 before the first
local methods = {}

local election = {}

-- What was not heard by all is said again after so many seconds, twice as many
-- each time; a clock that has to go on a little is looked at soon.
local AGAIN_MIN, AGAIN_MAX = 0.05, 0.8
local CLOCK_PAUSE = 0.004

local EVENTS = { "elected", "deposed", "changed", "malformed" }

local OPTIONS = service.options({ { "lease", args.time } })
local NEEDED = { codec = true, quorum = true }

local NO_FENCE = "there is no quorum provider, and without quorum nobody leads"

local election_mt = service.metatable("election", methods)

-- Nobody leads where the daemon has no quorum provider, and so no fence.
local function may_lead(self)
  local room = self.group
  return not room.refusal and not group.is_unfenced(room)
end

-- The member of a key, and its leadership; none where the own quorum is gone.
local function leader_now(self)
  local key = self.agreed.leader
  if not key or not may_lead(self) then return nil end
  return self.members[key], term.of(self.agreed.ring.seq, self.agreed.counter)
end

local function tell_deposed(self)
  if not self.leading then return end
  self.events:tell("deposed", self.leading)
  self.leading = false
  if self.lease then self.lease:stop() end
end

-- Tells of what has changed since it was told the last time: first of our own
-- end, then of our own beginning, then of the leader.
local function show(self)
  local leader, number = leader_now(self)
  local is_mine = leader ~= nil and leader == self.group.me
  if not (is_mine and number == self.leading) then tell_deposed(self) end
  if leader == self.leader and (not leader or number == self.term) then return end
  self.leader, self.term = leader, number or self.term
  if is_mine then
    self.leading = number
    self.events:tell("elected", number)
  end
  self.events:tell("changed", leader, self.term)
  if is_mine and self.lease then self.lease:begin(self.claimed_at) end
end

local advance

local function arm(self, seconds)
  if self.timer then self.timer:cancel() end
  self.timer = scheduler.after(seconds, function()
    self.timer = false
    advance(self, seconds >= AGAIN_MIN)
  end)
end

-- What is still to come does so by messages, unless some of them were lost or
-- the clock has to go on.
local function watch(self)
  local agreed = self.agreed
  if agreed:is_to_claim() then
    arm(self, CLOCK_PAUSE)
  elseif not agreed:is_settled() and not self.timer then
    self.pause = math.min(self.pause * 2, AGAIN_MAX)
    arm(self, self.pause)
  end
end

-- Says what is to be said. What is refused is said when quorum is there.
function advance(self, again)
  local agreed = self.agreed
  if not agreed.ring or not may_lead(self) then return end
  local message = agreed:next_message(again)
  while message and self.group:try_send(wire.encode(message, self.group.me)) do
    agreed:has_said(message)
    if message.kind == "claim" then self.claimed_at = scheduler.now() end
    message = agreed:next_message()
  end
  watch(self)
end

local function beat(self, now)
  local agreed = self.agreed
  if not agreed.ring then return end
  self.group:try_send(wire.encode({
    kind = "beat", nodeid = agreed.ring.nodeid, seq = agreed.ring.seq,
    counter = agreed.counter, sent = now,
  }, self.group.me))
end

-- Nothing of ours has come back for too long: whoever leads by now, it is not us
-- until we have claimed again.
local function expire(self)
  self.agreed:resign()
  show(self)
  advance(self)
end

local function is_same(ring, other)
  return ring ~= nil and ring.seq == other.seq and ring.nodeid == other.nodeid
end

-- Follows the view of the event that is being handled.
local function look(self)
  local view = self.group.view
  if view.members == self.seen and is_same(self.agreed.ring, view.ring) then return end
  local keys
  keys, self.members, self.seen = {}, {}, view.members
  for i, member in ipairs(view.members) do
    keys[i] = wire.key(member)
    self.members[keys[i]] = member
  end
  if is_same(self.agreed.ring, view.ring) then return self.agreed:change(keys) end
  self.agreed:enter(wire.key(self.group.me), view.ring, keys, not self.agreed.ring)
  self.pause = AGAIN_MIN / 2
end

-- What of ours has come back, for the lease: a claim that took longer than it is
-- void, and is made again.
local function confirm(self, message)
  if message.kind == "claim" and self.lease:is_over(self.claimed_at) then
    self.agreed:resign()
  elseif message.kind == "beat" and self.leading and message.counter == self.agreed.counter then
    self.lease:confirm(message.sent)
  end
end

local function on_message(self, payload, from)
  look(self)
  local message, why = wire.decode(payload, from)
  if message then why = self.agreed:hear(wire.key(from), message) end
  if why then self.strangers:tell(payload, from, why) end
  if message and self.lease and from == self.group.me then confirm(self, message) end
  show(self)
  advance(self)
end

local function on_refusal(self, refusal)
  if not refusal then return end
  if self.timer then self.timer:cancel() end
  self.timer = false
  self.agreed:lose_quorum()
  self.agreed:resign()
  show(self)
end

local function listen(self)
  local on = self.group.on
  local function on_view()
    look(self)
    if may_lead(self) then self.agreed:gain_quorum() end
    show(self)
    advance(self)
  end
  on.members, on.quorum = on_view, on_view
  local function on_payload(payload, from) on_message(self, payload, from) end
  on.message, on.inquorate = on_payload, on_payload
  function on.down()
    self.agreed:go_down()
    self.seen = false
    show(self)
  end
  function on.malformed(bytes, from, why) self.strangers:tell(bytes, from, why) end
  for _, kind in ipairs({ "gap", "up" }) do on[kind] = function() end end
  group.watch_refusal(self.group, function(refusal) on_refusal(self, refusal) end)
end

local function check_self(self, method) guard.self(self, election_mt, "an election", method, 3) end

--- Whether we lead, by all that was read so far: true at the earliest when
--- `elected` is told, and false at the latest then when `deposed` is.
---@return boolean
function methods:is_leader()
  check_self(self, "is_leader")
  if not self.leading or not may_lead(self) then return false end
  if self.lease and not self.lease:is_valid() then return false end
  return is_same(self.agreed.ring, group.newest_ring(self.group))
end

--- The members in the order in which they are to lead, the leader first; empty
--- without quorum, and until all have agreed after a change of the ring.
---@return corosync.Member[]
function methods:line()
  check_self(self, "line")
  local list = {}
  if not may_lead(self) then return list end
  for i, key in ipairs(self.agreed.order or list) do list[i] = self.members[key] end
  return list
end

--- The members that others have not heard since the ring has changed, that have
--- not heard all others, or that tell of another line: they hold the line up.
---@return corosync.Member[]
function methods:missing()
  check_self(self, "missing")
  local list = {}
  for i, key in ipairs(self.agreed:missing()) do list[i] = self.members[key] end
  return list
end

---@class corolua.ElectionStats
---@field malformed integer messages that this member could not take

--- Figures of the election, as they are now.
---@return corolua.ElectionStats
function methods:stats()
  check_self(self, "stats")
  return inspect.readable({ malformed = self.strangers.count })
end

---@class corolua.ElectionStatus: corolua.ServiceStatus
---@field leader corosync.Member?
---@field term integer
---@field is_leader boolean

--- How things stand.
---@return corolua.ElectionStatus
function methods:status()
  check_self(self, "status")
  local status = service.status(self.group)
  status.leader, status.term, status.is_leader = self.leader, self.term, self:is_leader()
  return status
end

--- Leaves: `deposed` is told at once, before any other member can lead. Done as
--- well by `<close>` and at the end of the program. May be repeated, and returns the
--- same again. Codes, as of group:leave: "ERR_NOT_EXIST", "ERR_TIMEOUT", "ERR_LIBRARY".
---@param given { timeout: number }? in seconds, 5 unless told
---@return true? closed, string? message, string? code
function methods:close(given)
  check_self(self, "close")
  local timeout = service.close_timeout(given, 2)
  return self.closing:run(self.group.leave, self.group, { timeout = timeout })
end

local function new(room, lease_seconds)
  local name = "election '" .. room.name .. "'"
  local events = service.events(name, EVENTS)
  local self = setmetatable({
    group = room, events = events, on = events.on,
    term = 0, agreed = line.new(), members = {}, pause = AGAIN_MIN,
    strangers = strangers.new(events), closing = once.new(),
    leading = false, lease = false, timer = false, seen = false, claimed_at = false,
  }, election_mt)
  events.source = self
  if lease_seconds then
    self.lease = lease.new(lease_seconds, function(now) beat(self, now) end,
      function() expire(self) end)
  end
  listen(self)
  return self
end

---@class corolua.ElectionOptions: corolua.ServiceOptions
---@field lease number? seconds after which a leader that hears nothing back ends by itself

--- Joins a group, in which the member that has been there for longest leads as
--- long as it has quorum. Codes: those of group:join ("ERR_LIBRARY", "ERR_ACCESS",
--- "ERR_TIMEOUT", "ERR_INTERRUPT"), and "ERR_NOT_SUPPORTED" without a quorum provider.
---@param given string|corolua.Group a name, or a group that was not joined
---@param given_options corolua.ElectionOptions?
---@return corolua.Election? election, string? message, string? code
function election.open(given, given_options)
  local checked = args.check(given_options, OPTIONS, "election.open", 2)
  local room = service.group(given, "election.open", NEEDED, checked, 2)
  local self = new(room, checked.lease)
  local ok, message, code = service.join(room, "election.open", checked.timeout, 2)
  if not ok then return nil, message, code end
  if group.is_unfenced(room) then
    room:leave()
    return nil, NO_FENCE, "ERR_NOT_SUPPORTED"
  end
  self.events:begin()
  return self
end

guard.names(election_mt, "an election", {
  always = { "group", "on", "term" }, sometimes = { "leader" }, events = EVENTS,
})

return election
