--- What members of a replica say to one another, as bytes. Integers are little
--- end first. A message begins with the version of this format, 2, and a letter
--- for its kind; all but commands go on with the seq of the ring they belong to,
--- and say nothing in another one. It ends with a seal (`corolua.seal`). Others
--- wrote what is read here: what cannot be right gives nil and why, by rules that
--- look at nothing but the message, so that all members judge alike.

local seal = require("corolua.service.seal")
local segments = require("corolua.replica.term_history")

local wire = {}

local pack, unpack, byte = string.pack, string.unpack, string.byte

local VERSION = 2
local COMMAND, COMMAND_HEAD = "<Bc1i8i8i8", string.packsize("<Bc1i8i8i8")
local STATUS = "<Bc1i8Bi8i8i8i8i8i8i8"
local DECISION = "<Bc1i8i8i8i8i8i8i8"
local WANT = "<Bc1i8I4I4i8i8i8"
local PIECE, PIECE_HEAD = "<Bc1i8I4I4i8i8B", string.packsize("<Bc1i8I4I4i8i8B")
local GOT = "<Bc1i8I4I4i8i8"
local ACK = "<Bc1i8i8i8i8"
local MARK = "<Bc1i8i8"
local DIGEST = "<Bc1i8i8i8s1"
local PAIR, SEGMENT = "<I4I4", "<i8i8i8i8"

local IS_SYNCED, IS_STRICT, HAS_ACCEPTED = 1, 2, 4
local ENDINGS = { more = 0, last = 1, broken = 2 }

--- The bytes that a command takes beside its own.
wire.COMMAND_HEAD, wire.COMMAND_MORE = COMMAND_HEAD, COMMAND_HEAD + seal.SIZE

--- The highest number of a record, a round or a ring.
wire.MAX = 1 << 62

-- A group has no more members.
local MEMBERS_MAX = 128

--- The letters of the kinds.
wire.kinds = {
  c = "command", s = "status", d = "decision", w = "want", p = "piece", g = "got", a = "ack",
  m = "mark", x = "digest",
}

local function is_number(value) return value >= 0 and value <= wire.MAX end

