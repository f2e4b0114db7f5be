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
---
--- Whether a line or a claim counts follows from the states that all have heard
--- and from the line there is, and so is the same for all: a line counts once all
--- have heard all, if it is said by the first of the line that the states tell of
--- and only adds to that; a claim counts if the first in line makes it.

local term = require("corolua.election.term")

---@class corolua.election.Line
---@field me string own key
---@field keys string[] all members, sorted
---@field order string[]? the line of this ring, once it is known
---@field is_in boolean we are in it
---@field leader string? who leads in this ring
---@field counter integer the highest one claimed in this ring
---@field is_new boolean we are in line, and have heard no claim since
local methods = {}
local line_mt = { __index = methods }

local line = {}

-- By how many ticks a claim may be ahead of the clocks of all others: a year.
local AHEAD = 1 << 33

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
---@param ring corosync.Ring
---@param keys string[] the members, sorted
---@param has_joined boolean by an own join
function methods:enter(me, ring, keys, has_joined)
  self.me, self.ring = me, ring
  if has_joined then self.seniors = #keys - 1 end
  self.soonest = has_joined and term.ticks() or 0
  self.statements, self.arrival, self.views = {}, {}, 0
  self.order, self.is_in, self.is_new = nil, false, false
  self.leader, self.counter, self.floor = nil, 0, 0
  self.said, self.said_order, self.line_said, self.claim_said = nil, nil, nil, false
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

-- Whether everybody has heard everybody.
local function is_complete(self)
  for _, key in ipairs(self.keys) do
    local statement = self.statements[key]
    if not statement or not statement.is_whole then return false end
  end
  return true
end

local function is_beginning(keys, of)
  for i = 1, #keys do
    if keys[i] ~= of[i] then return false end
  end
  return true
end

local function is_equal(keys, other) return #keys == #other and is_beginning(keys, other) end

-- The line that those who are in one have told of; nil where nobody is, and false
-- where they do not agree.
local function told_line(self)
  local told
  for _, key in ipairs(self.keys) do
    local statement = self.statements[key]
    if statement and statement.settled then
      local keys = only(statement.keys, self.present)
      if told and not is_equal(told, keys) then return false end
      told = told or keys
    end
  end
  return told
end

local function speaker(self, told) return told and told[1] or self.keys[1] end

-- The highest counter that anybody but its clock can speak for.
local function latest_ticks(self, from)
  local latest
  for _, key in ipairs(self.keys) do
    local statement = self.statements[key]
    if key ~= from and statement then latest = math.max(latest or 0, statement.ticks) end
  end
  return latest or math.maxinteger - 2 * AHEAD
end

-- Beyond that a claim may only be the next one after the last.
local function highest_claim(self, from)
  local highest = latest_ticks(self, from) + AHEAD
  return self.is_new and highest or math.max(self.counter + 1, highest)
end

-- Any counter that is told may be one that somebody has led with, as far as the own
-- clock allows: this member claims above it. It decides nothing but that.
local function note_counter(self, counter)
  if counter < term.ticks() + AHEAD // 2 then self.floor = math.max(self.floor, counter) end
end

-- Whether a line has all who are there, each once.
local function has_all(self, keys)
  return #keys == #self.keys and covers(set_of(keys), self.keys)
end

local NOT_SPEAKER = "a line that another one has to say"
local NOT_LEADER = "a line that names a leader who has not claimed to lead"
local NOT_FIRST = "a claim of one who is not the first in line"
local TOO_LOW = "a claim that is not above the last one"
local TOO_HIGH = "a counter that is too far ahead of all clocks"

-- What was on its way while others came or went is said again.
local function judge_line(self, from, message)
  local told = told_line(self)
  if not is_complete(self) or told == false or not has_all(self, message.keys) then return false end
  if speaker(self, told) ~= from or told and not is_beginning(told, message.keys) then
    return false, NOT_SPEAKER
  elseif message.leader and (not told or message.leader ~= from) then
    return false, NOT_LEADER
  elseif message.counter > latest_ticks(self, from) + 2 * AHEAD then
    return false, TOO_HIGH
  end
  return true
