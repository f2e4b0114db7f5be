--- A lease on leading: what the leader sends comes back to it through the total
--- order as long as its ring lives. It leads for so many seconds after it has
--- sent what came back last, and so ends by itself where its daemon hangs or is
--- cut off, before it could be told.

local scheduler = require("corolua.task.scheduler")

---@class corolua.election.Lease
---@field seconds number
local methods = {}
local lease_mt = { __index = methods }

local lease = {}

local BEATS = 4 -- in the time of one lease

--- A lease that has not begun.
---@param seconds number
---@param beat fun(now: number) sends what `confirm` is to be called for
---@param expire fun() it is over
---@return corolua.election.Lease
function lease.new(seconds, beat, expire)
  return setmetatable({ seconds = seconds, beat = beat, expire = expire }, lease_mt)
end

local tick

local function arm(self, seconds)
  self.timer = scheduler.after(seconds, function() tick(self) end)
end

function tick(self)
  local now = scheduler.now()
  local left = self.confirmed + self.seconds - now
  self.timer = nil
  if left <= 0 then
    self:stop()
    return self.expire()
  end
  if now >= self.due then
    self.due = now + self.seconds / BEATS
    self.beat(now)
  end
  if self.confirmed then arm(self, math.max(0, math.min(left, self.due - now))) end
end

--- Begins with a message that was sent then, and has come back.
---@param sent number as of `scheduler.now`
function methods:begin(sent)
  self:stop()
  self.confirmed, self.due = sent, sent
  tick(self)
end

--- A beat that was sent then has come back.
---@param sent number
function methods:confirm(sent)
  if self.confirmed and sent > self.confirmed then self.confirmed = sent end
end

--- Whether what was sent then is too old for a lease.
---@param sent number
---@return boolean
function methods:is_over(sent) return scheduler.now() >= sent + self.seconds end

---@return boolean
function methods:is_valid() return self.confirmed ~= nil and not self:is_over(self.confirmed) end

function methods:stop()
  if self.timer then self.timer:cancel() end
  self.timer, self.confirmed = nil, nil
end

return lease
