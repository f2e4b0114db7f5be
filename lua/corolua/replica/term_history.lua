--- Where the terms of a log begin. Two logs that have a term in common are the
--- same up to the end of it in the shorter of both: so the terms alone tell how
--- far two logs agree.

local term_history = {}

---@class corolua.replica.Term
---@field first integer index of its first record
---@field seq integer of its ring
---@field round integer in that ring
---@field nonce integer

-- Older terms than these are forgotten: who needs them gets a snapshot.
term_history.KEPT = 256

--- A term begins.
---@param list corolua.replica.Term[]
---@param term corolua.replica.Term
function term_history.add(list, term)
  list[#list + 1] = term
  if #list > term_history.KEPT then table.remove(list, 1) end
end

local function is_same(a, b)
  return a.first == b.first and a.seq == b.seq and a.nonce == b.nonce
end

-- Index of the last record of the term at a place in the list.
local function end_of(list, place, last)
  local after = list[place + 1]
  return after and after.first - 1 or last
end

--- How far two logs agree: the index of the last record that they have in
--- common, or nil if they know of no term that both have.
---@param ours corolua.replica.Term[]
---@param our_last integer
---@param theirs corolua.replica.Term[]
---@param their_last integer
---@return integer?
function term_history.common(ours, our_last, theirs, their_last)
  local by_nonce = {}
  for place, term in ipairs(theirs) do by_nonce[term.nonce] = place end
  for place = #ours, 1, -1 do
    local found = by_nonce[ours[place].nonce]
    if found and is_same(ours[place], theirs[found]) then
      return math.min(end_of(ours, place, our_last), end_of(theirs, found, their_last))
    end
  end
  return nil
end

return term_history