end

-- Who was in line knows better, and who has resigned does not lead again.
local function take_line(self, message)
  local was_in, order = self.is_in, { table.unpack(self.order or {}) }
  local is_in = set_of(order)
  for _, key in ipairs(message.keys) do
    if not is_in[key] then order[#order + 1] = key end
  end
  set_order(self, order)
  self.fresh = false
  if was_in then return end
  self.counter, self.is_new = message.counter, true
  self.leader = self.present[message.leader or ""] and message.leader
end

local hear = {
  state = function(self, from, message)
    message.heard = set_of(message.heard)
    message.is_whole = covers(message.heard, self.keys)
    self.statements[from] = message
  end,

  line = function(self, from, message)
    local is_good, why = judge_line(self, from, message)
    if is_good then return take_line(self, message) end
    if from == self.me then self.line_said = nil end
    return why
  end,

  claim = function(self, from, message)
    if from == self.me then self.claim_said = false end
    if not self.order then return end
    if self.order[1] ~= from then return NOT_FIRST end
    if message.counter <= self.counter and not self.is_new then return TOO_LOW end
    if message.counter > highest_claim(self, from) then return TOO_HIGH end
    self.counter, self.leader, self.is_new = message.counter, from, false
  end,
}

-- A beat is for its sender alone.
function hear.beat() end

--- A message was delivered.
---@param from string
---@param message corolua.election.Message
---@return string? why it does not count, where it never could
function methods:hear(from, message)
  local ring = self.ring
  if not ring or message.seq ~= ring.seq or message.nodeid ~= ring.nodeid then return end
  if not self.present[from] then return end
  note_counter(self, message.counter)
  return hear[message.kind](self, from, message)
end

local function has_outsiders(self)
  return not self.order or not covers(set_of(self.order), self.keys)
end

-- Who says the line is the first in it; where there is none, the first of all. A
-- claim that is on its way comes back first, so that the line tells of it.
local function is_to_say_line(self)
  if not is_complete(self) or not has_outsiders(self) or self.line_said == self.keys then
    return false
  end
  local told = told_line(self)
  if told == false or speaker(self, told) ~= self.me or self.claim_said then return false end
  return not told or self.is_in and is_equal(told, self.order)
end

-- Whether those who are to be taken in know another line from us than there is: one
-- of us has gone, or has come back, since we told of it.
local function is_outdated(self)
  local statement = self.statements[self.me]
  if not self.is_in or not statement or self.said_order == self.order then return false end
  if statement.settled and is_equal(only(statement.keys, self.present), self.order) then
    return false
  end
  return has_outsiders(self)
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
    settled = self.is_in, seniors = self.seniors, counter = self.counter, ticks = term.ticks(),
    heard = heard,
  }
end

local function is_first(self) return self.is_in and self.order[1] == self.me end

local function claim_of(self)
  if not term.has_room(self.ring.seq) then return nil end
  local counter = term.next(math.max(self.counter, self.floor), self.soonest)
  if not counter then return nil end
  return { kind = "claim", counter = math.min(counter, highest_claim(self, self.me)) }
end

local function next_message(self, again)
  local has_news = not self.said or has_heard_all(self) and not covers(self.said, self.keys)
  if has_news or again or is_outdated(self) then return state_of(self) end
  if is_to_say_line(self) then
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
    self.said, self.said_order = set_of(message.heard), self.order
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

--- Who was not heard in this ring; where all were, who has not heard all; where all
--- have, who tells of another line than ours.
---@return string[]
function methods:missing()
  local silent = all_that(self, function(statement) return not statement end)
  if #silent > 0 then return silent end
  local deaf = all_that(self, function(statement) return not statement.is_whole end)
  if #deaf > 0 or not self.ring or told_line(self) ~= false then return deaf end
  return all_that(self, function(statement)
    return statement.settled
      and not (self.order and is_equal(self.order, only(statement.keys, self.present)))
  end)
end

return line
