--- A replicated state machine: commands that any member submits are applied by
--- all of them, in one order, and survive what the members survive.

local args = require("corolua.base.args")
local dispatch = require("corolua.replica.dispatch")
local log = require("corolua.replica.log")
local member = require("corolua.replica.member")
local options = require("corolua.replica.options")
local pending = require("corolua.replica.pending")
local quorum = require("corolua.daemon.quorum")
local scheduler = require("corolua.task.scheduler")
local service = require("corolua.service")
local strangers = require("corolua.service.strangers")
local wire = require("corolua.replica.wire")

---@class corolua.ReplicaHandlers
---@field synced? fun(status: corolua.ReplicaStatus) this member has what all have
---@field unsynced? fun(status: corolua.ReplicaStatus) it is in sync no more
---@field failed? fun(message: string, code: string) it has stopped and left the group
---@field diverged? fun(member: corosync.Member, index: integer) that one's state is another one
---@field trouble? fun(message: string, code: string) no part in decisions until the next ring
---@field malformed? fun(bytes: string, from: corosync.Member, why: string) it changes nothing

---@class corolua.Replica
---@field on corolua.ReplicaHandlers
---@field room corolua.Group
local methods = {}

local replica = {}

local SUBMIT_TIMEOUT = 30
local LEAVE_TIMEOUT = 5

local ROUND_LOST = "%s; this member has no part in decisions until the next ring"

local replica_mt = {
  __name = "corolua.replica",
  __index = methods,
  __tostring = function(self) return ("replica '%s'"):format(self.room.name) end,
}

local EVENTS = { "synced", "unsynced", "failed", "trouble", "diverged", "malformed" }

local GROUP = { packed = true, fragment = true }

local function listen(self)
  local one, on = self.member, self.room.on
  local function judge(payload, from, why)
    if why then self.strangers:tell(payload, from, why) end
  end
  function on.members() one:follow() end
  function on.quorum() one:follow() end
  function on.message(payload, from) judge(payload, from, dispatch.message(one, payload, from)) end
  function on.inquorate(payload, from)
    judge(payload, from, dispatch.inquorate(one, payload, from))
  end
  function on.gap(from) dispatch.gap(one, from) end
  on.malformed = judge
  function on.up() end
  function on.down(why)
    if self.room.state == "left" then return one:fail(why.message, why.code) end
    one:down()
  end
  local journal = one.journal
  journal.on.written = function() one.commit:has_written() end
  journal.on.failed = function(message, code) one:fail(message, code) end
end

-- On a node of a lab a replica is closed with its cluster.
local function close_with_cluster(self)
  local place = self.room.place
  if place == quorum.HERE then return end
  place.key:at_close(function()
    if self.member.phase ~= "over" then self:leave() end
  end)
end

--- Opens a replica: joins the group, which it owns, and comes into sync with the
--- other members whenever there is quorum. Waits for the own log and the join,
--- not for that. Codes: "ERR_BUSY" (the folder is in use), "ERR_CORRUPT",
--- "ERR_VERSION", "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION" (the disk),
--- and those of group:join.
---@param given string|corolua.Group a name, or a group not yet joined
---@param opts corolua.ReplicaOptions
---@return corolua.Replica? replica, string? message, string? code
function replica.open(given, opts)
  local checked = options.check(opts, 2)
  local room = service.room(given, "replica.open", GROUP, 2)
  options.check_group(room, 2)
  local machine, ballot, message, code = log.open(checked)
  if not machine then return nil, message, code end
  local events = service.events(("replica '%s'"):format(room.name), EVENTS)
  local self = setmetatable({
    room = room, codec = checked.codec, events = events, on = events.on,
    member = member.new(room, checked, machine, ballot, events),
    longest = room.longest - wire.COMMAND_MORE, strangers = strangers.new(events),
  }, replica_mt)
  events.source = self
  if ballot.lost then events:tell("trouble", ROUND_LOST:format(ballot.lost), "ERR_CORRUPT") end
  listen(self)
  local joined
  joined, message, code = room:join()
  if not joined then
    machine.journal:close()
    return nil, message, code
  end
  close_with_cluster(self)
  events:begin()
  return self
end

local REFUSALS = {
  inquorate = { "not quorate", "ERR_NOT_QUORATE" },
  down = { "no connection to corosync; the replica looks for a new one", "ERR_LIBRARY" },
}

local NOT_SENT = "the replica was not in sync in time; the command was not sent"

-- Waits until commands may be sent: in sync, and sure of those that were sent in
-- terms before.
local function wait_synced(one, deadline)
  while one.phase ~= "synced" or one.pending:is_open() do
    local refusal = one.ending or REFUSALS[one.phase]
    if refusal then return nil, refusal[1], refusal[2], "never" end
    local _, message, code = one:wait_change(math.max(0, deadline - scheduler.now()))
    if code == "ERR_TIMEOUT" then return nil, NOT_SENT, "ERR_TRY_AGAIN", "never" end
    if code then return nil, message, code, "never" end
  end
  return true
end

