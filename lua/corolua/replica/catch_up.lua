--- Fetches what this member misses from one that is in sync. The request has its
--- place in the total order: what is sent stands for everything before it, and
--- the commands behind it wait here until all of that has come.

local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local state_transfer = require("corolua.replica.state_transfer")
local wire = require("corolua.replica.wire")

---@class corolua.replica.CatchUp
---@field host corosync.Member
---@field id integer
local methods = {}
local catch_up_mt = { __index = methods }

local catch_up = {}

-- Every so many pieces the sender is told how many have come.
local TELL_EVERY = 4

-- Seconds without any news, after which another member is asked.
local PATIENCE = 3

--- Asks a member. Its answer begins where the request is in the order.
---@param replica corolua.replica.Member
---@param host corosync.Member
---@return corolua.replica.CatchUp
function catch_up.new(replica, host)
  local self = setmetatable({
    replica = replica, machine = replica.machine, host = host, id = scheduler.nonce(),
    number = 0, queue = {}, count = 0, bytes = 0, heard_at = scheduler.now(),
  }, catch_up_mt)
  local machine = self.machine
  replica:post(wire.want(replica.room.me, replica.seq, host, self.id, {
    base = machine.journal.base.index, last = machine.last, segments = machine.segments,
  }))
  return self
end

--- The request has come back: from here on commands wait.
function methods:begin() self.is_begun, self.heard_at = true, scheduler.now() end

--- Whether the sender has been silent for too long.
---@return boolean
function methods:is_stuck()
  return not self.is_busy and scheduler.now() - self.heard_at > PATIENCE
end

--- A command that is behind the request. Too many of them are let go, and asked
--- for again.
---@return boolean kept
function methods:keep(payload, from)
  if not self.is_begun or self.is_overrun then return false end
  self.bytes = self.bytes + #payload
  if self.bytes > self.replica.max_queue then
    self.queue, self.count, self.is_overrun = {}, 0, true
    return false
  end
  self.count = self.count + 1
  self.queue[self.count] = { payload, from, self.replica.heard[from] }
  return true
end

-- What came of a snapshot is kept until it is whole.
local function take_snapshot_bytes(self, bytes)
  self.parts = self.parts or {}
  self.parts[#self.parts + 1] = bytes
  return true
end

local NO_SNAPSHOT = "no state can be made of the snapshot: "

local function finish_snapshot(self)
  local bytes = table.concat(self.parts or {})
  self.parts = nil
  local meta, snapshot = bytes:sub(1, self.length), bytes:sub(self.length + 1)
  local done, message, code = self.machine:install(self.to, snapshot, meta)
  if done then self.replica:log_replaced() end
  if done == false then message = NO_SNAPSHOT .. message end
  return done, message, code
end

local NO_RECORD = "what was sent is no record of a replica"

-- Records are taken as they come; a beginning is kept until its end is there.
local function take_record_bytes(self, bytes)
  local rest = (self.rest or "") .. bytes
  local at = 1
  while #rest - at + 1 >= 4 do
    local length = string.unpack("<I4", rest, at)
    if #rest - at - 3 < length then break end
    local one = rest:sub(at + 4, at + 3 + length)
    local kind = log_entry.kind(one)
    if kind ~= "marker" and kind ~= "command" or self.machine.last >= self.to then
      return false, NO_RECORD
    end
    local done, message, code = self.machine:append(one)
    if not done then return nil, message, code end
    at = at + 4 + length
  end
  self.rest = rest:sub(at)
  return true
end

-- The log goes back to what both have in common before more comes.
local function begin_records(self)
  local machine = self.machine
  if self.from > machine.last then return false, "it begins behind the end of the log here" end
  local done, message, code = machine:go_back(self.from)
  if done then self.replica:log_cut(self.from) end
  if done == false then message = "it begins before the log here" end
  return done, message, code
end

local function take_head(self, bytes)
  local at
  self.kind, self.from, self.to, self.length, at = state_transfer.read_head(bytes)
  if not self.kind then return false, "the head of what was sent cannot be read" end
  if self.kind == "r" then
    local done, message, code = begin_records(self)
    if not done then return done, message, code end
  end
  return bytes:sub(at)
end

--- Whether nobody waits for this any more.
---@return boolean
function methods:is_over() return self.replica.catch_up ~= self end

local OVER = "another way was taken"

local function take(self, bytes)
  if not self.kind then
    local message, code
    bytes, message, code = take_head(self, bytes)
    if not bytes then return bytes, message, code end
    if self:is_over() then return false, OVER end
  end
  if self.kind == "r" then return take_record_bytes(self, bytes) end
  return take_snapshot_bytes(self, bytes)
end

local function finish(self)
  if self.kind == "s" then return finish_snapshot(self) end
  if self.machine.last == self.to and self.rest == "" then return true end
  return false, "what was sent ends before its time"
end

--- Whether a piece is the next one of what was asked for.
---@return boolean
function methods:is_next(from, piece)
  return piece.id == self.id and from == self.host and piece.number == self.number + 1
end

--- The next piece has come. True; false and why if nothing can be made of it, or
--- nil and why the log cannot take it.
---@return boolean? taken, string? message, string? code
function methods:piece(piece)
  self.number, self.is_busy = piece.number, true
  local done, message, code = take(self, wire.piece_bytes(piece))
  if done and piece.is_last then done, message, code = finish(self) end
  self.heard_at, self.is_busy = scheduler.now(), false
  if not done then return done, message, code end
  if not piece.is_last and self.number % TELL_EVERY == 0 and not self:is_over() then
    local replica = self.replica
    replica:post(wire.got(replica.room.me, replica.seq, self.host, self.id, self.number))
  end
  return true
end

return catch_up
