--- Reliable FIFO: within a view no message of a sender is passed over. Most of it
--- is seen by Virtual Synchrony too; this sees it where nobody else went along.

local freedoms = require("corolua.check.freedoms")
local words = require("corolua.check.words")

local fifo = {}

-- A number that was passed over is missing where others had it in that ring, or
-- where nobody had it although later ones came in the same ring.
local function missing_in(history, hole, explained)
  local missing, ring = {}, hole.epoch.ring
  local known = explained[hole.epoch.life] or {}
  for place = hole.first, hole.last do
    local id = hole.sender.sends[place]
    local where = history.where[id]
    local is_lost = where == ring or where == nil and hole.is_within
    if is_lost and not known[id] and not history.in_parts[id] then missing[#missing + 1] = id end
  end
  return missing
end

local function report(history, found, hole, missing, class)
  local epoch = hole.epoch
  found:add("Reliable FIFO", ("in ring %s %s never delivered %s of %s, the first %s, and went on "
    .. "with %s"):format(epoch.ring, words.who(history, epoch.life.me),
      words.count(#missing, "message"), words.who(history, hole.sender.me),
      words.message(history, missing[1]), words.message(history, epoch[hole.at])),
    { epoch.refs[hole.at] }, missing, { class = class, ring = epoch.ring, count = #missing })
end

local function class_of(history, hole)
  if hole.is_within then return "violated" end
  return freedoms.is_unheard(history, hole.sender, hole.epoch) and "merge prefix" or "violated"
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param holes corolua.check.Hole[]
---@param explained table<corolua.check.Life, table<integer, true>> what Virtual Synchrony told
function fifo.judge(history, found, holes, explained)
  for _, hole in ipairs(holes) do
    local missing = hole.epoch.ring and missing_in(history, hole, explained) or {}
    if #missing > 0 then report(history, found, hole, missing, class_of(history, hole)) end
  end
end

return fifo
