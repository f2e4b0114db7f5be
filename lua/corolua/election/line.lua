--- The line of an election in one ring after the other: who comes after whom, and
--- who has claimed to lead. It knows no group: what happens in the total order
--- goes in, what is to be said comes out.
---
--- Corosync may lose the first messages of a sender for those that were not in
--- its ring before. So in a ring everybody says its `state` again and again until
--- all have heard all, and say so: from there on nothing is lost until the next
--- ring. Then one of them says the `line`, which stands for all from the point at
--- which it is delivered; who goes is taken out of it, and who comes is added by
--- another `line`, after all have heard all again. The first in line claims to
--- lead, and leads once its `claim` has been delivered to it.

local term = require("corolua.election.term")

---@class corolua.election.Line
---@field me string own key
---@field keys string[] all members, sorted
---@field order string[]? the line of this ring, once it is known
---@field is_in boolean we are in it
---@field leader string? who leads in this ring
---@field counter integer the highest one claimed in this ring
local methods = {}
local line_mt = { __index = methods }

local line = {}

---@return corolua.election.Line
function line.new()
  return setmetatable({ kept = { seq = 0, keys = {} }, fresh = true }, line_mt)
end

local function covers(set, keys)
  for i = 1, #keys do
    if not set[keys[i]] then return false end
  end
  return true
end

local function set_of(keys)
  local set = {}
  for i, key in ipairs(keys) do set[key] = i end
  return set
end

local function set_order(self, order)
  self.order = order
  self.is_in = set_of(order)[self.me] ~= nil
  if not self.is_in then return end
  self.kept = { seq = self.ring.seq, keys = order }
end

