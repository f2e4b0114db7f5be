--- What a member makes of the messages of its group.

local recovery = require("corolua.replica.recovery")
local log_entry = require("corolua.replica.log_entry")
local scheduler = require("corolua.task.scheduler")
local state_transfer = require("corolua.replica.state_transfer")
local wire = require("corolua.replica.wire")

local dispatch = {}

local function can_compact(self) return not self.is_compacting and not next(self.transfers) end

-- A snapshot is due: a mark has all of those who are about to make one make it of
-- the same record.
local function compact_soon(self)
  if can_compact(self) and self.machine:is_long(self.snapshot_after) then
    self.digests:mark_soon()
  end
end

-- Puts a snapshot that was made just now in the place of the records before it.
local function compact(self, snapshot, meta)
  local visit = self.visit
  local function wait_proven(index)
    scheduler.wait(function() return self.visit ~= visit or self.proven >= index end)
    return self.visit == visit
  end
  self.is_compacting = true
  scheduler.spawn(function()
    self.machine:compact(wait_proven, snapshot, meta)
    self.is_compacting = false
  end)
end

-- Who is half of the way to a snapshot makes it now.
local function take_mark(self, from)
  local snapshot, meta
  if can_compact(self) and self.machine:is_long(self.snapshot_after, 2) then
    snapshot, meta = self.machine:take_snapshot()
    compact(self, snapshot, meta)
  end
  self.digests:make(from == self.room.me, snapshot)
end

-- A command of this term, at its place in the order.
local function apply(self, payload, from)
  local _, origin, number = wire.read_command(payload)
  local done, message, code = self.machine:append(log_entry.command(self.seq, origin, number,
    from.nodeid, from.pid, wire.command_bytes(payload)))
  if not done then self:fail(message, code) end
  return done
end

local function on_command(self, from, payload)
  local of, origin, number = wire.read_command(payload)
  local is_own = origin == self.origin and from == self.room.me
  if self.phase == "synced" then
    if of ~= self.nonce then
      if is_own then self.submits:miss(number, self.seq) end
      return
    end
    if not self.heard[from] then return self:meet_again(self.round + 1) end
    if not apply(self, payload, from) then return end
    self:prove_soon()
    self.digests:has_applied()
    return compact_soon(self)
  end
  if self.phase == "fetching" then self.catch_up:keep(payload, from) end
  if is_own then self.submits:pass(number, self.seq, self.is_quorate) end
end

-- Work that may take longer than a handler has: a task of its own does it.
local function at_length(fn, ...) return scheduler.spawn(fn, ...):wait() end

-- All has come that was asked for; now what came behind the request. Of a sender
-- that was not heard before, earlier commands may have been lost here.
local function finish_catch_up(self, fetched)
  if fetched:is_over() then return end
  local term, status = self.machine:term(), self.statuses[fetched.host]
  if term.seq ~= self.seq or not status or term.nonce ~= status.nonce then
    return self:meet_again(self.round + 1)
  end
  self.proven = self.machine.last -- the sender would not have got to send it otherwise
  if fetched.is_overrun then return self:want(fetched.host) end
  for _, entry in ipairs(fetched.queue) do
    if wire.read_command(entry[1]) == term.nonce then
      if not entry[3] then return self:meet_again(self.round + 1) end
      if not apply(self, entry[1], entry[2]) then return end
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
local function on_piece(self, from, piece)
  local fetching = self.catch_up
  if not fetching or not is_for_me(self, piece) or not fetching:is_next(from, piece) then return end
  if piece.is_broken then return self:stop_fetching() end
  local done, message, code = at_length(fetching.piece, fetching, piece)
  if self.phase == "over" or code == "ERR_INTERRUPT" then return end
  if done == nil then return self:fail(message, code) end
  if fetching:is_over() then return end
  if not done then
    self:stop_fetching()
    return message
  end
  if piece.is_last then at_length(finish_catch_up, self, fetching) end
end

local function on_want(self, from, want)
  if from == self.room.me and self.catch_up and self.catch_up.id == want.id then
    self.catch_up:begin()
  end
  if not is_for_me(self, want) or self.phase ~= "synced" then return end
  local running, visit = self.transfers[from], self.visit
  if running then running:stop() end
  running = at_length(state_transfer.start, self, from, want)
  if not running then return end
  if self.visit ~= visit then return running:stop() end
  if not running.is_over then self.transfers[from] = running end
end

local TOO_MANY = "it has got more pieces than were sent"

local function on_got(self, from, got)
  local running = self.transfers[from]
  if not running or not is_for_me(self, got) or running.id ~= got.id then return end
  if not running:take_got(got.count) then return TOO_MANY end
end

local function on_ack(self, from, ack)
  if from == self.room.me and ack.nonce == self.nonce then self:prove(ack.last) end
  return self:take_ack(from, ack)
end

local function on_mark(self, from, mark)
  if self.phase == "synced" and mark.nonce == self.nonce then at_length(take_mark, self, from) end
end

local handlers = {
  status = recovery.status, decision = recovery.decision,
  want = on_want, piece = on_piece, got = on_got, ack = on_ack,
  mark = on_mark,
  digest = function(self, from, digest) return self.digests:take(from, digest) end,
}

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
  if kind == "command" then return on_command(self, from, payload) end
  if fields.seq == self.seq then return handlers[kind](self, from, fields) end
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
  if kind ~= "command" or from ~= self.room.me then return end
  local _, origin, number = wire.read_command(payload)
  if origin == self.origin then self.submits:pass(number, self.seq, false) end
end

--- Messages of a member did not come here. Before its first one in this ring
--- that is what a merge does; behind it this member cannot know what it missed.
---@param self corolua.replica.Member
---@param from corosync.Member
function dispatch.gap(self, from)
  self:follow()
  if not self.heard[from] then return end
  if self.phase == "synced" or self.phase == "fetching" then self:meet_again(self.round + 1) end
end

return dispatch
