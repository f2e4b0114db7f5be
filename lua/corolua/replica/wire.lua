--- What members of a replica say to one another, and the records of its log, as
--- bytes. Integers are little end first. A message begins with a letter for its
--- kind and the seq of the ring it belongs to; it says nothing in another ring.
--- What cannot be read gives nil, since others wrote it.

local wire = {}

local pack, unpack = string.pack, string.unpack

local COMMAND, COMMAND_HEAD = "<c1i8i8I8", string.packsize("<c1i8i8I8")
local STATUS = "<c1I8BI4i8I8I4i8I8I8I2I2"
local DECISION = "<c1I8I4I8I4i8I8i8"
local WANT = "<c1I8I4I4I4I8I8"
local PIECE, PIECE_HEAD = "<c1I8I4I4I4I4B", string.packsize("<c1I8I4I4I4I4B")
local GOT = "<c1I8I4I4I4I4"
local ACK = "<c1I8i8I8I8"
local PAIR, SEGMENT = "<I4I4", "<I8I8I4i8"

local IS_SYNCED, IS_STRICT, HAS_ACCEPTED = 1, 2, 4
local ENDINGS = { more = 0, last = 1, broken = 2 }

--- The bytes that a command takes beside its own.
wire.COMMAND_HEAD = COMMAND_HEAD

--- The letters of the kinds.
wire.kinds = {
  c = "command", s = "status", d = "decision", w = "want", p = "piece", g = "got", a = "ack",
}

