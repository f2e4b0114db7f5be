--- What a member misses comes from one that is in sync: the records, or a snapshot
--- where they do not go far enough back. The request has its place in the total
--- order: what is sent stands for everything before it, and the commands behind it
--- wait until all of that has come. It goes in pieces, a few at a time, so that
--- commands go on between them; who takes them tells how many it has.

local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local term_history = require("corolua.replica.term_history")
local wire = require("corolua.replica.wire")

local state_transfer = {}

---@class corolua.replica.Transfer to a member
---@field member corolua.replica.Member this one
---@field seq integer of the ring
---@field to corosync.Member
---@field id integer of the request
---@field head string
---@field next_part fun(): string?, boolean?
---@field number integer of the last piece
---@field got integer so many of them have been taken
---@field resume function? of the task, while as many are under way as may be
---@field is_over boolean?
local methods = {}
local transfer_mt = { __index = methods }

---@class corolua.replica.Fetching from a member
---@field member corolua.replica.Member this one
---@field host corosync.Member
---@field id integer of the request
---@field number integer of the last piece
---@field heard_at number when there was news, in seconds
---@field is_begun boolean? the request has come back
---@field is_busy boolean? a piece is being taken
---@field is_overrun boolean? too many commands wait
---@field queue { [1]: string, [2]: corosync.Member, [3]: boolean? }[] what waits, from whom, and
---  whether that one was heard before
---@field bytes integer of those commands
---@field kind "r"|"s"|nil what comes, as soon as its head has
---@field from integer? index of the last record that both have
---@field to integer? index of the last record that comes
---@field length integer? of what goes with a snapshot
---@field rest string? the beginning of a record
---@field parts string[]? of a snapshot
local fetching = {}
local fetching_mt = { __index = fetching }

-- Bytes of a piece, and pieces that are under way.
local PIECE, UNDER_WAY = 60000, 8

-- Every so many pieces the sender is told how many have come.
local TELL_EVERY = 4

-- A member that has taken no piece for so long, in seconds, is given up; it asks
-- again if it is alive.
local PATIENCE = 10

-- Seconds without any news, after which another member is asked.
local FETCH_PATIENCE = 3

-- Bytes of commands that wait for what is before them.
local MAX_QUEUE = 64 * 1024 * 1024

-- The head of what is sent: what follows, from which record on, and up to which.
local HEAD = "<c1i8i8i8"

-- The records behind what both logs have in common, if they are here, and if
-- the other one can go back so far.
local function records(machine, want)
  local common = term_history.common(machine.terms, machine.last, want.terms, want.last) or 0
  if common < want.base or common < machine.journal.base.index then return nil end
  return string.pack(HEAD, "r", common, machine.last, 0), machine:stream(common + 1, machine.last)
end

