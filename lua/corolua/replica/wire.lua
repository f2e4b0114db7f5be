--- What members of a replica say to one another, as bytes. Integers are little
--- end first. A message begins with the version of this format, 2, and a letter
--- for its kind; all but commands go on with the seq of the ring they belong to,
--- and say nothing in another one. It ends with a seal (`corolua.service.seal`).
--- Others wrote what is read here: what cannot be right gives nil and why, by rules
--- that look at nothing but the message, so that all members judge alike.

local seal = require("corolua.service.seal")
local term_history = require("corolua.replica.term_history")

local wire = {}

local pack, unpack, byte = string.pack, string.unpack, string.byte

local VERSION = 2
local COMMAND, COMMAND_HEAD = "<Bc1i8i8i8", string.packsize("<Bc1i8i8i8")
local PAIR, TERM = "<I4I4", "<i8i8i8i8"

local IS_SYNCED, IS_STRICT, HAS_ACCEPTED = 1, 2, 4
local ENDINGS = { more = 0, last = 1, broken = 2 }

--- The bytes that a command takes beside its own.
wire.COMMAND_MORE = COMMAND_HEAD + seal.SIZE

--- The highest number of a record, a round or a ring.
wire.MAX = 1 << 62

-- A group has no more members.
local MEMBERS_MAX = 128

--- The letters of the kinds.
wire.kinds = {
  c = "command", s = "status", d = "decision", w = "want", p = "piece", g = "got", a = "ack",
  m = "mark", x = "digest",
}

--- What a member has, and whom it has heard in this ring.
---@class corolua.replica.Status
---@field seq integer of the ring
---@field is_synced boolean
---@field is_strict boolean it needs a majority
---@field has_accepted boolean no decision of this round can count on it
---@field round integer of the ring, from 1; that of its term if it is synced
---@field nonce integer of its term if it is synced
---@field last_seq integer of its last record
---@field last_round integer
---@field last_nonce integer
---@field last integer index of its last record
---@field written integer index up to which the log of its term is on its disk; 0 if it is not
---@field heard table<string, true> by "nodeid/pid"; what is written is an array of members

--- Whose log is the base of a round.
---@class corolua.replica.Decision
---@field seq integer
---@field round integer from 1
---@field last_seq integer of the base's last record
---@field last_round integer
---@field last_nonce integer
---@field last integer its index
---@field nonce integer of the term that begins
---@field members table<string, true> whose logs were compared; written as an array as well

--- Asks one member for what is missing here.
---@class corolua.replica.Want
---@field seq integer
---@field nodeid integer of the member; what is written has that one as `to`
---@field pid integer
---@field id integer of this request
---@field base integer index of the record that the log here begins behind
---@field last integer of the last one
---@field terms corolua.replica.Term[] of the log here

--- A piece of what a member asked for.
---@class corolua.replica.Piece
---@field seq integer
---@field nodeid integer as in a want
---@field pid integer
---@field id integer of the request
---@field number integer of the piece, from 1
---@field ending "more"|"last"|"broken"|integer where it is written the word, read its number
---@field is_last boolean
---@field is_broken boolean the rest cannot come
---@field bytes fun(): string which are copied only where they are wanted

--- How far the sender's log is on its disk, and how far it goes.
---@class corolua.replica.Ack
---@field seq integer
---@field nonce integer of the term
---@field written integer
---@field last integer

--- The digest of the sender's state at an index.
---@class corolua.replica.Digest
---@field seq integer
---@field nonce integer of the term
---@field index integer
---@field digest string of 255 bytes at most

---@alias corolua.replica.Fields
---| corolua.replica.Status | corolua.replica.Decision | corolua.replica.Want
---| corolua.replica.Piece | corolua.replica.Ack | corolua.replica.Digest
---| { seq: integer, nodeid: integer, pid: integer, id: integer, count: integer } # of a got
---| { seq: integer, nonce: integer } # of a mark

-- What each kind but commands has behind version and letter, and `tail` behind that.
-- `got` says that so many pieces have come; `mark` is a place of the order at which
-- states are compared.
local forms = {
  status = {
    letter = "s", head = "<Bc1i8Bi8i8i8i8i8i8i8", "seq", "flags", "round", "nonce", "last_seq",
    "last_round", "last_nonce", "last", "written", tail = "heard",
  },
  decision = {
    letter = "d", head = "<Bc1i8i8i8i8i8i8i8", "seq", "round", "last_seq", "last_round",
    "last_nonce", "last", "nonce", tail = "members",
  },
  want = {
    letter = "w", head = "<Bc1i8I4I4i8i8i8", "seq", "nodeid", "pid", "id", "base", "last",
    tail = "terms",
  },
  piece = {
    letter = "p", head = "<Bc1i8I4I4i8i8B", "seq", "nodeid", "pid", "id", "number", "ending",
    tail = "bytes",
  },
  got = { letter = "g", head = "<Bc1i8I4I4i8i8", "seq", "nodeid", "pid", "id", "count" },
  ack = { letter = "a", head = "<Bc1i8i8i8i8", "seq", "nonce", "written", "last" },
  mark = { letter = "m", head = "<Bc1i8i8", "seq", "nonce" },
  digest = { letter = "x", head = "<Bc1i8i8i8s1", "seq", "nonce", "index", "digest" },
}

