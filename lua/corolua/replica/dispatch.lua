--- What a member makes of the messages of its group: one function for each phase
--- that it may be in and each kind of message.

local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local state_transfer = require("corolua.replica.state_transfer")
local wire = require("corolua.replica.wire")

local dispatch = {}

local function ignore() end

-- A command of this term, at its place in the order.
local function append(self, payload, from)
  local _, origin, number = wire.read_command(payload)
  local done, message, code = self.machine:append(log_entry.command(self.seq, origin, number,
    from.nodeid, from.pid, wire.command_bytes(payload)))
  if not done then self:fail(message, code) end
  return done
end

local function is_own(self, from, origin) return origin == self.origin and from == self.room.me end

-- Of a sender that was not heard before, earlier commands may have been lost here.
local function apply(self, from, payload)
  local of, origin, number = wire.read_command(payload)
  if of ~= self.nonce then
    if is_own(self, from, origin) then self.pending:miss(number, self.seq) end
    return
  end
  if not self.recovery.heard[from] then return self:meet_again(self.recovery.round + 1) end
  if not append(self, payload, from) then return end
  self.commit:prove_soon()
  self.marks:has_applied()
end

-- A command that is not applied here.
local function pass(self, from, payload)
  local _, origin, number = wire.read_command(payload)
  if is_own(self, from, origin) then self.pending:pass(number, self.seq, self.is_quorate) end
end

local function keep(self, from, payload)
  self.fetching:keep(payload, from)
  pass(self, from, payload)
end

-- Before the first message of a member in this ring a gap is what a merge makes;
-- behind it this member cannot know what it missed.
local function fall_behind(self, from)
  if self.recovery.heard[from] then self:meet_again(self.recovery.round + 1) end
end

-- Work that may take longer than a handler has: a task of its own does it.
local function at_length(fn, ...) return scheduler.spawn(fn, ...):wait() end

-- All has come that was asked for; now what came behind the request.
local function finish_fetching(self, fetched)
  if fetched:is_over() then return end
  local term, status = self.machine:term(), self.recovery.statuses[fetched.host]
  if term.seq ~= self.seq or not status or term.nonce ~= status.nonce then
    return self:meet_again(self.recovery.round + 1)
  end
  self.commit:prove_all() -- the sender would not have got to send it otherwise
  if fetched.is_overrun then return self:fetch(fetched.host) end
  for _, entry in ipairs(fetched.queue) do
    local payload, from, was_heard = entry[1], entry[2], entry[3]
    if wire.read_command(payload) == term.nonce then
      if not was_heard then return self:meet_again(self.recovery.round + 1) end
      if not append(self, payload, from) then return end
    end
  end
  self:become_synced()
end

local function is_for_me(self, fields)
  local me = self.room.me
  return fields.nodeid == me.nodeid and fields.pid == me.pid
end

-- What came is looked at again: the wait may have been for a log that is wanted
-- no more, and for a member that is over.
local function take_piece(self, from, piece)
  local fetching = self.fetching
  if not is_for_me(self, piece) or not fetching:is_next(from, piece) then return end
  if piece.is_broken then return self:stop_fetching() end
  local done, message, code = at_length(fetching.take, fetching, piece)
  if self.phase == "over" or code == "ERR_INTERRUPT" then return end
  if done == nil then return self:fail(message, code) end
  if fetching:is_over() then return end
  if not done then
    self:stop_fetching()
    return message
  end
  if piece.is_last then at_length(finish_fetching, self, fetching) end
end

local function begin_fetching(self, from, want)
  if from == self.room.me and self.fetching.id == want.id then self.fetching:begin() end
end

local function serve(self, from, want)
  if not is_for_me(self, want) then return end
  local visit = self.visit
  self:stop_transfer(from)
  local running = at_length(state_transfer.send, self, from, want)
  if not running then return end
  if self.visit ~= visit then return running:stop() end
  if not running.is_over then self:transfer_begun(running) end
end

local TOO_MANY = "it has got more pieces than were sent"

local function take_got(self, from, got)
  local running = self.transfers[from]
  if not running or not is_for_me(self, got) or running.id ~= got.id then return end
  if not running:take_got(got.count) then return TOO_MANY end
end

local function take_mark(self, from, mark)
  if mark.nonce == self.nonce then at_length(self.marks.take_mark, self.marks, from) end
end

-- What a part of the member makes of a message.
local function by(part, method)
  return function(self, from, fields)
    local object = self[part]
    return (object[method](object, from, fields))
  end
end

-- What is told in a ring is known in each later phase of it.
local NOTES = {
  status = by("recovery", "note"), decision = by("recovery", "close"), want = ignore,
  piece = ignore, got = ignore, ack = ignore, mark = ignore, digest = ignore, command = pass,
  gap = ignore, inquorate = pass,
}

local NOTHING = {
  status = ignore, decision = ignore, want = ignore, piece = ignore, got = ignore,
  ack = ignore, mark = ignore, digest = ignore, command = ignore, gap = ignore,
  inquorate = ignore,
}

--- What is done in a phase with a message: of a kind of `wire.kinds`, a `gap` in
--- those of a member, or a command that has come `inquorate`.
---@alias corolua.replica.Taker
---| fun(self: corolua.replica.Member, from: corosync.Member, fields: any): string?
---@type table<string, table<string, corolua.replica.Taker>>
dispatch.phases = {
  joining = NOTHING,
  inquorate = NOTES,
  entering = NOTES,
  meeting = {
    status = by("recovery", "hear_meeting"), decision = by("recovery", "decide_meeting"),
    want = ignore, piece = ignore, got = ignore, ack = ignore, mark = ignore,
    digest = ignore, command = pass, gap = ignore, inquorate = pass,
  },
  fetching = {
    status = by("recovery", "note"), decision = by("recovery", "decide_meeting"),
    want = begin_fetching, piece = take_piece, got = ignore, ack = ignore, mark = ignore,
    digest = ignore, command = keep, gap = fall_behind, inquorate = pass,
  },
  synced = {
    status = by("recovery", "hear_synced"), decision = by("recovery", "decide_synced"),
    want = serve, piece = ignore, got = take_got, ack = by("commit", "take_ack"),
    mark = take_mark, digest = by("marks", "take_digest"), command = apply, gap = fall_behind,
    inquorate = pass,
  },
  down = NOTHING,
  over = NOTHING,
}

local phases = dispatch.phases

--- A message of the group.
---@param self corolua.replica.Member
---@param payload string
---@param from corosync.Member
---@return string? why it cannot be right
function dispatch.message(self, payload, from)
  self:follow()
  if self.phase == "over" then return end
  if self.machine.is_applying then
    return self:fail(("apply has raised an error at record %d"):format(self.machine.last),
      "ERR_FAILED_OPERATION")
  end
  local kind, fields = wire.read(payload, from)
  if not kind then return fields end
  if kind == "command" then return phases[self.phase].command(self, from, payload) end
  if fields.seq == self.seq then return phases[self.phase][kind](self, from, fields) end
end

--- A message that came without quorum: nobody applies it.
---@param self corolua.replica.Member
---@param payload string
---@param from corosync.Member
---@return string? why it cannot be right
function dispatch.inquorate(self, payload, from)
  self:follow()
  local kind, why = wire.read(payload, from)
  if not kind then return why end
  if kind == "command" then return phases[self.phase].inquorate(self, from, payload) end
end

--- Messages of a member did not come here.
---@param self corolua.replica.Member
---@param from corosync.Member
function dispatch.gap(self, from)
  self:follow()
  return phases[self.phase].gap(self, from)
end

return dispatch