local UNKNOWN = "no answer in time: the command may have been applied, or may be later"

local function send(self, entry, bytes, deadline)
  local one = self.member
  local left = math.max(0, deadline - scheduler.now())
  local sent, message, code = self.room:send(
    wire.command(self.room.me, one.nonce, one.origin, entry.number, bytes), { timeout = left })
  if sent then return true end
  one.pending:drop(entry)
  if code == "ERR_TIMEOUT" then code = "ERR_TRY_AGAIN" end
  return nil, message, code, "never"
end

-- Sends the command once, and waits for what becomes of it.
local function attempt(self, bytes, deadline)
  local one = self.member
  local entry = one.pending:begin(one.seq, one.life)
  local sent, message, code, fate = send(self, entry, bytes, deadline)
  if not sent then return nil, message, code, fate end
  if not entry.results then
    local _
    _, message, code = one.pending:await(entry, math.max(0, deadline - scheduler.now()))
    if not entry.results then
      one.pending:drop(entry)
      return nil, code == "ERR_TIMEOUT" and UNKNOWN or message, code, "unknown"
    end
  end
  return table.unpack(entry.results, 1, entry.results.n)
end

local function encode(self, command, level)
  local bytes = command
  if self.codec then bytes = self.codec.encode(command, level + 1) end
  if type(bytes) ~= "string" then
    error(("submit: a command must be a string, got %s (see the option codec)"):format(
      type(bytes)), level + 1)
  elseif #bytes > self.longest then
    error(("submit: a command of %d bytes is over the limit of %d bytes"):format(
      #bytes, self.longest), level + 1)
  end
  return bytes
end

--- Has a command applied by all members, and waits until it is as durable as the
--- option says. Where it fails, the fourth result is what became of the command:
--- "never" if no member has it, "unknown", or "applied". Codes: "ERR_NOT_QUORATE",
--- "ERR_TRY_AGAIN" (not in sync in time), "ERR_TIMEOUT", "ERR_LIBRARY" (no daemon),
--- "ERR_NO_RESULT", "ERR_NOT_EXIST" (closed), "ERR_INTERRUPT", or that of `failed`.
---@param command any a string, or what the codec takes
---@param given { timeout: number }? in seconds, 30 unless told
---@return any result of the own apply
---@return string? message, string? code
---@return "never"|"unknown"|"applied"|nil fate
function methods:submit(command, given)
  local timeout = args.timeout(given, SUBMIT_TIMEOUT, "submit", 2)
  local bytes = encode(self, command, 2)
  if self.member.machine.is_applying then error("submit: apply must not submit", 2) end
  local deadline = scheduler.now() + timeout
  while true do
    local ready, message, code, fate = wait_synced(self.member, deadline)
    if not ready then return nil, message, code, fate end
    local results = table.pack(attempt(self, bytes, deadline))
    if results[1] ~= pending.AGAIN then return table.unpack(results, 1, results.n) end
  end
end

--- Calls a function with the local copy of the state, which it must not change:
--- what it returns. Does not wait, and needs no quorum.
---@param fn fun(state: any): any
---@return any ...
function methods:read(fn)
  if type(fn) ~= "function" then
    error(("read: a function was expected, got %s"):format(type(fn)), 2)
  end
  return fn(self.member.machine.state)
end

---@class corolua.ReplicaStatus
---@field state "joining"|"inquorate"|"syncing"|"synced"|"down"|"failed"|"closed"
---@field index integer of the last record
---@field written integer of the last one on the disk
---@field seq integer of the ring that the last record is of
---@field ring integer? the seq of the present one
---@field members { member: corosync.Member, is_synced: boolean }[]
---@field from corosync.Member? the member that the missing part comes from

--- How things stand.
---@return corolua.ReplicaStatus
function methods:status() return self.member:status() end

---@class corolua.ReplicaStats
---@field malformed integer messages that this member could not take

--- Figures of the replica, as they are now.
---@return corolua.ReplicaStats
function methods:stats() return { malformed = self.strangers.count } end

--- Leaves the group and closes the log, once all of it is on the disk. Commands
--- that are not answered yet are unknown. Codes: "ERR_NOT_EXIST" (closed already),
--- "ERR_NO_SPACE", "ERR_ACCESS", "ERR_FAILED_OPERATION" (not all is on the disk),
--- and those of group:leave.
---@param given { timeout: number }? in seconds, for leaving; 5 unless told
---@return true? left, string? message, string? code
function methods:leave(given)
  local timeout = args.timeout(given, LEAVE_TIMEOUT, "leave", 2)
  if self.member.phase == "over" then
    return nil, "the replica is closed", "ERR_NOT_EXIST"
  end
  self.member:finish("the replica has been closed", "ERR_NOT_EXIST")
  local left, message, code = self.room:leave({ timeout = timeout })
  local closed, why, why_code = self.member.journal:close()
  if closed == nil and why then return nil, why, why_code end
  return left, message, code
end

replica_mt.__close = function(self)
  if self.member.phase ~= "over" then self:leave() end
end

return replica
