--- One life of a group's connection: from opening the handle to its end. A
--- handle is for one join, so a group that joins again gets a new life.

local blocking = require("corolua.blocking")
local cpg = require("corosync.cpg")
local fence = require("corolua.group.fence")
local held = require("corolua.group.held")
local loop = require("corolua.loop")
local quorum = require("corolua.quorum")
local scheduler = require("corolua.scheduler")

---@class corolua.group.Life
---@field me userdata the own member object
---@field fence corolua.group.Fence
---@field is_ready boolean the own join and the state of its ring have come out
---@field has_left boolean the own leave was read
---@field is_over boolean
local methods = {}
local life_mt = { __name = "corolua.group.life", __index = methods }

local life = {}

local OVERHEAD = held.OVERHEAD

-- The daemon refuses to join while the join before has not gone round, or while
-- its handle is not finalized, which may happen behind our back.
local RETRY = 0.005
local RETRY_EXIST = 1

-- The group was left while it looked for a daemon.
local GIVEN_UP = { "the group has been left", "ERR_NOT_EXIST" }

local function is_own_leave(self, left)
  for i = 1, #left do
    if left[i].member == self.me and left[i].reason == "leave" then return true end
  end
  return false
end

-- What is read goes on at once; nothing here may wait. Messages go into the
-- queue without a call, as held:message would put them.
local function callbacks(self)
  local room, gate = self.room, self.fence
  local queue, window = room.held, room.window
  local values, senders = queue.values, queue.senders
  return {
    deliver = function(_, _, payload, from)
      if from == self.me then window:confirm() end
      if not gate.is_open then return gate:message(payload, from) end
      local last = queue.last + 1
      queue.last, queue.bytes = last, queue.bytes + #payload + OVERHEAD
      values[last], senders[last] = payload, from
    end,
    confchg = function(_, _, members, left, joined)
      if is_own_leave(self, left) then self.has_left = true end
      gate:confchg(members, left, joined)
    end,
    totem_confchg = function(_, ring, nodes) gate:ring(ring, nodes) end,
  }
end

--- A life that is not connected.
---@param room table the group
---@param intake corolua.group.Out and more: see corolua.group.intake
---@return corolua.group.Life
function life.new(room, intake)
  return setmetatable({
    room = room, intake = intake, tracker = quorum.at(room.place),
    is_ready = false, has_left = false, is_over = false,
  }, life_mt)
end

-- The deadline of all that happens until the group has joined.
local function left_until(deadline) return math.max(0, deadline - scheduler.now()) end

local function is_worth_retrying(code, since)
  if code == "ERR_EXIST" then return scheduler.now() - since < RETRY_EXIST end
  return code == "ERR_TRY_AGAIN"
end

local function join(self, deadline)
  local room = self.room
  local since = scheduler.now()
  while true do
    local me, message, code = blocking.call(
      self.handle, "join", room.place.network, left_until(deadline), room.name)
    if me or not is_worth_retrying(code, since) then return me, message, code end
    if not scheduler.sleep(RETRY) then return nil, "stopping", "ERR_INTERRUPT" end
  end
end

local function connect(self, deadline)
  local ok, message, code = self.tracker:open(left_until(deadline))
  if not ok then return nil, message, code end
  local previous = self.room.newest_view
  self.fence = fence.new(self.intake, { free = self.tracker.free, previous = previous })
  self.handle = cpg.prepare(callbacks(self), { deliver_initial_totem_conf = true })
  local network = self.room.place.network
  ok, message, code = blocking.call(self.handle, "initialize", network, left_until(deadline))
  if not ok then return nil, message, code end
  if self.is_over then return nil, GIVEN_UP[1], GIVEN_UP[2] end
  self.me, message, code = join(self, deadline)
  if self.is_over then return nil, GIVEN_UP[1], GIVEN_UP[2] end
  return self.me, message, code
end

local function read(self)
  if self.is_over or not self.watch then return end
  local ok, more, code = self.handle:dispatch("all")
  if not ok then return self:lost(more, code) end
  if more and self.handle:pending() > 0 then loop.timer(0, function() read(self) end) end
  self.intake:has_read()
end

--- Reads what the daemon sends, from here on.
function methods:read_on()
  if self.watch or self.is_over then return end
  self.watch = assert(loop.fd(self.handle:fd_get(), "r", function() read(self) end))
  if self.handle:pending() > 0 then loop.timer(0, function() read(self) end) end
end

--- Leaves what the daemon sends where it is.
function methods:read_no_more()
  if self.watch then self.watch:cancel() end
  self.watch = nil
end

local function is_settled(self) return self.is_ready or self.is_over end

--- Connects and joins, and waits until the own join and the state of its ring
--- have come out of the fence.
---@param timeout number in seconds
---@return true? joined, string? message, string? code
function methods:start(timeout)
  local deadline = scheduler.now() + timeout
  local me, message, code = connect(self, deadline)
  if not me then
    self:finish()
    if self.handle then blocking.finalize(self.handle) end
    return nil, message, code
  end
  for _, state in ipairs(self.tracker.states) do self.fence:quorum(state) end
  self.tracker:follow(self)
  self:read_on()
  local _
  _, message, code = scheduler.wait(function() return is_settled(self) end, left_until(deadline))
  if self.is_ready and not self.is_over then return true end
  if self.is_over then message, code = self.message, self.code end
  self:finish()
  return nil, message, code
end

--- The shared quorum connection has read a state.
---@param state corolua.QuorumState
function methods:quorum(state)
  if self.is_over then return end
  self.fence:quorum(state)
  self.intake:has_read_quorum(state)
end

-- What waits to be sent again must not go to a handle that is closed, as it is to
-- us also while a thread works with it.
local function stop_sending(self)
  if self.room.life == self then self.room.window:stop() end
end

--- The connection is let go, without waiting for the daemon unless told to.
---@param timeout number? in seconds
function methods:finish(timeout)
  if self.is_over then return end
  self.is_over = true
  self.message = self.message or "the connection of the group has been closed"
  self.code = self.code or "ERR_NOT_EXIST"
  self:read_no_more()
  self.tracker:unfollow(self)
  stop_sending(self)
  if self.handle then blocking.finalize(self.handle, timeout) end
end

--- The daemon is gone: what was read comes out, and the group is told.
---@param message string
---@param code string
function methods:lost(message, code)
  if self.is_over then return end
  self.message, self.code = message, code
  if self.fence and self.me then self.fence:down() end
  self:finish()
  self.intake:has_lost(message, code)
end

--- Leaves the group, and waits until the own leave has been read. The
--- connection is over in any case.
---@param timeout number in seconds, for each of the two
---@return true? left, string? message, string? code
function methods:leave(timeout)
  self:read_no_more()
  stop_sending(self)
  local network = self.room.place.network
  local ok, message, code = blocking.call(self.handle, "leave", network, timeout)
  if not ok then
    self:lost(message, code)
    return nil, message, code
  end
  self:read_on()
  local _
  _, message, code = scheduler.wait(function() return self.has_left or self.is_over end, timeout)
  if self.is_over then return nil, self.message, self.code end
  if self.has_left then
    self:finish(timeout)
    return true
  end
  self:finish()
  return nil, message, code
end

return life
