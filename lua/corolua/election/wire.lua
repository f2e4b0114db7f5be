--- What members of an election say to one another, as bytes. All numbers are
--- little-endian; a member is a key of eight bytes, and lists are keys in a row
--- behind their length.
---
--- Every message has four bytes "CLE2", its kind, and nodeid (4) and seq (8) of
--- the ring it was said in, and ends with a seal (`corolua.seal`). Between these:
---   1 state: seq (8) of the last ring whose line the sender was in, flags (1),
---     how many were there before it (4), highest counter of this ring (8), ticks of
---     its clock (8), that line, and who it has heard in this ring;
---   2 line: highest counter of this ring (8), the leader's key or nothing, the line;
---   3 claim: counter (8);
---   4 beat: counter (8) and when it was sent (8), which only its sender reads.

local seal = require("corolua.service.seal")
local term = require("corolua.election.term")

---@class corolua.election.Message
---@field kind "state"|"line"|"claim"|"beat"
---@field nodeid integer of the ring
---@field seq integer of the ring
---@field counter integer
---@field ticks integer? of a state
---@field kept integer? seq of the ring that `keys` is the line of
---@field keys string[]? a line
---@field heard string[]?
---@field fresh boolean? has been without quorum since it was in that line
---@field settled boolean? is in the line of this ring
---@field seniors integer?
---@field leader string?
---@field sent number?

local wire = {}

-- A group has no more members than that.
local KEY_SIZE, KEYS_MAX = 8, 128
local HEAD = "<c4BI4i8"
local MAGIC, OLD_MAGIC = "CLE2", "CLE1"
local FRESH, SETTLED = 1, 2

--- The key of a member: eight bytes.
---@param member { nodeid: integer, pid: integer }
---@return string
function wire.key(member) return (string.pack("<I4I4", member.nodeid, member.pid)) end

-- The keys in a row; nil where that is none.
local function split(bytes)
  local keys = {}
  if #bytes % KEY_SIZE ~= 0 or #bytes > KEYS_MAX * KEY_SIZE then return nil end
  for at = 1, #bytes, KEY_SIZE do keys[#keys + 1] = bytes:sub(at, at + KEY_SIZE - 1) end
  return keys
end

local function flags_of(message)
  return (message.fresh and FRESH or 0) | (message.settled and SETTLED or 0)
end

local kinds = { "state", "line", "claim", "beat" }
local numbers = { state = 1, line = 2, claim = 3, beat = 4 }

local pack = {
  state = function(message)
    return string.pack("<i8BI4i8i8s2s2", message.kept, flags_of(message), message.seniors,
      message.counter, message.ticks, table.concat(message.keys), table.concat(message.heard))
  end,
  line = function(message)
    return string.pack("<i8s1s2", message.counter, message.leader or "",
      table.concat(message.keys))
  end,
  claim = function(message) return string.pack("<i8", message.counter) end,
  beat = function(message) return string.pack("<i8d", message.counter, message.sent) end,
}

---@param message corolua.election.Message
---@param me corosync.Member who says it
---@return string
function wire.encode(message, me)
  local head = HEAD:pack(MAGIC, numbers[message.kind], message.nodeid, message.seq)
  return seal.close(head .. pack[message.kind](message), me)
end

local unpack = {
  state = function(message, bytes, at)
    local flags, keys, heard, behind
    message.kept, flags, message.seniors, message.counter, message.ticks, keys, heard, behind =
      string.unpack("<i8BI4i8i8s2s2", bytes, at)
    message.fresh, message.settled = flags & FRESH ~= 0, flags & SETTLED ~= 0
    message.keys, message.heard = split(keys), split(heard)
    return behind, message.keys and message.heard and message.kept >= 0
      and term.is_counter(message.ticks) and term.is_counter(message.counter)
  end,
  line = function(message, bytes, at)
    local keys, leader, behind
    message.counter, leader, keys, behind = string.unpack("<i8s1s2", bytes, at)
    message.leader, message.keys = leader ~= "" and leader or nil, split(keys)
    return behind, message.keys and (leader == "" or #leader == KEY_SIZE)
      and term.is_counter(message.counter)
  end,
  claim = function(message, bytes, at)
    local behind
    message.counter, behind = string.unpack("<i8", bytes, at)
    return behind, term.is_counter(message.counter)
  end,
  beat = function(message, bytes, at)
    local behind
    message.counter, message.sent, behind = string.unpack("<i8d", bytes, at)
    return behind, term.is_counter(message.counter)
  end,
}

local function decode(bytes)
  local message = {}
  local magic, number, at
  magic, number, message.nodeid, message.seq, at = HEAD:unpack(bytes)
  message.kind = kinds[number]
  if magic ~= MAGIC or not message.kind then return nil end
  local behind, is_good = unpack[message.kind](message, bytes, at)
  return is_good and behind == #bytes - seal.SIZE + 1 and message
end

--- The message that bytes are, or nil and why they are none of ours.
---@param bytes string
---@param from corosync.Member who sent them
---@return corolua.election.Message? message, string? why
function wire.decode(bytes, from)
  if bytes:sub(1, #OLD_MAGIC) == OLD_MAGIC then
    return nil, "it is of version 1 of the elections' format, and this is version 2"
  elseif not seal.is_of(bytes, from) then
    return nil, "the checksum is not that of its sender"
  end
  local ok, message = pcall(decode, bytes)
  if ok and message then return message end
  return nil, "it is no message of an election"
end

return wire