local function snapshot(machine)
  local bytes, meta = machine:take_snapshot()
  local parts, next_part = { meta, bytes }, 0
  return string.pack(HEAD, "s", 0, machine.last, #meta), function()
    next_part = next_part + 1
    return parts[next_part], true
  end
end

-- Cuts what a function gives in parts into pieces of one size; the last one is
-- told with true. Nil and false if the parts end before their time.
local function pieces(head, next_part)
  local part, at, is_whole = head, 1, nil
  local has_ended = false
  return function()
    if has_ended then return nil, false end
    local list, size = {}, 0
    while size < PIECE do
      if at > #part then
        part, is_whole = next_part()
        at = 1
        if not part then break end
      end
      local bytes = part:sub(at, at + PIECE - size - 1)
      list[#list + 1], size, at = bytes, size + #bytes, at + #bytes
    end
    has_ended = part == nil
    if has_ended and is_whole == false then return nil, false end
    return table.concat(list), has_ended
  end
end

local function is_full(self) return self.number - self.got >= UNDER_WAY end

-- Waits until the member has taken some of what is under way.
local function wait_for_room(self)
  if not is_full(self) then return true end
  return scheduler.await(function(resume) self.resume = resume end, PATIENCE)
end

local function send(self, ending, bytes)
  self.number = self.number + 1
  local room = self.member.room
  return room:send(wire.write(room.me, "piece", {
    seq = self.seq, to = self.to, id = self.id, number = self.number, ending = ending,
    bytes = bytes,
  }))
end

-- Where the log was compacted under our hands, the member has to ask again.
local function run(self)
  local next_piece = pieces(self.head, self.next_part)
  repeat
    local bytes, is_last = next_piece()
    if self.is_over or not wait_for_room(self) or self.is_over then break end
    local ending = not bytes and "broken" or is_last and "last" or "more"
    local sent = send(self, ending, bytes or "")
  until ending ~= "more" or not sent or self.is_over
  self:stop()
end

--- Begins to send a member what it wants, as it is now.
---@param member corolua.replica.Member
---@param to corosync.Member
---@param want corolua.replica.Want
---@return corolua.replica.Transfer
function state_transfer.send(member, to, want)
  local head, next_part = records(member.machine, want)
  if not head then head, next_part = snapshot(member.machine) end
  local self = setmetatable({
    member = member, seq = member.seq, to = to, id = want.id, head = head, next_part = next_part,
    number = 0, got = 0,
  }, transfer_mt)
  scheduler.spawn(run, self)
  return self
end

--- The member has so many pieces. False if there were never so many.
---@param count integer
---@return boolean taken
function methods:take_got(count)
  if count > self.number then return false end
  self.got = math.max(self.got, count)
  if self.resume and not is_full(self) then self.resume(true) end
  return true
end

--- Sends nothing more.
function methods:stop()
  if self.is_over then return end
  self.is_over = true
  if self.resume then self.resume(nil) end
  self.member:transfer_ended(self)
end

--- Asks a member. Its answer begins where the request is in the order.
---@param member corolua.replica.Member
---@param host corosync.Member
---@return corolua.replica.Fetching
function state_transfer.fetch(member, host)
  local machine = member.machine
  local self = setmetatable({
    member = member, host = host, id = scheduler.nonce(), number = 0, queue = {}, bytes = 0,
    heard_at = scheduler.now(),
  }, fetching_mt)
  member:say("want", {
    to = host, id = self.id, base = machine.journal.base.index, last = machine.last,
    terms = machine.terms,
  })
  return self
end

--- The request has come back: from here on commands wait.
function fetching:begin() self.is_begun, self.heard_at = true, scheduler.now() end

--- Whether the sender has been silent for too long.
---@return boolean
function fetching:is_stuck()
  return not self.is_busy and scheduler.now() - self.heard_at > FETCH_PATIENCE
end

--- Whether nobody waits for this any more.
---@return boolean
function fetching:is_over() return self.member.fetching ~= self end

--- A command that is behind the request. Too many of them are let go, and asked
--- for again.
---@param payload string
---@param from corosync.Member
function fetching:keep(payload, from)
  if not self.is_begun or self.is_overrun then return end
  self.bytes = self.bytes + #payload
  if self.bytes > MAX_QUEUE then
    self.queue, self.is_overrun = {}, true
    return
  end
  self.queue[#self.queue + 1] = { payload, from, self.member.recovery.heard[from] }
end

local NO_SNAPSHOT = "no state can be made of the snapshot: "

-- What came of a snapshot is kept until it is whole.
local function finish_snapshot(self)
  local bytes = table.concat(self.parts)
  self.parts = nil
  local meta, state = bytes:sub(1, self.length), bytes:sub(self.length + 1)
  local done, message, code = self.member.machine:install(self.to, state, meta)
  if done then self.member:log_replaced() end
  if done == false then message = NO_SNAPSHOT .. message end
  return done, message, code
end

local NO_RECORD = "what was sent is no record of a replica"

-- Records are taken as they come; a beginning is kept until its end is there.
local function take_records(self, bytes)
  local rest, at, machine = self.rest .. bytes, 1, self.member.machine
  while #rest - at + 1 >= 4 do
    local length = string.unpack("<I4", rest, at)
    if #rest - at - 3 < length then break end
    local one = rest:sub(at + 4, at + 3 + length)
    local kind = log_entry.kind(one)
    if kind ~= "marker" and kind ~= "command" or machine.last >= self.to then
      return false, NO_RECORD
    end
    local done, message, code = machine:append(one)
    if not done then return nil, message, code end
    at = at + 4 + length
  end
  self.rest = rest:sub(at)
  return true
end

-- The log goes back to what both have in common before more comes.
local function begin_records(self)
  local machine = self.member.machine
  if self.from > machine.last then return false, "it begins behind the end of the log here" end
  local done, message, code = machine:go_back(self.from)
  if done then self.member:log_cut(self.from) end
  if done == false then message = "it begins before the log here" end
  return done, message, code
end

-- Reads the head of what comes: where it ends, or nil if it cannot be right.
local function read_head(self, bytes)
  if #bytes < string.packsize(HEAD) then return nil end
  local kind, from, to, length, at = string.unpack(HEAD, bytes)
  local is_good = (kind == "r" or kind == "s") and wire.is_number(to) and wire.is_number(length)
    and from >= 0 and from <= to
  if not is_good then return nil end
  self.kind, self.from, self.to, self.length, self.rest, self.parts = kind, from, to, length, "", {}
  return at
end

-- The bytes behind the head.
local function take_head(self, bytes)
  local at = read_head(self, bytes)
  if not at then return false, "the head of what was sent cannot be read" end
  if self.kind == "r" then
    local done, message, code = begin_records(self)
    if not done then return done, message, code end
  end
  if self:is_over() then return false, "another way was taken" end
  return bytes:sub(at)
end

local function take(self, bytes)
  if not self.kind then
    local message, code
    bytes, message, code = take_head(self, bytes)
    if not bytes then return bytes, message, code end
  end
  if self.kind == "r" then return take_records(self, bytes) end
  table.insert(self.parts, bytes)
  return true
end

local function finish(self)
  if self.kind == "s" then return finish_snapshot(self) end
  if self.member.machine.last == self.to and self.rest == "" then return true end
  return false, "what was sent ends before its time"
end

--- Whether a piece is the next one of what was asked for.
---@param from corosync.Member
---@param piece corolua.replica.Piece
---@return boolean
function fetching:is_next(from, piece)
  return piece.id == self.id and from == self.host and piece.number == self.number + 1
end

--- The next piece has come. True; false and why if nothing can be made of it, or
--- nil and why the log cannot take it.
---@param piece corolua.replica.Piece
---@return boolean? taken, string? message, string? code
function fetching:take(piece)
  self.number, self.is_busy = piece.number, true
  local done, message, code = take(self, piece.bytes())
  if done and piece.is_last then done, message, code = finish(self) end
  self.heard_at, self.is_busy = scheduler.now(), false
  if not done then return done, message, code end
  if not piece.is_last and self.number % TELL_EVERY == 0 and not self:is_over() then
    self.member:say("got", { to = self.host, id = self.id, count = self.number })
  end
  return true
end

return state_transfer
