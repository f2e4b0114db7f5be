--- Terms: one number for the ring and the place of a claim in it. The upper part
--- is the seq of the ring, which corosync keeps in its state folder and only
--- raises; the lower one counts ticks of the wall clock, so that it rises too
--- where the last member of a group has left and another one begins it anew
--- within the same ring, with nobody there to ask.

local scheduler = require("corolua.task.scheduler")

local term = {}

local COUNTER_BITS = 38
local COUNTER_MAX = (1 << COUNTER_BITS) - 1
local SEQ_MAX = (1 << 63 - COUNTER_BITS) - 1

-- Ticks are 1/256 s since 2025: no leaders follow one another faster in the long
-- run, and 38 bits are 34 years of them.
local TICKS, EPOCH = 256, 1735689600

-- A clock that is behind by more than this is not waited for.
local WAIT_MAX = 16

---@return integer
function term.ticks()
  local ticks = math.floor((scheduler.clock() - EPOCH) * TICKS)
  return math.max(0, math.min(ticks, COUNTER_MAX))
end

--- The next counter of a ring after one, or nil if the clock has first to reach
--- it: soon, or never where counters have come to their end.
---@param counter integer the highest one known
---@param soonest integer ticks at which the ring was joined
---@return integer?
function term.next(counter, soonest)
  local ticks = term.ticks()
  local last = math.max(counter, soonest)
  if ticks > last then return ticks end
  if last - ticks < WAIT_MAX or last >= COUNTER_MAX then return nil end
  return last + 1
end

--- Whether rings of this seq can have terms.
---@param seq integer
---@return boolean
function term.has_room(seq) return seq >= 0 and seq <= SEQ_MAX end

--- Whether a counter may stand in a message.
---@param counter integer
---@return boolean
function term.is_counter(counter) return counter >= 0 and counter <= COUNTER_MAX end

---@param seq integer
---@param counter integer
---@return integer
function term.of(seq, counter) return seq << COUNTER_BITS | counter end

return term
