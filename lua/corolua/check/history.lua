--- What a trace says, by member: a life is what one handle saw, an epoch what it
--- saw in one ring, a message a number. A history records and judges nothing.
---
--- Two sends of one member with equal bytes have one number here at first; see
--- `corolua.check.identity`, which tells them apart.

local history = {}

---@class corolua.check.Life one handle, from its own join to its end
---@field h integer its number in the trace
---@field n integer the node
---@field p integer the process
---@field g string the group
---@field me string|false "node/process"; false before the own join
---@field ids table<string, table<string, integer>> the group's messages, by sender and key
---@field epochs corolua.check.PastEpoch[]
---@field epoch corolua.check.PastEpoch|false the current one
---@field view table<string, true>|false who is a member now
---@field changes corolua.check.Change[] the views, as they were told
---@field rings corolua.check.Ring[] the rings, as they were told
---@field sends integer[] its messages, in the order in which they were accepted
---@field numbers integer[] the `m` of each
---@field send_refs integer[] their lines
---@field over { why: string, unconfirmed: integer[]?, ref: integer }|false its end
---@field is_unsure boolean a send failed in a way that leaves its fate open

---@class corolua.check.PastEpoch what one life saw in one ring: its messages are the array
---@field ring string|false as corosync's tools write it; false where it was not told
---@field seq integer
---@field count integer
---@field refs integer[] the line of each message
---@field ref integer the line that began it
---@field index integer the how manieth of its life
---@field life corolua.check.Life
---@field joins table<string, integer[]> how many messages had come at each join of whom
---@field same corolua.check.PastEpoch[]? all that began with a join of its member in its ring
---@field places_of_changes { name: string, at: integer, ref: integer }[] within the ring
---@field parted table<string, true> who was told of as down on the way in
---@field came table<string, true> who was told of as up on the way in
---@field gone table<string, true> who was told of as down on the way out
---@field hidden table<integer, true> nodes that a group told of as parted untold on the way in
---@field next corolua.check.PastEpoch|false
---@field before corolua.check.PastEpoch|false

---@class corolua.check.Change
---@field ref integer
---@field members string[]
---@field left string[][] who, and why
---@field joined string[][]

---@class corolua.check.Ring
---@field ref integer
---@field t integer
---@field ring string
---@field seq integer
---@field nodes integer[] sorted

---@class corolua.check.Past
local methods = {}
local history_mt = { __name = "corolua.check.past", __index = methods }

---@return corolua.check.Past
function history.new()
  return setmetatable({
    runs = {}, stops = {}, lives = {}, groups = {}, quorums = {}, faults = {}, processes = {},
    rulings = {}, ops = {},
    -- of messages, by their number
    count = 0, sender = {}, place = {}, number = {}, from = {}, times = {}, cause = {},
    in_parts = {},
    -- what is told at once: a message of a sender outside of the list, and one too early
    strangers = {}, early = {}, excess = {},
    untraced = {}, -- members, by the deliveries
    hidden_steps = {}, -- "ring to ring", where a group told that nodes had parted untold
    events = 0, deliveries = 0, last_t = 0,
  }, history_mt)
end

--- The life of a handle that is first named here.
---@param h integer
---@return corolua.check.Life
function methods:begin_life(h)
  local life = {
    h = h, me = false, epochs = {}, epoch = false, view = false, changes = {}, rings = {},
    sends = {}, numbers = {}, send_refs = {}, unsent = {}, early = {}, over = false, ring = false,
    is_unsure = false, is_between = false, gone = {}, came = {},
  }
  table.insert(self.lives, life)
  return life
end

local function new_message(self, ids, from, key)
  local id = self.count + 1
  self.count = id
  self.sender[id], self.place[id], self.number[id] = false, 0, 0
  self.from[id], self.times[id], self.cause[id] = from, 0, false
  local known = ids[from]
  if not known then
    known = {}
    ids[from] = known
  end
  known[key] = id
  return id
end

--- A message of its own, of the same sender and bytes as a known one.
---@param id integer
---@return integer
function methods:split(id)
  local other = self.count + 1
  self.count = other
  self.sender[other], self.place[other], self.number[other] = false, 0, 0
  self.from[other], self.times[other], self.cause[other] = self.from[id], 1, false
  self.in_parts[other] = self.in_parts[id]
  return other
end

-- What a life had read last.
local function last_read(life)
  for i = #life.epochs, 1, -1 do
    local epoch = life.epochs[i]
    if epoch.count > 0 then return epoch[epoch.count] end
  end
  return false
end

-- corosync sends what is longer than this as several messages.
local WHOLE = 1047552

--- A message was accepted.
---@param life corolua.check.Life
---@param key string what tells it from the sender's others: the hash of its bytes
---@param m integer its number, as the trace has it
---@param bytes integer
---@param ref integer
function methods:send(life, key, m, bytes, ref)
  if not life.me then
    table.insert(life.unsent, { key, m, bytes, ref })
    return
  end
  local known = life.ids[life.me]
  local id = known and known[key] or new_message(self, life.ids, life.me, key)
  local count = #life.sends + 1
  life.sends[count], life.numbers[count], life.send_refs[count] = id, m, ref
  self.times[id] = self.times[id] + 1
  if self.times[id] == 1 then
    self.sender[id], self.place[id], self.number[id] = life, count, m
    self.cause[id] = last_read(life)
  end
  if bytes > WHOLE then self.in_parts[id] = true end
