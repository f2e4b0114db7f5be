--- Marks have a place in the order, at which all members in sync are at the same
--- record. There those who have a long log make a snapshot of the state, all of the
--- same one, and each tells the digest of its state and compares it with those of
--- the others: so members that have made different states of one log are noticed.
--- That is a matter of telling alone: no member does anything because of the digest
--- of another one.

local file = require("corolua.file")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

local marks = {}

---@class corolua.replica.Marks
---@field member corolua.replica.Member
---@field fn (fun(state: any): string)? makes the digest
---@field is_off boolean no digests are made
---@field is_json boolean snapshots are JSON, whose bytes may differ for one state
---@field snapshot_after integer bytes of records that a snapshot replaces
---@field is_marking boolean? an own mark is under way
---@field marked_at number when the last mark came, in seconds
---@field index integer? of the record at which the own digest was made
---@field own string? the digest
---@field told table<corosync.Member, corolua.replica.Told> by others
---@field told_at number when the own one was told, in seconds
---@field due_at number when the next one may be made, in seconds
---@field is_compacting boolean? a snapshot is being put in the place of records
local methods = {}
local marks_mt = { __index = methods }

---@class corolua.replica.Told
---@field index integer
---@field digest string
---@field is_told boolean? that it differs from the own one

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

local add

local function add_table(parts, value)
  parts[#parts + 1] = "{"
  for _, key in ipairs(lists.keys(value)) do
    add(parts, key)
    add(parts, value[key])
  end
  parts[#parts + 1] = "}"
end

local function number(value)
  local whole = math.tointeger(value)
  return whole and ("%d;"):format(whole) or ("%.14g;"):format(value)
end

function add(parts, value)
  local kind = type(value)
  if kind == "table" then return add_table(parts, value) end
  if kind == "string" then parts[#parts + 1] = ("%d:%s"):format(#value, value)
  elseif kind == "number" then parts[#parts + 1] = number(value)
  else parts[#parts + 1] = kind == "boolean" and tostring(value) or "null" end
end

-- A value that JSON can hold as bytes, the same ones for the same value: JSON itself
-- leaves the order of keys open, and how a number is written.
local function canonical(value)
  local parts = {}
  add(parts, value)
  return table.concat(parts)
end

---@param member corolua.replica.Member
---@param given corolua.ReplicaOptions as checked
---@return corolua.replica.Marks
function marks.new(member, given)
  return setmetatable({
    member = member, fn = given.digest or nil, is_off = given.digest == false,
    is_json = given.is_json, snapshot_after = given.snapshot_after, told = {},
    due_at = -math.huge, told_at = -math.huge, marked_at = scheduler.now(),
  }, marks_mt)
end

local function mark_soon(self)
  if self.is_marking then return end
  self.is_marking, self.marked_at = true, scheduler.now()
  self.member:say("mark", { nonce = self.member.nonce })
end

--- A term begins for this member.
function methods:begin()
  self.index, self.own, self.told, self.is_marking = nil, nil, {}, false
  if self.fn then mark_soon(self) end
end

--- A member is gone.
---@param member corosync.Member
function methods:forget(member) self.told[member] = nil end

-- Whether a snapshot may be made, and the log is long enough: `part` is 2 where
-- half of it will do.
local function is_snapshot_due(self, part)
  local member = self.member
  return not self.is_compacting and not next(member.transfers)
    and member.machine:is_long(self.snapshot_after, part)
end

--- A command was applied.
function methods:has_applied()
  local is_late = self.fn and scheduler.now() - self.marked_at > EVERY
  if is_late or is_snapshot_due(self, 1) then mark_soon(self) end
end

-- Puts a snapshot that was made just now in the place of the records before it.
local function compact(self, snapshot, meta)
  local member = self.member
  local visit, commit = member.visit, member.commit
  local function wait_proven(index)
    scheduler.wait(function() return member.visit ~= visit or commit.proven >= index end)
    return member.visit == visit
  end
  self.is_compacting = true
  scheduler.spawn(function()
    member.machine:compact(wait_proven, snapshot, meta)
    self.is_compacting = false
  end)
end

local function digest_of(self, snapshot)
  local state = self.member.machine.state
  if self.fn then
    local bytes = self.fn(state)
    if type(bytes) == "string" then return shorten(bytes) end
    error(("digest must return a string, got %s"):format(type(bytes)), 0)
  end
  if not snapshot then return nil end
  return shorten(self.is_json and canonical(state) or snapshot)
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
  if now - self.told_at < TELL_PAUSE then return end
  self.told_at = now
  self.member:say("digest", { nonce = self.member.nonce, index = self.index, digest = self.own })
end

-- The own digest at this mark, and with it a snapshot if one was due.
local function make(self, snapshot)
  local now, last = scheduler.now(), self.member.machine.last
  if self.is_off then return end
  if self.index ~= last then
    if not snapshot and now < self.due_at then return end
    local own = digest_of(self, snapshot)
    if not own then return end
    local cost = scheduler.now() - now
    self.due_at = now + math.max(PAUSE, cost * TIMES)
    self.index, self.own, self.told_at = last, own, -math.huge
    compare_all(self)
  end
  tell(self, now)
end

--- A mark has come. Who is half of the way to a snapshot makes it now.
---@param from corosync.Member
function methods:take_mark(from)
  local member = self.member
  local snapshot, meta
  if is_snapshot_due(self, 2) then
    snapshot, meta = member.machine:take_snapshot()
    compact(self, snapshot, meta)
  end
  if from == member.room.me then self.is_marking = false end
  self.marked_at = scheduler.now()
  make(self, snapshot)
end

local TOO_FAR = "it tells of record %d, and there are %d in this term"

--- A member has told its digest.
---@param from corosync.Member
---@param told corolua.replica.Digest
---@return string? why it cannot be right
function methods:take_digest(from, told)
  local member = self.member
  if told.nonce ~= member.nonce or from == member.room.me then return end
  local last = member.machine.last
  if told.index > last then return TOO_FAR:format(told.index, last) end
  local before = self.told[from]
  if before and before.index == told.index then return end
  self.told[from] = { index = told.index, digest = told.digest }
  compare(self, from, self.told[from])
end

return marks
