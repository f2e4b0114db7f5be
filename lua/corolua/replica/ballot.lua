--- The number of the round that a member takes part in: the first one in a ring
--- is 1, and each later one of the same ring is higher. It is on the disk before
--- the member says anything in it, so that no later life of this member takes
--- part in the same round again.

local wire = require("corolua.replica.wire")

local ballot = {}

---@class corolua.replica.Ballot
---@field seq integer of the ring
---@field round integer
---@field lost string? why what was saved cannot be read
---@field barred integer? seq of the ring in which this member decides nothing
local methods = {}
local ballot_mt = { __index = methods }

local NO_MORE = "there is no round above the highest"

--- Rounds that are kept by a function, or in memory only without one.
---@param saved { seq: integer, round: integer }?
---@param save (fun(saved: table): boolean?, string?, string?)?
---@param lost string? why what was saved cannot be read
---@return corolua.replica.Ballot
function ballot.new(saved, save, lost)
  saved = saved or { seq = 0, round = 0 }
  return setmetatable({ seq = saved.seq, round = saved.round, save = save, lost = lost }, ballot_mt)
end

-- Where the last life of this member got to is not known. That was in no ring
-- after the first one it meets now, and what was saved stays until that is over.
local function is_to_save(self, seq)
  if not self.save then return false end
  if self.lost then
    self.barred = self.barred or seq
    if seq == self.barred then return false end
    self.lost = nil
  end
  return true
end

--- Enters the next round of a ring. Waits until that is on the disk.
---@param seq integer
---@param least integer? of the round
---@return integer? round, string? message, string? code
function methods:enter(seq, least)
  local before = self.seq == seq and self.round or 0
  local round = math.max(before + 1, least or 1)
  if round > wire.MAX then return nil, NO_MORE, "ERR_OVERLOAD" end
  self.seq, self.round = seq, round
  if not is_to_save(self, seq) then return round end
  local done, message, code = self.save({ seq = seq, round = round })
  if not done then return nil, message, code end
  return round
end

--- Whether this member may take part in a decision: not in a ring in which it may
--- have done so before it lost count.
---@param seq integer of the ring
---@return boolean
function methods:may_decide(seq) return self.barred ~= seq end

return ballot
