-- What a stranger says to replicas of a model: right by its form, and else as it
-- comes. It keeps to what a member may not be believed: it does not pretend that it
-- has written records, and sends nothing to those who ask it for them.
local wire = require("corolua.replica.wire")

local liar = {}

local random = math.random

local function pick(list) return list[random(#list)] end

local function some(ring)
  local list = {}
  for _, process in ipairs(ring.members) do
    if random(3) > 1 then list[#list + 1] = process.id end
  end
  return list
end

local function number(near)
  return pick({ near, near, math.max(0, near + random(-2, 2)), 0, 1 << 20, (1 << 20) + near,
    1 << 31, 1 << 62 })
end

-- A member of the ring to be like.
local function model_of(ring)
  local list = {}
  for _, process in ipairs(ring.members) do
    if process.replica then list[#list + 1] = process.replica.member end
  end
  return #list > 0 and pick(list)
end

local says = {}

function says.status(me, ring, like)
  local is_synced = random(3) == 1
  local round, nonce = math.max(1, number(like.recovery.round)), like.nonce or random(99)
  local last, term = like.machine.last, like.machine:term()
  return wire.write(me, "status", {
    seq = ring.seq, is_synced = is_synced, is_strict = random(2) == 1, round = round,
    nonce = nonce, has_accepted = random(4) == 1, written = 0, last = number(last),
    last_seq = is_synced and ring.seq or number(term.seq),
    last_round = is_synced and round or number(term.round),
    last_nonce = is_synced and nonce or pick({ term.nonce, random(99) }),
    heard = pick({ {}, some(ring), some(ring) }),
  })
end

function says.decision(me, ring, like)
  local members, term = some(ring), like.machine:term()
  if random(2) == 1 then members[#members + 1] = me end
  return wire.write(me, "decision", {
    seq = ring.seq, round = math.max(1, number(like.recovery.round)), last_seq = number(term.seq),
    last_round = number(term.round), last_nonce = term.nonce, last = number(like.machine.last),
    nonce = random(99), members = members,
  })
end

function says.want(me, ring, like)
  local last = like.machine.last
  return wire.write(me, "want", {
    seq = ring.seq, to = like.room.me, id = random(9), base = 0, last = last,
    terms = random(2) == 1 and like.machine.terms or {},
  })
end

function says.got(me, ring, like)
  return wire.write(me, "got", {
    seq = ring.seq, to = like.room.me, id = random(9), count = number(3),
  })
end

function says.ack(me, ring, like)
  return wire.write(me, "ack", {
    seq = ring.seq, nonce = like.nonce or 1, written = 0, last = number(like.machine.last),
  })
end

function says.mark(me, ring, like)
  return wire.write(me, "mark", { seq = ring.seq, nonce = like.nonce or 1 })
end

function says.command(me, _, like)
  return wire.command(me, pick({ like.nonce or 1, random(99) }), random(3), number(5), "")
end

local kinds = {}
for kind in pairs(says) do kinds[#kinds + 1] = kind end
table.sort(kinds)

--- Something to say in a ring; nil where there is nobody to say it to.
function liar.lie(stranger)
  local ring = stranger.ring
  local like = ring and model_of(ring)
  if like then return says[pick(kinds)](stranger.id, ring, like) end
end

return liar