end

--- A message was read.
---@param life corolua.check.Life
---@param from string
---@param key string
---@param ref integer
function methods:deliver(life, from, key, ref)
  local epoch = life.epoch
  if not epoch then
    table.insert(life.early, { from, key, ref })
    return
  end
  local known = life.ids[from]
  local id = known and known[key] or new_message(self, life.ids, from, key)
  local count = epoch.count + 1
  epoch.count, epoch[count], epoch.refs[count] = count, id, ref
  if not life.view[from] then
    table.insert(self.strangers,
      { epoch = epoch, at = count, view = life.changes[#life.changes].ref })
  end
end

local function begin_epoch(life, ring, ref)
  local before = life.epoch
  local epoch = {
    ring = ring and ring.ring, seq = ring and ring.seq or 0, count = 0, refs = {}, ref = ref,
    index = #life.epochs + 1, life = life, joins = {}, places_of_changes = {},
    parted = life.gone, came = life.came, gone = {}, hidden = {}, next = false,
    before = before,
  }
  if before then before.next, before.gone = epoch, life.gone end
  table.insert(life.epochs, epoch)
  life.epoch, life.gone, life.came, life.is_between = epoch, {}, {}, false
end

--- The own join was read.
---@param life corolua.check.Life
---@param event table
---@param ref integer
function methods:join(life, event, ref)
  life.n, life.p, life.g, life.ref = event.n, event.p, event.g, ref
  life.me = ("%d/%d"):format(event.n, event.p)
  local ids = self.groups[life.g] or {}
  self.groups[life.g], life.ids = ids, ids
  for _, sent in ipairs(life.unsent) do self:send(life, table.unpack(sent, 1, 4)) end
  life.unsent = {}
  for _, read in ipairs(life.early) do
    local known = ids[read[1]]
    local id = known and known[read[2]] or new_message(self, ids, read[1], read[2])
    table.insert(self.early, { life = life, id = id, ref = read[3] })
  end
end

local function is_of_ring(event)
  for _, change in ipairs(event.left) do
    if change[2] == "nodedown" then return true end
  end
  for _, change in ipairs(event.joined) do
    if change[2] == "nodeup" then return true end
  end
  return false
end

-- Joins, leaves and deaths of processes within a ring stand in its order.
local function place_change(epoch, event, ref)
  local names = {}
  for _, change in ipairs(event.joined) do
    local joins = epoch.joins[change[1]] or {}
    epoch.joins[change[1]] = joins
    joins[#joins + 1] = epoch.count
    names[#names + 1] = "+" .. change[1]
  end
  for _, change in ipairs(event.left) do names[#names + 1] = "-" .. change[1] end
  table.insert(epoch.places_of_changes,
    { name = table.concat(names, " "), at = epoch.count, ref = ref })
end

--- The list of members changed.
---@param life corolua.check.Life
---@param event table
---@param ref integer
function methods.conf(_, life, event, ref)
  if not life.me then return end
  table.insert(life.changes,
    { ref = ref, members = event.members, left = event.left, joined = event.joined })
  local view = {}
  for _, member in ipairs(event.members) do view[member] = true end
  life.view = view
  if not life.epoch then
    begin_epoch(life, life.ring, ref)
  elseif is_of_ring(event) then
    life.is_between = true
    for _, change in ipairs(event.left) do life.gone[change[1]] = true end
    for _, change in ipairs(event.joined) do life.came[change[1]] = true end
  elseif not life.is_between then
    place_change(life.epoch, event, ref)
  end
end

-- Whether the ring that is told now is the one of the own join.
local function is_first(life)
  local epoch = life.epoch
  return epoch.index == 1 and not epoch.ring and epoch.count == 0 and not life.is_between
end

--- From here on all is of this ring.
---@param life corolua.check.Life
---@param event table
---@param ref integer
function methods.ring(_, life, event, ref)
  local seq = tonumber(event.ring:match("^%d+%.(%x+)$") or "0", 16)
  local nodes = table.move(event.nodes, 1, #event.nodes, 1, {})
  table.sort(nodes)
  local ring = { ref = ref, t = event.t, ring = event.ring, seq = seq, nodes = nodes }
  table.insert(life.rings, ring)
  local before = life.ring
  life.ring = ring
  if not life.epoch or before and before.ring == ring.ring then return end
  if is_first(life) then
    life.epoch.ring, life.epoch.seq = ring.ring, seq
  else
    begin_epoch(life, ring, ref)
  end
end

--- Nodes had parted untold before a ring: others that went the same way may have
--- been told nothing of it.
---@param life corolua.check.Life
---@param event table
function methods:hidden(life, event)
  for _, epoch in ipairs(life.epochs) do
    if epoch.ring == event.ring and epoch.before and #event.nodes > 0 then
      self.hidden_steps[("%s to %s"):format(epoch.before.ring, epoch.ring)] = true
      for _, node in ipairs(event.nodes) do epoch.hidden[node] = true end
    end
  end
end

--- The last line of a life.
---@param life corolua.check.Life
---@param event table
---@param ref integer
function methods.finish(_, life, event, ref)
  life.over = { why = event.why, unconfirmed = event.unconfirmed, ref = ref }
end

-- Called for each line of a file, and so by themselves.
history.deliver, history.send = methods.deliver, methods.send

return history