local function pack_members(members)
  local parts = { pack("<I2", #members) }
  for i, member in ipairs(members) do parts[i + 1] = pack(PAIR, member.nodeid, member.pid) end
  return table.concat(parts)
end

-- A set of members: true by "nodeid/pid", which is how a member prints.
local function unpack_members(bytes, at)
  local set = {}
  local count, next_at = unpack("<I2", bytes, at)
  for _ = 1, count do
    local nodeid, pid
    nodeid, pid, next_at = unpack(PAIR, bytes, next_at)
    set[("%d/%d"):format(nodeid, pid)] = true
  end
  return set
end

--- A command: applies where the term has this nonce, and nowhere else.
---@param nonce integer of the term
---@param origin integer of the replica that sends it
---@param number integer among the commands of that replica
---@param bytes string
---@return string
function wire.command(nonce, origin, number, bytes)
  return pack(COMMAND, "c", nonce, origin, number) .. bytes
end

---@return integer? nonce, integer origin, integer number
function wire.read_command(message)
  if #message < COMMAND_HEAD then return nil end
  local _, nonce, origin, number = unpack(COMMAND, message)
  return nonce, origin, number
end

--- What a member has, and whom it has heard in this ring.
---@class corolua.replica.Status
---@field seq integer of the ring
---@field is_synced boolean
---@field is_strict boolean it needs a majority
---@field round integer of the ring; that of its term if it is synced
---@field nonce integer of its term if it is synced
---@field last_seq integer of its last record
---@field last_round integer
---@field last_nonce integer
---@field last integer index of its last record
---@field has_accepted boolean it knows of a decision in its round
---@field written integer index up to which the log of its term is on its disk; 0 if it is not
---@field votes integer of its node
---@field expected integer votes of the cluster; 0 is unknown
---@field heard table<string, true>

---@param status table as above, with `heard` an array of members
---@return string
function wire.status(status)
  local flags = (status.is_synced and IS_SYNCED or 0) | (status.is_strict and IS_STRICT or 0)
    | (status.has_accepted and HAS_ACCEPTED or 0)
  return pack(STATUS, "s", status.seq, flags, status.round, status.nonce, status.last_seq,
    status.last_round, status.last_nonce, status.last, status.written, status.votes,
    status.expected) .. pack_members(status.heard)
end

local function read_status(message)
  local _, seq, flags, round, nonce, last_seq, last_round, last_nonce, last, written, votes,
    expected, at = unpack(STATUS, message)
  return {
    has_accepted = flags & HAS_ACCEPTED ~= 0, last_nonce = last_nonce, seq = seq,
    is_synced = flags & IS_SYNCED ~= 0, is_strict = flags & IS_STRICT ~= 0,
    round = round, nonce = nonce, last_seq = last_seq, last_round = last_round, last = last,
    written = written, votes = votes, expected = expected, heard = unpack_members(message, at),
  }
end

--- Whose log is the base of a round.
---@class corolua.replica.Decision
---@field seq integer
---@field round integer
---@field nonce integer of the term that begins
---@field last_seq integer of the base's last record
---@field last_round integer
---@field last_nonce integer
---@field last integer its index
---@field members table<string, true> whose logs were compared

---@param decision table as above, with `members` an array
---@return string
function wire.decision(decision)
  return pack(DECISION, "d", decision.seq, decision.round, decision.last_seq,
    decision.last_round, decision.last_nonce, decision.last, decision.nonce)
    .. pack_members(decision.members)
end

local function read_decision(message)
  local _, seq, round, last_seq, last_round, last_nonce, last, nonce, at =
    unpack(DECISION, message)
  return {
    last_nonce = last_nonce, seq = seq, round = round, last_seq = last_seq,
    last_round = last_round, last = last,
    nonce = nonce, members = unpack_members(message, at),
  }
end

--- The stretches of a log, as bytes.
---@param segments { first: integer, seq: integer, round: integer, nonce: integer }[]
---@return string
function wire.segments(segments)
  local parts = { pack("<I2", #segments) }
  for i, segment in ipairs(segments) do
    parts[i + 1] = pack(SEGMENT, segment.first, segment.seq, segment.round, segment.nonce)
  end
  return table.concat(parts)
end

---@return table segments, integer at
function wire.read_segments(bytes, at)
  local list = {}
  local count, next_at = unpack("<I2", bytes, at)
  for i = 1, count do
    local first, seq, round, nonce
    first, seq, round, nonce, next_at = unpack(SEGMENT, bytes, next_at)
    list[i] = { first = first, seq = seq, round = round, nonce = nonce }
  end
  return list, next_at
end

--- Asks one member for what is missing here.
---@param seq integer of the ring
---@param to userdata the member
---@param id integer of this request
---@param log { base: integer, last: integer, segments: table } what there is
---@return string
function wire.want(seq, to, id, log)
  return pack(WANT, "w", seq, to.nodeid, to.pid, id, log.base, log.last)
    .. wire.segments(log.segments)
end

local function read_want(message)
  local _, seq, nodeid, pid, id, base, last, at = unpack(WANT, message)
  return {
    seq = seq, nodeid = nodeid, pid = pid, id = id, base = base, last = last,
    segments = wire.read_segments(message, at),
  }
end

--- A piece of what a member asked for.
---@param seq integer
---@param to userdata
---@param id integer of the request
---@param number integer of the piece, from 1
---@param ending "more"|"last"|"broken" whether more is to come, or cannot come
---@param bytes string
---@return string
function wire.piece(seq, to, id, number, ending, bytes)
  return pack(PIECE, "p", seq, to.nodeid, to.pid, id, number, ENDINGS[ending]) .. bytes
end

local function read_piece(message)
  local _, seq, nodeid, pid, id, number, ending = unpack(PIECE, message)
  return {
    seq = seq, nodeid = nodeid, pid = pid, id = id, number = number,
    is_last = ending == ENDINGS.last, is_broken = ending == ENDINGS.broken, message = message,
  }
end

--- The bytes of a piece, which are copied only where they are wanted.
---@return string
function wire.piece_bytes(piece) return piece.message:sub(PIECE_HEAD + 1) end

--- So many pieces have come.
---@param seq integer
---@param to userdata
---@param id integer
---@param count integer
---@return string
function wire.got(seq, to, id, count)
  return pack(GOT, "g", seq, to.nodeid, to.pid, id, count)
end

local function read_got(message)
  local _, seq, nodeid, pid, id, count = unpack(GOT, message)
  return { seq = seq, nodeid = nodeid, pid = pid, id = id, count = count }
end

--- How far the sender's log is on its disk, and how far it goes.
---@param seq integer
---@param nonce integer of the term
---@param written integer
---@param last integer
---@return string
function wire.ack(seq, nonce, written, last) return pack(ACK, "a", seq, nonce, written, last) end

local function read_ack(message)
  local _, seq, nonce, written, last = unpack(ACK, message)
  return { seq = seq, nonce = nonce, written = written, last = last }
end

local readers = {
  s = read_status, d = read_decision, w = read_want, p = read_piece, g = read_got, a = read_ack,
}

--- Reads a message that is no command.
---@param message string
---@return string? kind, table fields
function wire.read(message)
  local letter = message:sub(1, 1)
  local reader = readers[letter]
  if not reader then return nil end
  local ok, fields = pcall(reader, message)
  if ok then return wire.kinds[letter], fields end
end

return wire
