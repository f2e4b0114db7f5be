--- Sends a member what it asked for: the records that it misses, or a snapshot
--- where they do not go far enough back. It goes in pieces, a few at a time, so
--- that commands go on between them; the member tells how many it has.

local scheduler = require("corolua.task.scheduler")
local term_history = require("corolua.replica.term_history")
local wire = require("corolua.replica.wire")

local state_transfer = {}

---@class corolua.replica.Transfer
local methods = {}
local transfer_mt = { __index = methods }

-- Bytes of a piece, and pieces that are under way.
local PIECE, UNDER_WAY = 60000, 8

-- A member that has taken no piece for so long, in seconds, is given up; it asks
-- again if it is alive.
local PATIENCE = 10

-- The head of what is sent: what follows, from which record on, and up to which.
local HEAD = "<c1i8i8i8"

local function is_in(value, low, high) return value >= low and value <= high end

--- Reads the head of a stream: nil if it cannot be right.
---@return string? kind "r" or "s", integer from, integer to, integer length, integer at
function state_transfer.read_head(bytes)
  if #bytes < string.packsize(HEAD) then return nil end
  local kind, from, to, length, at = string.unpack(HEAD, bytes)
  local is_good = (kind == "r" or kind == "s") and is_in(to, 0, wire.MAX)
    and is_in(from, 0, to) and is_in(length, 0, wire.MAX)
  if is_good then return kind, from, to, length, at end
end

-- The records behind what both logs have in common, if they are here, and if
-- the other one can go back so far.
local function begin_records(machine, want)
  local common = term_history.common(machine.segments, machine.last, want.segments, want.last) or 0
  if common < want.base or common < machine.journal.base.index then return nil end
  return string.pack(HEAD, "r", common, machine.last, 0), machine:stream(common + 1, machine.last)
end

local function begin_snapshot(machine)
  local snapshot, meta = machine:take_snapshot()
  local head = string.pack(HEAD, "s", 0, machine.last, #meta)
  local parts, next_part = { meta, snapshot }, 0
  return head, function()
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
  return self.room:send(wire.piece(self.room.me, self.seq, self.to, self.id, self.number, ending,
    bytes))
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
---@param replica corolua.replica.Member
---@param to corosync.Member
---@param want table
---@return corolua.replica.Transfer
function state_transfer.start(replica, to, want)
  local self = setmetatable({
    room = replica.room, seq = replica.seq, to = to, id = want.id, number = 0, got = 0,
    on_stop = function(this) replica:transfer_ended(this) end,
  }, transfer_mt)
  local machine = replica.machine
  self.head, self.next_part = begin_records(machine, want)
  if not self.head then self.head, self.next_part = begin_snapshot(machine) end
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
  self:on_stop()
end

return state_transfer
