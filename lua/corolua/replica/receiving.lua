--- What a member makes of the messages of its group.

local meeting = require("corolua.replica.meeting")
local record = require("corolua.replica.record")
local scheduler = require("corolua.scheduler")
local transfer = require("corolua.replica.transfer")
local wire = require("corolua.replica.wire")

local receiving = {}

local function compact(self)
  if self.is_compacting or next(self.transfers) then return end
  if not self.machine:is_long(self.snapshot_after) then return end
  self.is_compacting = true
  scheduler.spawn(function()
    local visit = self.visit
    local function wait_proven(index)
      scheduler.wait(function() return self.visit ~= visit or self.proven >= index end)
      return self.visit == visit
    end
    if self.phase == "synced" then self.machine:compact(wait_proven) end
    self.is_compacting = false
  end)
end

-- A command of this term, at its place in the order.
local function apply(self, payload, from)
  local _, origin, number = wire.read_command(payload)
  local done, message, code = self.machine:append(record.command(self.seq, origin, number,
    from.nodeid, from.pid, payload:sub(wire.COMMAND_HEAD + 1)))
  if not done then self:fail(message, code) end
  return done
end

local function on_command(self, payload, from)
  local of, origin, number = wire.read_command(payload)
  if of == nil then return end
  local is_own = origin == self.origin
  if self.phase == "synced" then
    if not self.heard[from] then return self:meet_again(self.round + 1) end
    if of ~= self.nonce then return is_own and self.submits:miss(number) end
    if not apply(self, payload, from) then return end
    self:prove_soon()
    compact(self)
  elseif self.phase == "fetching" and self.catch_up:keep(payload, from) then
    return
  elseif is_own then
    self.submits:pass(number, self.seq, self.is_quorate)
  end
end

-- Work that may take longer than a handler has: a task of its own does it.
local function at_length(fn, ...) return scheduler.spawn(fn, ...):wait() end

-- All has come that was asked for; now what came behind the request.
local function finish_catch_up(self)
  local fetched = self.catch_up
  local term = self.machine:term()
  if term.seq ~= self.seq then return self:meet_again(self.round + 1) end
  self.proven = self.machine.last -- the sender would not have got to send it otherwise
  if fetched.is_overrun then return self:want(fetched.host) end
  for _, entry in ipairs(fetched.queue) do
    local of, origin, number = wire.read_command(entry[1])
    if of == term.nonce then
      if not apply(self, entry[1], entry[2]) then return end
    elseif origin == self.origin then
      self.submits:miss(number)
    end
  end
  self:become_synced()
end

local function is_for_me(self, fields)
  local me = self.room.me
  return fields.nodeid == me.nodeid and fields.pid == me.pid
end

local function on_piece(self, from, piece)
  local fetching = self.catch_up
  if not fetching or not is_for_me(self, piece) then return end
  if piece.is_broken and piece.id == fetching.id and from == fetching.host then
    return self:stop_fetching()
  end
  local done, is_last, code = at_length(fetching.piece, fetching, from, piece)
  if done == nil then return self:fail(is_last, code) end
  if done == false and is_last then return self:stop_fetching() end
  if done and is_last and self.catch_up == fetching then at_length(finish_catch_up, self) end
end

local function on_want(self, from, want)
  if from == self.room.me and self.catch_up and self.catch_up.id == want.id then
    self.catch_up:begin()
  end
  if not is_for_me(self, want) or self.phase ~= "synced" then return end
  local running = self.transfers[from]
  if running then running:stop() end
  running = at_length(transfer.start, self, from, want)
  if not running.is_over then self.transfers[from] = running end
end

local function on_got(self, from, got)
  local running = self.transfers[from]
  if running and is_for_me(self, got) and running.id == got.id then running:take_got(got.count) end
end

local handlers = {
  status = meeting.status,
  decision = function(self, _, decision) meeting.decision(self, decision) end,
  want = on_want, piece = on_piece, got = on_got,
  ack = function(self, from, ack)
    if from == self.room.me and ack.nonce == self.nonce then self:prove(ack.last) end
    self:take_ack(from, ack.nonce, ack.written)
  end,
}

--- A message of the group.
---@param self corolua.replica.Member
---@param payload string
---@param from userdata
function receiving.message(self, payload, from)
  self:follow()
  if self.phase == "over" then return end
  if self.machine.is_applying then
    return self:fail(("apply has raised an error at record %d"):format(self.machine.last),
      "ERR_FAILED_OPERATION")
  end
  if payload:sub(1, 1) == "c" then return on_command(self, payload, from) end
  local kind, fields = wire.read(payload)
  if kind and fields.seq == self.seq then handlers[kind](self, from, fields) end
end

--- A message that came without quorum: nobody applies it.
---@param self corolua.replica.Member
---@param payload string
function receiving.inquorate(self, payload)
  self:follow()
  if payload:sub(1, 1) ~= "c" then return end
  local of, origin, number = wire.read_command(payload)
  if of and origin == self.origin then self.submits:pass(number, self.seq, false) end
end

--- Messages of a member did not come here. Before its first one in this ring
--- that is what a merge does; behind it this member cannot know what it missed.
---@param self corolua.replica.Member
---@param from userdata
function receiving.gap(self, from)
  self:follow()
  if not self.heard[from] then return end
  if self.phase == "synced" or self.phase == "fetching" then self:meet_again(self.round + 1) end
end

return receiving
