--- What one join of a group saw: its messages, its views, and what was said of
--- them. A message is a number: the log of the run it was sent from, and the how
--- manieth there.

local lists = require("corolua.base.lists")
local virtual_synchrony = require("corolua.check.virtual_synchrony")

---@class bench.GroupLog
local methods = {}
local log_mt = { __index = methods }

local group_log = {}

-- What is longer than the library sends as one goes in fragments.
local ATOMIC = 1047552

--- The logs of a run, and what is to be told of what is wrong.
---@return { logs: bench.GroupLog[], notes: string[], in_parts: table<integer, true> }
function group_log.new_run() return { logs = {}, notes = {}, in_parts = {} } end

--- A log of a join that begins now.
---@param run table
---@param node integer
---@param is_packed boolean whether gaps are told
function group_log.new(run, node, is_packed)
  local log = setmetatable({
    run = run, node = node, is_packed = is_packed, sent = 0, own = 0, alive = true,
    history = virtual_synchrony.history(node), -- messages and rings in order
    rulings = {}, -- runs of events in one ring: ring, quorate, kind, count
    departures = {}, -- as words: ring, node and reason
    lists = {}, -- who was in each ring when it began, by ring
    unconfirmed = {}, known = {}, missing = {},
    gaps = 0, wrong_gaps = 0, wrong_ring = 0, strange = 0, wrong_lists = 0,
  }, log_mt)
  table.insert(run.logs, log)
  log.id = #run.logs
  return log
end

--- The next message to send. It counts once it has been accepted.
---@return string
function methods:next_payload() return string.pack("<I8", self.id << 32 | self.sent + 1) end

---@param payload string
---@return integer
local function number_of(payload) return (string.unpack("<I8", payload)) end

local function note(self, text, ...)
  table.insert(self.run.notes, ("node %d: " .. text):format(self.node, ...))
end

-- Events of one ring mostly come one after the other.
local function add_ruling(self, ring, quorate, kind)
  local last = self.rulings[#self.rulings]
  if last and last.ring == ring and last.quorate == quorate and last.kind == kind then
    last.count = last.count + 1
    return
  end
  table.insert(self.rulings, { ring = ring, quorate = quorate, kind = kind, count = 1 })
end

-- A ring is entered without a word where its list is that of the ring before:
-- the next event tells of it. True if it did.
local function enter(self, ring)
  local before = self.ring
  if ring == before then return false end
  if before and ring.seq <= before.seq then
    self.wrong_ring = self.wrong_ring + 1
    note(self, "ring %d.%x after %d.%x", ring.nodeid, ring.seq, before.nodeid, before.seq)
  end
  self.ring = ring
  self.history:totem_confchg(ring)
  return before ~= nil
end

local function note_list(self, view)
  local words = {}
  for i, member in ipairs(view.members) do words[i] = tostring(member) end
  self.lists[("%d.%x"):format(view.ring.nodeid, view.ring.seq)] = table.concat(words, " ")
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
  note(self, "wrong gap before number %d of node %d in ring %d.%x; missing from %d, told of %s; "
    .. "left before: %s", number, from.nodeid, self.ring.nodeid, self.ring.seq, first,
    missing and missing.first .. " to " .. missing.last or "none",
    table.concat(self.departures, " "))
end

--- A handler was called for a message.
---@param kind "message"|"inquorate"
---@param payload string
---@param from userdata
---@param info { ring: table }
---@param view corolua.View the group's
function methods:heard(kind, payload, from, info, view)
  local message = number_of(payload)
  if enter(self, view.ring) then note_list(self, view) end
  self.history:deliver(message)
  if #payload > ATOMIC then self.run.in_parts[message] = true end
  if message >> 32 == self.id then self.own = self.own + 1 end
  local sender = self.run.logs[message >> 32]
  if not sender or sender.node ~= from.nodeid then self.strange = self.strange + 1 end
  if info.ring ~= view.ring then self.wrong_ring = self.wrong_ring + 1 end
  add_ruling(self, view.ring, view.quorate, kind)
  if self.is_packed then check_gap(self, message, from) end
end

-- Who was there and has not left, and who has joined: no more and no less.
local function is_list_right(self, view)
  local expected, count = {}, 0
  for _, member in ipairs(self.members) do expected[member] = true end
  for _, change in ipairs(view.left) do expected[change.member] = nil end
  for _, change in ipairs(view.joined) do expected[change.member] = true end
  for _ in pairs(expected) do count = count + 1 end
  for _, member in ipairs(view.members) do
    if not expected[member] then return false end
  end
  return count == #view.members
end

-- What the changes say of the own member, and whether a ring brought them.
local function reasons_of(view, me)
  local has_left, is_of_ring = false, false
  for _, changes in ipairs({ view.left, view.joined }) do
    for _, change in ipairs(changes) do
      has_left = has_left or change.member == me and change.reason == "leave"
      is_of_ring = is_of_ring or change.reason == "nodedown" or change.reason == "nodeup"
    end
  end
  return has_left, is_of_ring
end

--- The list of members changed.
---@param view corolua.View
---@param me userdata the own member
function methods:saw(view, me)
  local has_left, is_of_ring = reasons_of(view, me)
  self.history:confchg(view.left)
  if enter(self, view.ring) and is_of_ring then note_list(self, view) end
  for _, change in ipairs(view.left) do
    table.insert(self.departures, ("%d.%x:%d:%s"):format(view.ring.nodeid, view.ring.seq,
      change.member.nodeid, change.reason))
  end
  add_ruling(self, view.ring, view.quorate, "view")
  local is_in = lists.contains(view.members, me)
  if is_in == has_left or self.members and not is_list_right(self, view) then
    self.wrong_lists = self.wrong_lists + 1
    note(self, "wrong list of %d members in ring %d.%x", #view.members, view.ring.nodeid,
      view.ring.seq)
  end
  self.members = view.members
end

--- The quorum of a ring was told, which is the group's.
---@param state corolua.QuorumState
---@param view corolua.View the group's
function methods:told(state, view)
  if enter(self, view.ring) then note_list(self, view) end
  if state.ring.seq ~= view.ring.seq then self.wrong_ring = self.wrong_ring + 1 end
  add_ruling(self, view.ring, state.quorate, "quorum")
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

--- The group has been left, at the end of the run.
function methods:finish() self.history:finish() end

return group_log
