--- Virtual synchrony: members that go from one view to the next together have
--- delivered the same messages in the first (Chockler, Keidar, Vitenberg 2001,
--- as we use it; extended virtual synchrony, Moser and others 1994, calls it
--- failure atomicity). corosync keeps it but for two known losses, which are
--- told apart from all others.
---
--- A history is what one handle saw. Two histories are compared in a ring if
--- both saw it from its start and were told of the same ring next, and if
--- neither had the other one's node among those that went down on the way: who
--- parts and is back in the same change has not come along.

local lists = require("corolua.base.lists")

---@class corolua.check.HandleEpoch a ring, as one handle saw it
---@field ring corosync.Ring
---@field key string the ring, to compare by
---@field first integer the place of its first message in `messages`
---@field last integer the place of its last message
---@field before string? the ring before; nil where it was joined in its middle
---@field parted table<integer, true> the nodes told of as down on the way in
---@field next string? the ring after, or "end"; nil where the handle was lost in it
---@field step integer by how much the seq rose to the ring after
---@field gone table<integer, true> the nodes told of as down on the way out

---@class corolua.check.HandleHistory
---@field nodeid integer
---@field messages any[] in the order of delivery
---@field epochs corolua.check.HandleEpoch[] from that of the own join on
local methods = {}
local history_mt = { __name = "corolua.check.history", __index = methods }

---@class corolua.check.Loss what one member lacks of another one's messages
---@field kind "merge"|"hidden"|"unexplained"
---@field ring string
---@field next string
---@field has integer the node that delivered them
---@field lacks integer the node that did not
---@field sender integer the node that sent them
---@field count integer how many messages
---@field step integer by how much the seq rose to the ring after
---@field first integer the place of the first of them among all of that ring
---@field of integer how many these are

---@class corolua.check.Compared
---@field pairs integer how many pairs of epochs were compared
---@field differing integer how many of them differ
---@field merge integer those that differ by what corosync loses at a merge
---@field hidden integer those that differ by a ring that nobody was told of
---@field unexplained integer those that differ by anything else
---@field apart integer how many were left out: they did not go on together
---@field in_parts integer how many messages were missing that were sent in parts
---@field losses corolua.check.Loss[]

local virtual_synchrony = {}

-- corosync raises the seq by 4 with each ring. A loss by a ring that nobody was
-- told of needs two such rings, so a smaller step hides none.
local HIDDEN_STEP = 12

local function key_of(ring) return ("%d.%x"):format(ring.nodeid, ring.seq) end

--- The history of a handle that has not joined yet. Its methods take what the
--- callbacks of corosync.cpg are given, in the same order.
---@param nodeid integer
---@return corolua.check.HandleHistory
function virtual_synchrony.history(nodeid)
  return setmetatable({ nodeid = nodeid, messages = {}, epochs = {}, gone = {} }, history_mt)
end

