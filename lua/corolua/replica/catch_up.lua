--- Fetches what this member misses from one that is in sync. The request has its
--- place in the total order: what is sent stands for everything before it, and
--- the commands behind it wait here until all of that has come.

local record = require("corolua.replica.record")
local scheduler = require("corolua.scheduler")
local transfer = require("corolua.replica.transfer")
local wire = require("corolua.replica.wire")

---@class corolua.replica.CatchUp
---@field host userdata
---@field id integer
local methods = {}
local catch_up_mt = { __index = methods }

local catch_up = {}

-- Every so many pieces the sender is told how many have come.
local TELL_EVERY = 4

-- Seconds without any news, after which another member is asked.
local PATIENCE = 3

local last_id = 0

--- Asks a member. Its answer begins where the request is in the order.
---@param replica corolua.replica.Member
---@param host userdata
---@return corolua.replica.CatchUp
function catch_up.new(replica, host)
  last_id = last_id % 0xffffffff + 1
  local self = setmetatable({
    replica = replica, machine = replica.machine, host = host, id = last_id,
    number = 0, queue = {}, count = 0, bytes = 0, heard_at = scheduler.now(),
  }, catch_up_mt)
  local machine = self.machine
  replica:post(wire.want(replica.seq, host, self.id, {
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
  self.queue[self.count] = { payload, from }
  return true
end

-- What came of a snapshot is kept until it is whole.
local function take_snapshot_bytes(self, bytes)
  self.parts = self.parts or {}
  self.parts[#self.parts + 1] = bytes
  return true
end

local function finish_snapshot(self)
  local bytes = table.concat(self.parts or {})
  self.parts = nil
  local meta, snapshot = bytes:sub(1, self.length), bytes:sub(self.length + 1)
  local done, message, code = self.machine:install(self.to, snapshot, meta)
  if done then self.replica:log_replaced() end
  return done, message, code
end

-- Records are taken as they come; a beginning is kept until its end is there.
local function take_record_bytes(self, bytes)
  local rest = (self.rest or "") .. bytes
  local at = 1
  while #rest - at + 1 >= 4 do
    local length = string.unpack("<I4", rest, at)
    if #rest - at - 3 < length then break end
    local bytes_of_record = rest:sub(at + 4, at + 3 + length)
    if record.is_marker(bytes_of_record) == nil then
      return nil, "what was sent is no record of a replica", "ERR_CORRUPT"
    end
    local done, message, code = self.machine:append(bytes_of_record)
    if not done then return nil, message, code end
    at = at + 4 + length
  end
  self.rest = rest:sub(at)
  return true
end

-- The log goes back to what both have in common before more comes.
local function begin_records(self)
  local machine = self.machine
  if machine.last > self.from then self.replica:log_cut(self.from) end
  return machine:cut(self.from)
end

local function take_head(self, bytes)
  local at
  self.kind, self.from, self.to, self.length, at = transfer.read_head(bytes)
  if self.kind == "r" then
    local done, message, code = begin_records(self)
    if not done then return done, message, code end
  end
  return bytes:sub(at)
end

local function take(self, bytes)
  if not self.kind then
    local message, code
    bytes, message, code = take_head(self, bytes)
    if not bytes then return bytes, message, code end
  end
  if self.kind == "r" then return take_record_bytes(self, bytes) end
  return take_snapshot_bytes(self, bytes)
end

local function finish(self)
  if self.kind == "s" then return finish_snapshot(self) end
  return true
end

--- A piece has come. True and whether it was the last, or nil and why the log
--- cannot take it; false if it is not the one that is expected, and with true if
--- nothing can be made of it any more.
---@return boolean? taken, boolean|string is_last, string? code
function methods:piece(from, piece)
  if piece.id ~= self.id or from ~= self.host or piece.number ~= self.number + 1 then
    return false, false
  end
  self.number, self.is_busy = piece.number, true
  local done, message, code = take(self, wire.piece_bytes(piece))
  if done and piece.is_last then done, message, code = finish(self) end
  self.heard_at, self.is_busy = scheduler.now(), false
  if done == false then return false, true end
  if not done then return nil, message, code end
  if not piece.is_last and self.number % TELL_EVERY == 0 then
    self.replica:post(wire.got(self.replica.seq, self.host, self.id, self.number))
  end
  return true, piece.is_last
end

return catch_up
