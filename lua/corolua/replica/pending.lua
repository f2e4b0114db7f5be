--- The commands that this replica has sent and that are not answered yet: first
--- those whose place in the order is not known, then those that are applied and
--- wait to be as durable as was asked.
---
--- Those of a term that is over are open in the next one: what the log of that says
--- of them holds once it is sure to stay, and no sooner. Until then it may still
--- have to give way to a log that says something else.

local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

---@class corolua.replica.Entry
---@field number integer
---@field seq integer of the ring it was sent in
---@field life integer of the connection it was sent by
---@field has_passed boolean? it came back where this member could not apply it
---@field is_there boolean? the log of the present term has it, while it is open
---@field index integer? of its record
---@field result any of its apply
---@field results any[]? what its submit returns
---@field resume function?

---@class corolua.replica.Pending
---@field number integer of the last command
---@field sent table<integer, corolua.replica.Entry>
---@field open table<integer, corolua.replica.Entry> those of `sent` of a term before
---@field applied table<integer, corolua.replica.Entry> from `first` to `last`
---@field first integer
---@field last integer
---@field is_sure boolean? the log of the present term stays
---@field on_closed fun() none is open any more
local methods = {}
local pending_mt = { __index = methods }

local pending = {}

--- What an answer of a submit is where the command is surely in no log.
pending.AGAIN = {}

local NOT_APPLIED = "not quorate: the command was not applied"
local MAYBE_APPLIED = "not quorate: the others may have applied the command or not"
local NO_QUORUM = "ERR_NOT_QUORATE"

---@param on_closed fun() none is open any more
---@return corolua.replica.Pending
function pending.new(on_closed)
  return setmetatable({
    number = 0, sent = {}, open = {}, applied = {}, first = 1, last = 0, on_closed = on_closed,
  }, pending_mt)
end

--- A command is about to be sent.
---@param seq integer
---@param life integer
---@return corolua.replica.Entry
function methods:begin(seq, life)
  self.number = self.number + 1
  local entry = { number = self.number, seq = seq, life = life }
  self.sent[entry.number] = entry
  return entry
end

-- Those of a list in the order in which they were sent.
local function in_order(entries)
  local list = lists.keys(entries)
  for i, number in ipairs(list) do list[i] = entries[number] end
  return list
end

--- Waits until it is answered.
---@param entry corolua.replica.Entry
---@param timeout number in seconds
---@return boolean? answered, string? message, string? code
function methods:await(entry, timeout) -- luacheck: ignore self
  return scheduler.await(function(resume) entry.resume = resume end, timeout)
end

local function close(self, entry)
  if not self.open[entry.number] then return end
  self.open[entry.number] = nil
  if not self:is_open() then self.on_closed() end
end

local function answer(self, entry, ...)
  self.sent[entry.number] = nil
  entry.results = table.pack(...)
  if entry.resume then entry.resume(true) end
  close(self, entry)
end

--- Whether there are commands of a term before of which nothing is sure. A number
--- that is sent now might hide from a later term whether its log has them.
---@return boolean
function methods:is_open() return next(self.open) ~= nil end

--- Nobody waits for it any more.
---@param entry corolua.replica.Entry
function methods:drop(entry) answer(self, entry) end

--- A command of this replica has been applied here.
---@param number integer
---@param index integer
---@param result any
function methods:take(number, index, result)
  local entry = self.sent[number]
  if not entry then return end
  self.sent[number], self.open[number] = nil, nil
  entry.index, entry.result = index, result
  self.last = self.last + 1
  self.applied[self.last] = entry
end

--- All records up to this one are as durable as was asked.
---@param index integer
function methods:advance(index)
  while self.first <= self.last and self.applied[self.first].index <= index do
    local entry = self.applied[self.first]
    self.applied[self.first] = nil
    self.first = self.first + 1
    if not entry.results then answer(self, entry, entry.result) end
  end
end