-- Fields that are made of others.
local made = {
  nodeid = function(fields) return fields.to.nodeid end,
  pid = function(fields) return fields.to.pid end,
  ending = function(piece) return ENDINGS[piece.ending] end,
  flags = function(status)
    return (status.is_synced and IS_SYNCED or 0) | (status.is_strict and IS_STRICT or 0)
      | (status.has_accepted and HAS_ACCEPTED or 0)
  end,
}

-- And what becomes of those where they are read.
local split = {
  ending = function(piece, ending)
    piece.ending = ending
    piece.is_last, piece.is_broken = ending == ENDINGS.last, ending == ENDINGS.broken
  end,
  flags = function(status, flags)
    status.is_synced, status.is_strict = flags & IS_SYNCED ~= 0, flags & IS_STRICT ~= 0
    status.has_accepted = flags & HAS_ACCEPTED ~= 0
  end,
}

--- Whether an integer can be the number of a record, a round or a ring.
---@param value integer
---@return boolean
function wire.is_number(value) return value >= 0 and value <= wire.MAX end

local is_number = wire.is_number

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

--- The terms of a log, as bytes.
---@param list corolua.replica.Term[]
---@return string
function wire.terms(list)
  local parts = { pack("<I2", #list) }
  for i, term in ipairs(list) do
    parts[i + 1] = pack(TERM, term.first, term.seq, term.round, term.nonce)
  end
  return table.concat(parts)
end

--- Raises where the bytes are too few, or more than a log keeps.
---@param bytes string
---@param at integer
---@return corolua.replica.Term[] terms, integer at
function wire.read_terms(bytes, at)
  local list = {}
  local count, next_at = unpack("<I2", bytes, at)
  if count > term_history.KEPT then error("too many terms", 0) end
  for i = 1, count do
    local first, seq, round, nonce
    first, seq, round, nonce, next_at = unpack(TERM, bytes, next_at)
    list[i] = { first = first, seq = seq, round = round, nonce = nonce }
  end
  return list, next_at
end

--- Whether terms are those that a log with this last record can have.
---@param list corolua.replica.Term[]
---@param last integer
---@return boolean
function wire.are_terms(list, last)
  local before = 0
  for _, term in ipairs(list) do
    if term.first <= before or term.first > last then return false end
    if not is_number(term.seq) or not is_number(term.round) then return false end
    before = term.first
  end
  return true
end

local tails = {
  heard = { pack = pack_members, unpack = unpack_members },
  members = { pack = pack_members, unpack = unpack_members },
  terms = { pack = wire.terms, unpack = wire.read_terms },
  bytes = {
    pack = function(bytes) return bytes end,
    unpack = function(message, at)
      return function() return message:sub(at, -seal.SIZE - 1) end, #message - seal.SIZE + 1
    end,
  },
}

--- A message of another kind than a command.
---@param me corosync.Member who sends it
---@param kind "status"|"decision"|"want"|"piece"|"got"|"ack"|"mark"|"digest"
---@param fields corolua.replica.Fields of that kind
---@return string
function wire.write(me, kind, fields)
  local form, values = forms[kind], {}
  for i, name in ipairs(form) do values[i] = made[name] and made[name](fields) or fields[name] end
  local bytes = pack(form.head, VERSION, form.letter, table.unpack(values))
  local tail = form.tail and tails[form.tail].pack(fields[form.tail]) or ""
  return seal.close(bytes .. tail, me)
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

-- The fields of a message, and where they end.
local function read(message, form)
  local values, fields = { unpack(form.head, message) }, {}
  for i, name in ipairs(form) do
    local value = values[i + 2]
    if split[name] then split[name](fields, value) else fields[name] = value end
  end
  local at = values[#form + 3]
  if form.tail then fields[form.tail], at = tails[form.tail].unpack(message, at) end
  return fields, at
end

-- Whether the numbers of a message can be.
local checks = {}

function checks.status(status)
  local is_own_term = status.last_seq == status.seq and status.last_round == status.round
    and status.last_nonce == status.nonce
  return status.round >= 1 and is_number(status.round) and is_number(status.last_seq)
    and is_number(status.last_round) and is_number(status.last)
    and status.written >= 0 and status.written <= status.last
    and (is_own_term or not status.is_synced)
end

function checks.decision(decision)
  return decision.round >= 1 and is_number(decision.round) and is_number(decision.last_seq)
    and is_number(decision.last_round) and is_number(decision.last)
end

function checks.want(want)
  return want.base >= 0 and want.base <= want.last and is_number(want.last)
    and wire.are_terms(want.terms, want.last)
end

function checks.piece(piece) return piece.number >= 1 and piece.ending <= ENDINGS.broken end

function checks.got(got) return got.count >= 0 end

function checks.ack(ack)
  return ack.written >= 0 and ack.written <= ack.last and is_number(ack.last)
end

function checks.mark() return true end

function checks.digest(digest) return is_number(digest.index) end

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
---@return corolua.replica.Fields|string? fields or why it cannot
function wire.read(message, from)
  if byte(message, 1) ~= VERSION or not seal.is_of(message, from) then
    return nil, why_not(message)
  end
  local kind = wire.kinds[message:sub(2, 2)]
  if kind == "command" and #message >= COMMAND_HEAD + seal.SIZE then return kind end
  local form = forms[kind]
  if not form then return nil, "its kind is not known" end
  local ok, fields, behind = pcall(read, message, form)
  if not ok or behind ~= #message - seal.SIZE + 1 then
    return nil, "it does not end where it must"
  end
  if not is_number(fields.seq) or not checks[kind](fields) then
    return nil, ("a %s cannot have these numbers"):format(kind)
  end
  return kind, fields
end

return wire