local function pack_members(members)
  local parts = { pack("<I2", #members) }
  for i, member in ipairs(members) do parts[i + 1] = pack(PAIR, member.nodeid, member.pid) end
  return table.concat(parts)
end

-- A set of members: true by "nodeid/pid", which is how a member prints.
local function unpack_members(bytes, at)
  local set = {}
  local count, next_at = unpack("<I2", bytes, at)
  if count > MEMBERS_MAX then error("too many members", 0) end
  for _ = 1, count do
    local nodeid, pid
    nodeid, pid, next_at = unpack(PAIR, bytes, next_at)
    set[("%d/%d"):format(nodeid, pid)] = true
  end
  return set, next_at
end

--- A command: applies where the term has this nonce, and nowhere else.
---@param me corosync.Member who sends it
---@param nonce integer of the term
---@param origin integer of the replica that sends it
---@param number integer among the commands of that replica, from 1
---@param bytes string
---@return string
function wire.command(me, nonce, origin, number, bytes)
  return seal.close(pack(COMMAND, VERSION, "c", nonce, origin, number) .. bytes, me)
end

---@param message string that `read` found to be a command
---@return integer nonce, integer origin, integer number
function wire.read_command(message)
  local _, _, nonce, origin, number = unpack(COMMAND, message)
  return nonce, origin, number
end

--- The bytes of a command.
---@param message string
---@return string
function wire.command_bytes(message) return message:sub(COMMAND_HEAD + 1, -seal.SIZE - 1) end

--- What a member has, and whom it has heard in this ring.
---@class corolua.replica.Status
---@field seq integer of the ring
---@field is_synced boolean
---@field is_strict boolean it needs a majority
---@field round integer of the ring, from 1; that of its term if it is synced
---@field nonce integer of its term if it is synced
---@field last_seq integer of its last record
---@field last_round integer
---@field last_nonce integer
---@field last integer index of its last record
---@field has_accepted boolean no decision of this round can count on it
---@field written integer index up to which the log of its term is on its disk; 0 if it is not
---@field heard table<string, true>

---@param me corosync.Member
---@param status corolua.replica.Status with `heard` an array of members
---@return string
function wire.status(me, status)
  local flags = (status.is_synced and IS_SYNCED or 0) | (status.is_strict and IS_STRICT or 0)
    | (status.has_accepted and HAS_ACCEPTED or 0)
  return seal.close(pack(STATUS, VERSION, "s", status.seq, flags, status.round, status.nonce,
    status.last_seq, status.last_round, status.last_nonce, status.last, status.written)
    .. pack_members(status.heard), me)
end

local readers = {}

function readers.s(message)
  local _, _, seq, flags, round, nonce, last_seq, last_round, last_nonce, last, written, at =
    unpack(STATUS, message)
  local heard, behind = unpack_members(message, at)
  return {
    has_accepted = flags & HAS_ACCEPTED ~= 0, last_nonce = last_nonce, seq = seq,
    is_synced = flags & IS_SYNCED ~= 0, is_strict = flags & IS_STRICT ~= 0,
    round = round, nonce = nonce, last_seq = last_seq, last_round = last_round, last = last,
    written = written, heard = heard,
  }, behind
end

--- Whose log is the base of a round.
---@class corolua.replica.Decision
---@field seq integer
---@field round integer from 1
---@field nonce integer of the term that begins
---@field last_seq integer of the base's last record
---@field last_round integer
---@field last_nonce integer
---@field last integer its index
---@field members table<string, true> whose logs were compared

---@param me corosync.Member
---@param decision corolua.replica.Decision with `members` an array
---@return string
function wire.decision(me, decision)
  return seal.close(pack(DECISION, VERSION, "d", decision.seq, decision.round, decision.last_seq,
    decision.last_round, decision.last_nonce, decision.last, decision.nonce)
    .. pack_members(decision.members), me)
end

function readers.d(message)
  local _, _, seq, round, last_seq, last_round, last_nonce, last, nonce, at =
    unpack(DECISION, message)
  local members, behind = unpack_members(message, at)
  return {
    last_nonce = last_nonce, seq = seq, round = round, last_seq = last_seq,
    last_round = last_round, last = last, nonce = nonce, members = members,
  }, behind
end

--- The stretches of a log, as bytes.
---@param list { first: integer, seq: integer, round: integer, nonce: integer }[]
---@return string
function wire.segments(list)
  local parts = { pack("<I2", #list) }
  for i, segment in ipairs(list) do
    parts[i + 1] = pack(SEGMENT, segment.first, segment.seq, segment.round, segment.nonce)
  end
  return table.concat(parts)
end

--- Raises where the bytes are too few, or more than a log keeps.
---@return table segments, integer at
function wire.read_segments(bytes, at)
  local list = {}
  local count, next_at = unpack("<I2", bytes, at)
  if count > segments.KEPT then error("too many terms", 0) end
  for i = 1, count do
    local first, seq, round, nonce
    first, seq, round, nonce, next_at = unpack(SEGMENT, bytes, next_at)
    list[i] = { first = first, seq = seq, round = round, nonce = nonce }
  end
  return list, next_at
end

--- Whether terms are those that a log with this last record can have.
---@param list table
---@param last integer
---@return boolean
function wire.are_segments(list, last)
  local before = 0
  for _, segment in ipairs(list) do
    if segment.first <= before or segment.first > last then return false end
    if not is_number(segment.seq) or not is_number(segment.round) then return false end
    before = segment.first
  end
  return true
end

--- Asks one member for what is missing here.
---@param me corosync.Member
---@param seq integer of the ring
---@param to corosync.Member the member
---@param id integer of this request
---@param log { base: integer, last: integer, segments: table } what there is
---@return string
function wire.want(me, seq, to, id, log)
  return seal.close(pack(WANT, VERSION, "w", seq, to.nodeid, to.pid, id, log.base, log.last)
    .. wire.segments(log.segments), me)
end

function readers.w(message)
  local _, _, seq, nodeid, pid, id, base, last, at = unpack(WANT, message)
  local list, behind = wire.read_segments(message, at)
  return {
    seq = seq, nodeid = nodeid, pid = pid, id = id, base = base, last = last, segments = list,
  }, behind
end

--- A piece of what a member asked for.
---@param me corosync.Member
---@param seq integer
---@param to corosync.Member
---@param id integer of the request
---@param number integer of the piece, from 1
---@param ending "more"|"last"|"broken" whether more is to come, or cannot come
---@param bytes string
---@return string
function wire.piece(me, seq, to, id, number, ending, bytes)
  return seal.close(pack(PIECE, VERSION, "p", seq, to.nodeid, to.pid, id, number, ENDINGS[ending])
    .. bytes, me)
end

function readers.p(message)
  local _, _, seq, nodeid, pid, id, number, ending = unpack(PIECE, message)
  return {
    seq = seq, nodeid = nodeid, pid = pid, id = id, number = number, ending = ending,
    is_last = ending == ENDINGS.last, is_broken = ending == ENDINGS.broken, message = message,
  }, #message - seal.SIZE + 1
end

--- The bytes of a piece, which are copied only where they are wanted.
---@return string
function wire.piece_bytes(piece) return piece.message:sub(PIECE_HEAD + 1, -seal.SIZE - 1) end

--- So many pieces have come.
---@param me corosync.Member
---@param seq integer
---@param to corosync.Member
---@param id integer
---@param count integer
---@return string
function wire.got(me, seq, to, id, count)
  return seal.close(pack(GOT, VERSION, "g", seq, to.nodeid, to.pid, id, count), me)
end

function readers.g(message)
  local _, _, seq, nodeid, pid, id, count, behind = unpack(GOT, message)
  return { seq = seq, nodeid = nodeid, pid = pid, id = id, count = count }, behind
end

--- How far the sender's log is on its disk, and how far it goes.
---@param me corosync.Member
---@param seq integer
---@param nonce integer of the term
---@param written integer
---@param last integer
---@return string
function wire.ack(me, seq, nonce, written, last)
  return seal.close(pack(ACK, VERSION, "a", seq, nonce, written, last), me)
end

function readers.a(message)
  local _, _, seq, nonce, written, last, behind = unpack(ACK, message)
  return { seq = seq, nonce = nonce, written = written, last = last }, behind
end

--- Marks a place of the order at which states are compared.
---@param me corosync.Member
---@param seq integer
---@param nonce integer of the term
---@return string
function wire.mark(me, seq, nonce) return seal.close(pack(MARK, VERSION, "m", seq, nonce), me) end

function readers.m(message)
  local _, _, seq, nonce, behind = unpack(MARK, message)
  return { seq = seq, nonce = nonce }, behind
end

--- The digest of the sender's state at an index.
---@param me corosync.Member
---@param seq integer
---@param nonce integer of the term
---@param index integer
---@param digest string of 255 bytes at most
---@return string
function wire.digest(me, seq, nonce, index, digest)
  return seal.close(pack(DIGEST, VERSION, "x", seq, nonce, index, digest), me)
end

function readers.x(message)
  local _, _, seq, nonce, index, digest, behind = unpack(DIGEST, message)
  return { seq = seq, nonce = nonce, index = index, digest = digest }, behind
end

local checks = {}

function checks.s(status)
  local is_own_term = status.last_seq == status.seq and status.last_round == status.round
    and status.last_nonce == status.nonce
  return status.round >= 1 and is_number(status.round) and is_number(status.last_seq)
    and is_number(status.last_round) and is_number(status.last)
    and status.written >= 0 and status.written <= status.last
    and (is_own_term or not status.is_synced)
end

function checks.d(decision)
  return decision.round >= 1 and is_number(decision.round) and is_number(decision.last_seq)
    and is_number(decision.last_round) and is_number(decision.last)
end

function checks.w(want)
  return want.base >= 0 and want.base <= want.last and is_number(want.last)
    and wire.are_segments(want.segments, want.last)
end

function checks.p(piece) return piece.number >= 1 and piece.ending <= ENDINGS.broken end

function checks.g(got) return got.count >= 0 end

function checks.a(ack)
  return ack.written >= 0 and ack.written <= ack.last and is_number(ack.last)
end

function checks.m() return true end

function checks.x(digest) return is_number(digest.index) end

local function why_not(message)
  local version = byte(message, 1)
  if not version then return "it is empty" end
  if wire.kinds[message:sub(1, 1)] then
    return "it is of version 1 of the replicas' format, and this is version 2"
  end
  if version ~= VERSION then return ("version %d is not known"):format(version) end
  return "the checksum is not that of its sender"
end

--- Reads a message: its kind, and its fields unless it is a command.
---@param message string
---@param from corosync.Member who sent it
---@return string? kind nil if it cannot be right
---@return table|string fields or why it cannot
function wire.read(message, from)
  if byte(message, 1) ~= VERSION or not seal.is_of(message, from) then
    return nil, why_not(message)
  end
  local letter = message:sub(2, 2)
  if letter == "c" and #message >= COMMAND_HEAD + seal.SIZE then return "command" end
  local reader = readers[letter]
  if not reader then return nil, "its kind is not known" end
  local ok, fields, behind = pcall(reader, message)
  if not ok or behind ~= #message - seal.SIZE + 1 then
    return nil, "it does not end where it must"
  end
  if not is_number(fields.seq) or not checks[letter](fields) then
    return nil, ("a %s cannot have these numbers"):format(wire.kinds[letter])
  end
  return wire.kinds[letter], fields
end

return wire