--- Whether somebody waits for a record to become durable.
---@return boolean
function methods:is_waiting() return self.first <= self.last end

local function lose_applied(self, ...)
  local list, first, last = self.applied, self.first, self.last
  self.applied, self.first, self.last = {}, 1, 0
  for i = first, last do
    if not list[i].results then answer(self, list[i], nil, ...) end
  end
end

-- The last of the applied ones, while `is_lost` holds, are so no more: others may
-- have them or not.
local function take_back(self, is_lost)
  while self.first <= self.last and is_lost(self.applied[self.last]) do
    local entry = self.applied[self.last]
    self.applied[self.last] = nil
    self.last = self.last - 1
    entry.index, entry.result, entry.has_passed = nil, nil, true
    if not entry.results then self.sent[entry.number] = entry end
  end
end

--- The records after an index are taken back, or dropped.
---@param index integer
function methods:take_back(index)
  take_back(self, function(entry) return entry.index > index end)
end

--- Another log has come in the place of this one; it has the commands of this
--- replica up to a number.
---@param number integer
function methods:replaced(number)
  take_back(self, function(entry) return entry.number > number end)
end

--- A command came back where it is not applied by this member.
---@param number integer
---@param seq integer of the ring it came in
---@param is_quorate boolean
function methods:pass(number, seq, is_quorate)
  local entry = self.sent[number]
  if not entry then return end
  entry.has_passed = true
  if entry.seq == seq then return end -- others may have applied it
  if is_quorate then return answer(self, entry, pending.AGAIN) end
  answer(self, entry, nil, NOT_APPLIED, NO_QUORUM, "never")
end

--- A command came back with the mark of a term that is over. In another ring than
--- the one of that term nobody applies it. In the same ring a member that has not
--- left that term yet does, and its log counts until that of the present term stays.
---@param number integer
---@param seq integer of the ring it came in
function methods:miss(number, seq)
  local entry = self.sent[number]
  if not entry then return end
  entry.has_passed = true
  if entry.seq ~= seq or self.is_sure then answer(self, entry, pending.AGAIN) end
end

--- There is no quorum any more. What was sent in a ring before, by a connection
--- that is still there, and has not come back is applied by nobody; of all else
--- this member cannot know.
---@param seq integer of the ring without quorum
---@param life integer
function methods:lose_quorum(seq, life)
  for _, entry in ipairs(in_order(self.sent)) do
    if entry.seq ~= seq and entry.life == life and not entry.has_passed then
      answer(self, entry, nil, NOT_APPLIED, NO_QUORUM, "never")
    else
      answer(self, entry, nil, MAYBE_APPLIED, NO_QUORUM, "unknown")
    end
  end
  lose_applied(self, MAYBE_APPLIED, NO_QUORUM, "unknown")
end

--- This member has what all have in a new term, up to now: all that was sent before
--- is open.
---@param number integer the last command of this replica in the log
function methods:settle(number)
  self.open, self.is_sure = {}, false
  for _, entry in pairs(self.sent) do
    self.open[entry.number] = entry
    entry.is_there = entry.number <= number
  end
end

--- The log of the term stays: no later one begins with another. What is not in it
--- and does not come any more is applied by nobody.
---@param life integer of the connection
function methods:conclude(life)
  self.is_sure = true
  for _, entry in ipairs(in_order(self.open)) do
    if entry.is_there then
      answer(self, entry, nil, "the command was applied, and its result is not known here",
        "ERR_NO_RESULT", "applied")
    elseif entry.has_passed or entry.life ~= life then
      answer(self, entry, pending.AGAIN)
    end
  end
end

--- Nothing more is to be expected.
---@param message string
---@param code string
function methods:fail(message, code)
  for _, entry in ipairs(in_order(self.sent)) do
    answer(self, entry, nil, message, code, "unknown")
  end
  lose_applied(self, message, code, "unknown")
end

return pending