local function only(keys, set)
  local list = {}
  for _, key in ipairs(keys) do
    if set[key] then list[#list + 1] = key end
  end
  return list
end

local function set_members(self, keys)
  self.keys, self.present = keys, set_of(keys)
  self.views = self.views + 1
  local statements = {}
  for _, key in ipairs(keys) do
    self.arrival[key] = self.arrival[key] or self.views
    local statement = self.statements[key]
    statements[key] = statement
    if statement then statement.is_whole = covers(statement.heard, keys) end
  end
  self.statements = statements
end

--- A ring begins, in which nothing is known.
---@param me string
---@param ring { nodeid: integer, seq: integer }
---@param keys string[] the members, sorted
---@param has_joined boolean by an own join
function methods:enter(me, ring, keys, has_joined)
  self.me, self.ring = me, ring
  if has_joined then self.seniors = #keys - 1 end
  self.soonest = has_joined and term.ticks() or 0
  self.statements, self.arrival, self.views = {}, {}, 0
  self.order, self.is_in = nil, false
  self.leader, self.counter = nil, 0
  self.said, self.line_said, self.claim_said = nil, nil, false
  set_members(self, keys)
end

--- The list of members has changed within the ring.
---@param keys string[] the members, sorted
function methods:change(keys)
  set_members(self, keys)
  if self.order then set_order(self, only(self.order, self.present)) end
  if self.leader and not self.present[self.leader] then self.leader = nil end
end

--- The connection to the daemon is gone, and the ring with it.
function methods:go_down()
  self.ring, self.order, self.is_in, self.leader, self.fresh = nil, nil, false, nil, true
end

--- Quorum is lost: our place is at the end, unless all others have lost it too.
function methods:lose_quorum() self.fresh = true end

--- Quorum is there. Where it came back within a ring, all have lost it.
function methods:gain_quorum()
  if self.is_in then self.fresh = false end
end

--- We do not lead any more, without any other being told: who wants to lead
--- again claims again.
function methods:resign()
  if self.leader == self.me then self.leader = nil end
end

local hear = {
  state = function(self, from, message)
    message.heard = set_of(message.heard)
    message.is_whole = covers(message.heard, self.keys)
    self.statements[from] = message
    self.counter = math.max(self.counter, message.counter)
  end,

  line = function(self, _, message)
    local order = { table.unpack(self.order or {}) }
    local is_in = set_of(order)
    for _, key in ipairs(message.keys) do
      if self.present[key] and not is_in[key] then
        order[#order + 1] = key
        is_in[key] = #order
      end
    end
    local was_in = self.is_in
    set_order(self, order)
    self.fresh = self.fresh and not self.is_in
    -- Who was in line knows better, and who has resigned does not lead again.
    if was_in or self.leader or message.counter < self.counter then return end
    self.counter = message.counter
    self.leader = self.present[message.leader or ""] and message.leader
  end,

  claim = function(self, from, message)
    if from == self.me then self.claim_said = false end
    if message.counter <= self.counter then return end
    self.counter = message.counter
    self.leader = (not self.order or self.order[1] == from) and from or nil
  end,
}

-- A beat is for its sender alone.
function hear.beat() end

--- A message was delivered.
---@param from string
---@param message corolua.election.Message
function methods:hear(from, message)
  local ring = self.ring
  if not ring or message.seq ~= ring.seq or message.nodeid ~= ring.nodeid then return end
  if self.present[from] then hear[message.kind](self, from, message) end
end

-- Whether everybody has heard everybody.
local function is_complete(self)
  for _, key in ipairs(self.keys) do
    local statement = self.statements[key]
    if not statement or not statement.is_whole then return false end
  end
  return true
end

local function has_outsiders(self)
  return not self.order or not covers(set_of(self.order), self.keys)
end

-- Who says the line: the first in it; where there is none, the first of all.
local function is_speaker(self)
  if self.is_in then return self.order[1] == self.me end
  for _, statement in pairs(self.statements) do
    if statement.settled then return false end
  end
  return self.keys[1] == self.me
end

-- The line of the latest ring that anybody was in; the longest, then that of the
-- lowest member, where several are as late.
local function latest(self)
  local best = { kept = 0, keys = {} }
  for _, key in ipairs(self.keys) do
    local statement = self.statements[key]
    if statement.kept > best.kept
      or statement.kept == best.kept and #statement.keys > #best.keys then
      best = statement
    end
  end
  return best.keys
end

local NO_PLACE = math.huge

-- What decides on a member's place, the weightiest first. Whoever has lost quorum
-- since it was in line has lost its place, but not its age among those who have.
local function rank_of(self, key, places)
  local statement = self.statements[key]
  local place = places[key] or NO_PLACE
  local keeps = self.is_in or not statement.fresh
  return {
    keeps and place or NO_PLACE, self.arrival[key], place, statement.seniors, self.present[key],
  }
end

local function is_before(a, b)
  for i = 1, #a do
    if a[i] ~= b[i] then return a[i] < b[i] end
  end
  return false
end

local function arrange(self)
  local places = set_of(self.is_in and self.order or latest(self))
  local ranks, list = {}, { table.unpack(self.keys) }
  for _, key in ipairs(list) do ranks[key] = rank_of(self, key, places) end
  table.sort(list, function(a, b) return is_before(ranks[a], ranks[b]) end)
  return list
end

local function has_heard_all(self) return covers(self.statements, self.keys) end

local function state_of(self)
  local heard = {}
  for _, key in ipairs(self.keys) do
    if self.statements[key] then heard[#heard + 1] = key end
  end
  return {
    kind = "state", kept = self.kept.seq, keys = self.kept.keys, fresh = self.fresh,
    settled = self.is_in, seniors = self.seniors, counter = self.counter, heard = heard,
  }
end

local function is_first(self) return self.is_in and self.order[1] == self.me end

local function claim_of(self)
  if not term.has_room(self.ring.seq) then return nil end
  local counter = term.next(self.counter, self.soonest)
  return counter and { kind = "claim", counter = counter }
end

local function next_message(self, again)
  local has_news = not self.said or has_heard_all(self) and not covers(self.said, self.keys)
  if has_news or again then return state_of(self) end
  if is_complete(self) and has_outsiders(self) and self.line_said ~= self.keys
    and is_speaker(self) then
    return { kind = "line", counter = self.counter, leader = self.leader, keys = arrange(self) }
  end
  if is_first(self) and self.leader ~= self.me and not self.claim_said then
    return claim_of(self)
  end
end

--- What is to be said now, or nil.
---@param again boolean? the state, though it was said
---@return corolua.election.Message?
function methods:next_message(again)
  local message = self.ring and next_message(self, again)
  if not message then return nil end
  message.nodeid, message.seq = self.ring.nodeid, self.ring.seq
  return message
end

--- It was sent.
---@param message corolua.election.Message
function methods:has_said(message)
  if message.kind == "state" then
    self.said = set_of(message.heard)
  elseif message.kind == "line" then
    self.line_said = self.keys
  else
    self.claim_said = true
  end
end

--- Whether all are in line.
---@return boolean
function methods:is_settled() return is_complete(self) and not has_outsiders(self) end

--- Whether we are to lead, and have not claimed it.
---@return boolean
function methods:is_to_claim()
  return is_first(self) and self.leader ~= self.me and not self.claim_said
    and term.has_room(self.ring.seq)
end

local function all_that(self, is_it)
  local list = {}
  for _, key in ipairs(self.ring and self.keys or list) do
    if is_it(self.statements[key]) then list[#list + 1] = key end
  end
  return list
end

--- Who was not heard in this ring; where all were, who has not heard all.
---@return string[]
function methods:missing()
  local silent = all_that(self, function(statement) return not statement end)
  if #silent > 0 then return silent end
  return all_that(self, function(statement) return not statement.is_whole end)
end

return line
