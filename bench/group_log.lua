--- What one join of a group saw, and what must hold for it. A message is a
--- number: the log of the cluster it was sent from, and the how manieth there.

local methods = {}
local log_mt = { __index = methods }

local group_log = { all = {}, notes = {} }

--- A log of a join that begins now.
---@param node integer
function group_log.new(node)
  local log = setmetatable({
    node = node, sent = 0, own = 0, alive = true,
    seen = {}, -- messages in order
    rulings = {}, -- runs of messages in one ring: ring, quorate, kind, count
    unconfirmed = {}, known = {}, missing = {},
    gaps = 0, wrong_gaps = 0, wrong_ring = 0, strange = 0,
  }, log_mt)
  table.insert(group_log.all, log)
  log.id = #group_log.all
  return log
end

--- The next message to send. It counts once it has been accepted.
---@return string
function methods:next_payload() return string.pack("<I8", self.id << 32 | self.sent + 1) end

---@param payload string
---@return integer
local function number_of(payload) return (string.unpack("<I8", payload)) end

-- Messages of one ring mostly come one after the other.
local function add_ruling(self, view, kind)
  local last = self.rulings[#self.rulings]
  if last and last.ring == view.ring and last.quorate == view.quorate and last.kind == kind then
    last.count = last.count + 1
    return
  end
  table.insert(self.rulings, { ring = view.ring, quorate = view.quorate, kind = kind, count = 1 })
end

-- What is missing before a number must be what was reported, no more and no
-- less. Before the first one of a join nothing is known to be missing, but
-- where the beginning of a message in fragments made its number known.
local function check_gap(self, message, from)
  local sender, number = message >> 32, message & 0xffffffff
  local before = self.known[from.nodeid]
  local missing = self.missing[from.nodeid]
  self.missing[from.nodeid] = nil
  self.known[from.nodeid] = message
  if before and before >> 32 ~= sender then return end
  -- Told of a life that ended in the middle of a message; the next counts anew.
  if not before and missing and number < missing.first then return end
  local first = before and (before & 0xffffffff) + 1 or missing and missing.first or number
  local is_right = not missing and first == number
    or missing and missing.first == first and missing.last == number - 1
  if is_right then return end
  self.wrong_gaps = self.wrong_gaps + 1
  table.insert(group_log.notes, ("wrong gap: node %d, before number %d of node %d; "
    .. "missing from %d, told of %s"):format(self.node, number, from.nodeid, first,
      missing and missing.first .. " to " .. missing.last or "none"))
end

--- A handler was called for a message.
---@param kind "message"|"inquorate"
---@param payload string
---@param from userdata
---@param info { ring: table }
---@param room corolua.Group
function methods:heard(kind, payload, from, info, room)
  local message, view = number_of(payload), room.view
  table.insert(self.seen, message)
  if message >> 32 == self.id then self.own = self.own + 1 end
  local sender = group_log.all[message >> 32]
  if not sender or sender.node ~= from.nodeid then self.strange = self.strange + 1 end
  if info.ring ~= view.ring then self.wrong_ring = self.wrong_ring + 1 end
  add_ruling(self, view, kind)
  if self.is_packed then check_gap(self, message, from) end
end

--- Numbers of a member were reported missing, before the message behind them.
function methods:gap(member, first, last)
  self.gaps = self.gaps + 1
  local missing = self.missing[member.nodeid]
  if missing and first == missing.last + 1 then
    missing.last = last
  else
    self.missing[member.nodeid] = { first = first, last = last }
  end
end

--- The connection is gone, and with it what was on its way.
---@param why { unconfirmed: { payload: string }[] }
function methods:down(why)
  self.alive = false
  for _, entry in ipairs(why.unconfirmed) do
    table.insert(self.unconfirmed, number_of(entry.payload))
  end
end

-- Where each message stands in a log, and how many stand there twice.
local function places_of(log)
  local places, twice = {}, 0
  for i, message in ipairs(log.seen) do
    if places[message] then twice = twice + 1 end
    places[message] = i
  end
  return places, twice
end

-- What is common to two logs comes in the same order in both.
local function count_misordered(places, log)
  local last, wrong = 0, 0
  for _, message in ipairs(log.seen) do
    local place = places[message]
    if place and place < last then wrong = wrong + 1 end
    last = place or last
  end
  return wrong
end

-- Each message that was accepted has been read back or is unconfirmed, and no
-- other is: those that are in neither list, and those in both.
local function account(log, places)
  local lost, both, listed = 0, 0, {}
  for _, message in ipairs(log.unconfirmed) do
    if listed[message] or places[message] or message >> 32 ~= log.id then both = both + 1 end
    listed[message] = true
  end
  for number = 1, log.sent do
    local message = log.id << 32 | number
    if not places[message] and not listed[message] then lost = lost + 1 end
  end
  return lost, both
end

-- A message must not be handled as quorate in a ring that libquorum did not
-- call so, nor the other way, but where the connection ended before it was told.
local function judge(log, witness, found)
  for i, ruling in ipairs(log.rulings) do
    local verdict = witness:verdict(ruling.ring)
    local is_last = not log.alive and i == #log.rulings
    local is_right = verdict == "both" or verdict == ruling.quorate
      or is_last and verdict and not ruling.quorate
    if verdict == "skipped" then
      found.in_skipped = found.in_skipped + ruling.count
      verdict = false
    end
    if verdict == "both" then found.changing = found.changing + ruling.count end
    if verdict == "unseen" then
      found.unseen = found.unseen + ruling.count
    elseif not is_right or ruling.quorate ~= (ruling.kind == "message") then
      found.wrong_quorum = found.wrong_quorum + ruling.count
      table.insert(group_log.notes, ("wrong quorum: node %d, %d messages as %s in ring %d.%d, "
        .. "view %d of %d of a join, libquorum: %s"):format(log.node, ruling.count, ruling.kind,
          ruling.ring.nodeid, ruling.ring.seq, i, #log.rulings, witness:describe(ruling.ring)))
    end
    if ruling.kind == "inquorate" then found.inquorate = found.inquorate + ruling.count end
  end
end

-- Messages that their sender was not told it had sent.
local function count_unsent(log)
  local unsent = 0
  for _, message in ipairs(log.seen) do
    local sender = group_log.all[message >> 32]
    if sender and message & 0xffffffff > sender.sent then unsent = unsent + 1 end
  end
  return unsent
end

local SUMS = { "gaps", "wrong_gaps", "strange", "wrong_ring" }

local function add(found, log, witness)
  local places, twice = places_of(log)
  local lost, both = account(log, places)
  found.twice = found.twice + twice
  found.lost, found.both = found.lost + lost, found.both + both
  found.unsent = found.unsent + count_unsent(log)
  found.sent = found.sent + log.sent
  found.delivered = found.delivered + #log.seen
  found.unconfirmed = found.unconfirmed + #log.unconfirmed
  for _, name in ipairs(SUMS) do found[name] = found[name] + log[name] end
  judge(log, witness, found)
  return places
end

--- Compares all logs with each other, and each with what libquorum said on its
--- node.
---@param witnesses table[] by node
---@return table<string, integer>
function group_log.check(witnesses)
  local found = {
    misordered = 0, twice = 0, lost = 0, both = 0, sent = 0, delivered = 0, unconfirmed = 0,
    wrong_quorum = 0, unsent = 0, unseen = 0, changing = 0, in_skipped = 0,
    inquorate = 0,
  }
  for _, name in ipairs(SUMS) do found[name] = 0 end
  local logs = group_log.all
  for i, log in ipairs(logs) do
    local places = add(found, log, witnesses[log.node])
    for j = i + 1, #logs do
      found.misordered = found.misordered + count_misordered(places, logs[j])
    end
  end
  return found
end

return group_log