--- A message was delivered.
---@param message any no two messages are equal
function methods:deliver(message) self.messages[#self.messages + 1] = message end

-- The epoch of the own join has none before it.
local function begin(self, ring, before)
  local last = self.epochs[#self.epochs]
  table.insert(self.epochs, {
    ring = ring, key = key_of(ring), before = before, first = #self.messages + 1,
    parted = last and last.gone or {},
  })
end

local function leave(self, next, step)
  local epoch = self.epochs[#self.epochs]
  if not epoch then return end
  epoch.last, epoch.next, epoch.step = #self.messages, next, step
  epoch.gone, self.gone = self.gone, {}
end

--- The list of the group changed; the first time by the own join.
---@param left { member: { nodeid: integer }, reason: string }[]
function methods:confchg(left)
  if not self.has_joined then
    self.has_joined = true
    if self.ring then begin(self, self.ring) end
    return
  end
  for _, change in ipairs(left) do
    if change.reason == "nodedown" then self.gone[change.member.nodeid] = true end
  end
end

--- From here on all is of this ring. A handle is told of the ring that it joins
--- in before the own join, behind it, or both.
---@param ring corosync.Ring
function methods:totem_confchg(ring)
  local before = self.ring
  if before and key_of(before) == key_of(ring) then return end
  self.ring = ring
  if not self.has_joined then return end
  if before then leave(self, key_of(ring), ring.seq - before.seq) end
  begin(self, ring, before and key_of(before))
end

--- The run is over, and the handle was there to its end: all that ended in one
--- ring went on together.
function methods:finish() leave(self, "end", 0) end

local function slice(history, epoch)
  return table.move(history.messages, epoch.first, epoch.last, 1, {})
end

local function places_of(list)
  local places = {}
  for i, message in ipairs(list) do places[message] = i end
  return places
end

-- Whether both have the same, in the same order.
local function is_equal(a, b)
  local one, two = a.epoch, b.epoch
  if one.last - one.first ~= two.last - two.first then return false end
  local mine, others = a.history.messages, b.history.messages
  local shift = two.first - one.first
  for i = one.first, one.last do
    if mine[i] ~= others[i + shift] then return false end
  end
  return true
end

-- What one has and the other one has not. At the end of a run, only up to the
-- last message that both had read.
local function missing_of(found, has, lacks, is_end)
  local list, places = slice(has.history, has.epoch), places_of(slice(lacks.history, lacks.epoch))
  local last = #list
  while is_end and last > 0 and not places[list[last]] do last = last - 1 end
  local missing = {}
  for i = 1, last do
    if not places[list[i]] then
      if found.is_in_parts(list[i]) then
        found.in_parts = found.in_parts + 1
      else
        missing[#missing + 1] = i
      end
    end
  end
  return missing, list, places
end

local function epoch_in(history, key)
  for _, epoch in ipairs(history.epochs) do
    if epoch.key == key then return epoch end
  end
end

-- Whether a sender came into a ring from another one than a member did: from one
-- that was told, or from one that passed untold, where the change has told one of
-- them of the other's node as down. One that was lost before it was told of the
-- ring came from its last one; one that joined there came from none.
local function came_apart(sender, history, epoch)
  local into, last = epoch_in(sender, epoch.key), sender.epochs[#sender.epochs]
  if not into then return last ~= nil and last.key ~= epoch.before end
  if not into.before then return false end
  return into.before ~= epoch.before or epoch.parted[sender.nodeid] == true
    or into.parted[history.nodeid] == true
end

local function has_any(history, epoch, sender, sender_of)
  for i = epoch.first, epoch.last do
    if sender_of(history.messages[i]) == sender then return true end
  end
  return false
end

-- Whether a sender came apart from a member, and that has heard nothing of it since:
-- who throws frames away goes on with it in the next ring.
local function is_unheard(sender, history, epoch, sender_of)
  if came_apart(sender, history, epoch) then return true end
  local into, before = epoch_in(sender, epoch.key), epoch_in(history, epoch.before)
  if not (into and into.before and before and before.before) then return false end
  if has_any(history, before, sender, sender_of) then return false end
  return is_unheard(sender, history, before, sender_of)
end

-- At a merge a member may lack the first messages of a sender that came from
-- another ring: it has not seen how the sender's first frame began.
local function is_of_merge(sender, lacks, list, places, sender_of, last)
  if not is_unheard(sender, lacks.history, lacks.epoch, sender_of) then return false end
  for i = 1, last do
    if sender_of(list[i]) == sender and places[list[i]] then return false end
  end
  return true
end

-- Members that parted in a ring that nobody was told of have the same up to a
-- message; from there on each has what those said that were with it.
local function is_of_hidden(lacks, missing, list, sender_of)
  if lacks.epoch.step < HIDDEN_STEP then return false end
  local start = places_of(table.move(list, 1, missing[1] - 1, 1, {}))
  local with = { [lacks.history] = true }
  for _, message in ipairs(slice(lacks.history, lacks.epoch)) do
    if not start[message] then with[sender_of(message)] = true end
  end
  for _, i in ipairs(missing) do
    if with[sender_of(list[i])] then return false end
  end
  return true
end

local function losses_of(found, has, lacks, sender_of)
  local epoch = lacks.epoch
  local missing, list, places = missing_of(found, has, lacks, epoch.next == "end")
  if #missing == 0 then return {} end
  local is_hidden = is_of_hidden(lacks, missing, list, sender_of)
  local by_sender, losses, last = {}, {}, {}
  for _, i in ipairs(missing) do
    local sender = sender_of(list[i])
    local loss = by_sender[sender]
    if not loss then
      loss = {
        ring = epoch.key, next = epoch.next, has = has.history.nodeid,
        lacks = lacks.history.nodeid, sender = sender.nodeid, count = 0,
        step = epoch.step, first = i, of = #list,
      }
      by_sender[sender] = loss
      table.insert(losses, loss)
    end
    loss.count, last[sender] = loss.count + 1, i
  end
  for sender, loss in pairs(by_sender) do
    local is_merge = is_of_merge(sender, lacks, list, places, sender_of, last[sender])
    loss.kind = is_merge and "merge" or is_hidden and "hidden" or "unexplained"
  end
  return losses
end

-- What a member lacks of a sender is told once, whoever has it.
local function add_loss(found, loss)
  for _, known in ipairs(found.losses) do
    if known.ring == loss.ring and known.next == loss.next and known.lacks == loss.lacks
      and known.sender == loss.sender and known.kind == loss.kind then
      return
    end
  end
  table.insert(found.losses, loss)
end

-- A pair that differs counts once, as what is known least of it.
local function add(found, losses)
  local kinds = {}
  for _, loss in ipairs(losses) do
    kinds[loss.kind] = true
    add_loss(found, loss)
  end
  local kind = kinds.unexplained and "unexplained" or kinds.hidden and "hidden" or "merge"
  found[kind] = found[kind] + 1
  found.differing = found.differing + 1
end

local function compare_pair(found, a, b, sender_of)
  if a.epoch.gone[b.history.nodeid] or b.epoch.gone[a.history.nodeid] then
    found.apart = found.apart + 1
    return
  end
  found.pairs = found.pairs + 1
  if is_equal(a, b) then return end
  local losses = losses_of(found, a, b, sender_of)
  lists.append(losses, losses_of(found, b, a, sender_of))
  if #losses > 0 then add(found, losses) end
end

-- The epochs that were seen from the start, by ring and the one after.
local function by_step(histories)
  local steps, order = {}, {}
  for _, history in ipairs(histories) do
    for _, epoch in ipairs(history.epochs) do
      if epoch.before and epoch.next then
        local step = epoch.key .. " to " .. epoch.next
        if not steps[step] then
          steps[step] = {}
          table.insert(order, steps[step])
        end
        table.insert(steps[step], { history = history, epoch = epoch })
      end
    end
  end
  return order
end

local function never() return false end

--- Compares the histories of one group. A message that was sent in parts is
--- several to corosync: it comes whole in the ring of its last part, to those
--- alone who were there for the first, perhaps rings ago. So none is missed.
---@param histories corolua.check.HandleHistory[]
---@param sender_of fun(message: any): corolua.check.HandleHistory
---@param is_in_parts? fun(message: any): boolean no message is, unless given
---@return corolua.check.Compared
function virtual_synchrony.compare(histories, sender_of, is_in_parts)
  local found = {
    pairs = 0, differing = 0, merge = 0, hidden = 0, unexplained = 0, apart = 0, in_parts = 0,
    losses = {}, is_in_parts = is_in_parts or never,
  }
  for _, seen in ipairs(by_step(histories)) do
    for i, a in ipairs(seen) do
      for j = i + 1, #seen do compare_pair(found, a, seen[j], sender_of) end
    end
  end
  return found
end

local REASONS = {
  merge = "the first of that ring, which the sender entered from another one: lost at a merge",
  hidden = "rings that nobody was told of came between, in which the members had parted",
  unexplained = "nothing known explains it (the first is number %d of %d, the seq rose by %d)",
}

--- A loss as a sentence.
---@param loss corolua.check.Loss
---@return string
function virtual_synchrony.describe(loss)
  local messages = loss.count == 1 and "1 message" or loss.count .. " messages"
  local next = loss.next == "end" and "the end of the run" or "ring " .. loss.next
  return ("in ring %s node %d lacks %s of node %d that node %d delivered, though both went on to "
    .. "%s; %s"):format(loss.ring, loss.lacks, messages, loss.sender, loss.has, next,
    REASONS[loss.kind]:format(loss.first, loss.of, loss.step))
end

return virtual_synchrony
