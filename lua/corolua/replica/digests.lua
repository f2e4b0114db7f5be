--- Notices members that have made different states of one log. A mark has a place
--- in the order, at which all members in sync are at the same record: there each
--- of them tells the digest of its state, and compares it with those of the others.
--- It is a matter of telling alone: no member does anything because of the figure
--- of another one.

local canonical = require("corolua.replica.canonical")
local file = require("corolua.file")
local scheduler = require("corolua.task.scheduler")
local wire = require("corolua.replica.wire")

local digests = {}

---@class corolua.replica.Digests
---@field index integer? of the record at which the own digest was made
---@field own string? the digest
local methods = {}
local digests_mt = { __index = methods }

-- Seconds between two digests that are made, or as many times the seconds that the
-- last one took, and between two that are told: whoever may send marks has members
-- make no more. A mark comes after so many seconds of commands where there is a
-- function for digests.
local PAUSE, TIMES, TELL_PAUSE, EVERY = 0.02, 20, 0.1, 10

local SHORT = 64

-- Long ones are told by their checksums and their length.
local function shorten(bytes)
  if #bytes <= SHORT then return bytes end
  return string.pack("<I4I4I8", file.crc32(bytes), file.crc32(bytes:reverse()), #bytes)
end

---@param member corolua.replica.Member
---@param given corolua.ReplicaOptions as checked
---@return corolua.replica.Digests
function digests.new(member, given)
  return setmetatable({
    member = member, fn = given.digest, is_off = given.digest == false,
    is_json = given.is_json, told = {}, due_at = -math.huge, told_at = -math.huge,
    marked_at = scheduler.now(),
  }, digests_mt)
end

--- A term begins for this member.
function methods:begin()
  self.index, self.own, self.told, self.is_marking = nil, nil, {}, false
  if self.fn then self:mark_soon() end
end

--- A member is gone.
---@param member corosync.Member
function methods:forget(member) self.told[member] = nil end

--- Has a mark come, unless one is under way.
function methods:mark_soon()
  local member = self.member
  if self.is_marking then return end
  self.is_marking, self.marked_at = true, scheduler.now()
  member:post(wire.mark(member.room.me, member.seq, member.nonce))
end

--- A command was applied.
function methods:has_applied()
  if self.fn and scheduler.now() - self.marked_at > EVERY then self:mark_soon() end
end

local function digest_of(self, snapshot)
  local state = self.member.machine.state
  if self.fn then
    local bytes = self.fn(state)
    if type(bytes) == "string" then return shorten(bytes) end
    error(("digest must return a string, got %s"):format(type(bytes)), 0)
  end
  if not snapshot then return nil end
  return shorten(self.is_json and canonical.bytes(state) or snapshot)
end

local function compare(self, from, told)
  if told.index ~= self.index or told.digest == self.own or told.is_told then return end
  told.is_told = true
  self.member.events:offer(0, "diverged", from, self.index)
end

local function compare_all(self)
  for _, from in ipairs(self.member.members) do
    if self.told[from] then compare(self, from, self.told[from]) end
  end
end

local function tell(self, now)
  local member = self.member
  if now - self.told_at < TELL_PAUSE then return end
  self.told_at = now
  member:post(wire.digest(member.room.me, member.seq, member.nonce, self.index, self.own))
end

--- The own mark, or another one's, has come, and with it a snapshot if one was due.
---@param is_own boolean
---@param snapshot string?
function methods:make(is_own, snapshot)
  local now, member = scheduler.now(), self.member
  if is_own then self.is_marking = false end
  self.marked_at = now
  if self.is_off then return end
  if self.index ~= member.machine.last then
    if not snapshot and now < self.due_at then return end
    local own = digest_of(self, snapshot)
    if not own then return end
    local cost = scheduler.now() - now
    self.due_at = now + math.max(PAUSE, cost * TIMES)
    self.index, self.own, self.told_at = member.machine.last, own, -math.huge
    compare_all(self)
  end
  tell(self, now)
end

local TOO_FAR = "it tells of record %d, and there are %d in this term"

--- A member has told its digest.
---@param from corosync.Member
---@param told { nonce: integer, index: integer, digest: string }
---@return string? why it cannot be right
function methods:take(from, told)
  local member = self.member
  if member.phase ~= "synced" or told.nonce ~= member.nonce then return end
  if from == member.room.me then return end
  local last = member.machine.last
  if told.index > last then return TOO_FAR:format(told.index, last) end
  local before = self.told[from]
  if before and before.index == told.index then return end
  self.told[from] = { index = told.index, digest = told.digest }
  compare(self, from, self.told[from])
end

return digests
