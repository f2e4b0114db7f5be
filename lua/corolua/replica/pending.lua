--- The commands that this replica has sent and that are not answered yet: first
--- those whose place in the order is not known, then those that are applied and
--- wait to be as durable as was asked.

---@class corolua.replica.Entry
---@field number integer
---@field seq integer of the ring it was sent in
---@field life integer of the connection it was sent by
---@field has_passed boolean? it came back where this member could not apply it
---@field index integer? of its record
---@field results table? what its submit returns
---@field resume function?

---@class corolua.replica.Submits
local methods = {}
local submits_mt = { __index = methods }

local submits = {}

--- What an answer of a submit is where the command is surely in no log.
submits.AGAIN = {}

local NOT_APPLIED = "not quorate: the command was not applied"
local MAYBE_APPLIED = "not quorate: the others may have applied the command or not"
local NO_QUORUM = "ERR_NOT_QUORATE"

---@return corolua.replica.Submits
function submits.new()
  return setmetatable({ number = 0, sent = {}, applied = {}, first = 1, last = 0 }, submits_mt)
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

local function answer(self, entry, ...)
  self.sent[entry.number] = nil
  entry.results = table.pack(...)
  if entry.resume then entry.resume(true) end
end

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
  self.sent[number] = nil
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

-- Answers the applied ones for which `is_lost` holds.
local function lose(self, is_lost, ...)
  local kept, count = {}, 0
  for i = self.first, self.last do
    local entry = self.applied[i]
    if not is_lost(entry) then
      count = count + 1
      kept[count] = entry
    elseif not entry.results then
      answer(self, entry, nil, ...)
    end
  end
  self.applied, self.first, self.last = kept, 1, count
end

local DROPPED = "the command has been dropped: the quorate side of the cluster does not have it"

--- The records after an index are taken back: others may have them or not.
---@param index integer
function methods:take_back(index)
  while self.first <= self.last and self.applied[self.last].index > index do
    local entry = self.applied[self.last]
    self.applied[self.last] = nil
    self.last = self.last - 1
    entry.index, entry.result, entry.has_passed = nil, nil, true
    if not entry.results then self.sent[entry.number] = entry end
  end
end

--- The records after an index are dropped.
---@param index integer
function methods:cut(index)
  lose(self, function(entry) return entry.index > index end, DROPPED, NO_QUORUM, "never")
end

--- Another log has come in the place of this one; it has the commands of this
--- replica up to a number.
---@param number integer
function methods:replaced(number)
  lose(self, function(entry) return entry.number > number end, DROPPED, NO_QUORUM, "never")
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
  if is_quorate then return answer(self, entry, submits.AGAIN) end
  answer(self, entry, nil, NOT_APPLIED, NO_QUORUM, "never")
end

--- A command came back with the mark of a term that is over: nobody applies it.
---@param number integer
function methods:miss(number)
  local entry = self.sent[number]
  if entry then answer(self, entry, submits.AGAIN) end
end

local function always() return true end

--- There is no quorum any more. What was sent in a ring before, by a connection
--- that is still there, and has not come back is applied by nobody; of all else
--- this member cannot know.
---@param seq integer of the ring without quorum
---@param life integer
function methods:lose_quorum(seq, life)
  for _, entry in pairs(self.sent) do
    if entry.seq ~= seq and entry.life == life and not entry.has_passed then
      answer(self, entry, nil, NOT_APPLIED, NO_QUORUM, "never")
    else
      answer(self, entry, nil, MAYBE_APPLIED, NO_QUORUM, "unknown")
    end
  end
  lose(self, always, MAYBE_APPLIED, NO_QUORUM, "unknown")
end

--- This member has what all have, up to now: what is not in it and does not come
--- any more was applied by nobody.
---@param number integer the last command of this replica in the log
---@param life integer
function methods:settle(number, life)
  for _, entry in pairs(self.sent) do
    if entry.number <= number then
      answer(self, entry, nil, "the command was applied, and its result is not known here",
        "ERR_NO_RESULT", "applied")
    elseif entry.has_passed or entry.life ~= life then
      answer(self, entry, submits.AGAIN)
    end
  end
end

--- Nothing more is to be expected.
---@param message string
---@param code string
function methods:fail(message, code)
  for _, entry in pairs(self.sent) do answer(self, entry, nil, message, code, "unknown") end
  lose(self, always, message, code, "unknown")
end

return submits
