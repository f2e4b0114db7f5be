--- The number of the round that a member takes part in: the first one in a ring
--- is 1, and each later one of the same ring is higher. It is on the disk before
--- the member says anything in it, so that no later life of this member takes
--- part in the same round again.

local rounds = {}

---@class corolua.replica.Rounds
---@field seq integer of the ring
---@field round integer
local methods = {}
local rounds_mt = { __index = methods }

--- Rounds that are kept by a function, or in memory only without one.
---@param saved { seq: integer, round: integer }?
---@param save (fun(saved: table): boolean?, string?, string?)?
---@return corolua.replica.Rounds
function rounds.new(saved, save)
  saved = saved or { seq = 0, round = 0 }
  return setmetatable({ seq = saved.seq, round = saved.round, save = save }, rounds_mt)
end

--- Enters the next round of a ring. Waits until that is on the disk.
---@param seq integer
---@param least integer? of the round
---@return integer? round, string? message, string? code
function methods:enter(seq, least)
  local before = self.seq == seq and self.round or 0
  local round = math.max(before + 1, least or 1)
  self.seq, self.round = seq, round
  if not self.save then return round end
  local done, message, code = self.save({ seq = seq, round = round })
  if not done then return nil, message, code end
  return round
end

return rounds
