--- Epochs of several members in one ring, compared.

local epochs = {}

-- A member may leave and join again within a ring.
local function note_join(list, epoch)
  if epoch.index > 1 or not epoch.life.me then return end
  local same = list.same[epoch.life.me] or {}
  list.same[epoch.life.me], epoch.same = same, same
  same[#same + 1] = epoch
end

--- All epochs, by group and ring, in the order of the rings.
---@param history corolua.check.Past
---@param takes_unknown boolean? those of no known ring too, each by itself
---@return corolua.check.PastEpoch[][]
function epochs.by_ring(history, takes_unknown)
  local rings, order = {}, {}
  for _, life in ipairs(history.lives) do
    for _, epoch in ipairs(life.epochs) do
      local known = rings[life.ids] or {}
      rings[life.ids] = known
      local ring = epoch.ring or takes_unknown and epoch
      local list = ring and known[ring]
      if ring and not list then
        list = { place = #order, seq = epoch.seq, same = {} }
        known[ring] = list
        table.insert(order, list)
      end
      if list then
        table.insert(list, epoch)
        note_join(list, epoch)
      end
    end
  end
  table.sort(order, function(a, b)
    if a.seq ~= b.seq then return a.seq < b.seq end
    return a.place < b.place
  end)
  return order
end

local function place_in(list, value)
  for i, one in ipairs(list) do
    if one == value then return i end
  end
end

--- How many messages an epoch had at the join with which another one of its ring
--- began. Nil if it was not told of that, or the other one began otherwise. Who was
--- there from the beginning has seen all joins, and who came later the last ones.
---@param epoch corolua.check.PastEpoch
---@param other corolua.check.PastEpoch
---@return integer?
function epochs.join_of(epoch, other)
  local seen = other.index == 1 and epoch.joins[other.life.me]
  if not seen then return nil end
  local nth = place_in(other.same, other)
  return seen[epoch.index > 1 and nth or nth - (#other.same - #seen)]
end

--- Where each message stands in an epoch: the first time, if it is there twice.
---@param epoch corolua.check.PastEpoch
---@return table<integer, integer>
function epochs.places(epoch)
  if not epoch.places then
    local places = {}
    for i = epoch.count, 1, -1 do places[epoch[i]] = i end
    epoch.places = places
  end
  return epoch.places
end

-- Where in an epoch begins what another member can have: behind its join, if that
-- was in this ring. Nil if the join is not there.
local function start_for(epoch, other)
  if other.index > 1 then return 1 end
  if other.life == epoch.life then return 1 end
  local at = epochs.join_of(epoch, other)
  if at then return at + 1 end
  -- It was there first: then this one joined later.
  return epochs.join_of(other, epoch) and 1 or nil
end

--- From where on two epochs of one ring can be compared.
---@param a corolua.check.PastEpoch
---@param b corolua.check.PastEpoch
---@return integer? from_a nil if that is not known
---@return integer? from_b
function epochs.starts(a, b)
  local from_a, from_b = start_for(a, b), start_for(b, a)
  if not from_a or not from_b then return nil end
  return from_a, from_b
end

--- Whether both have the same, in the same order.
---@param a corolua.check.PastEpoch
---@param b corolua.check.PastEpoch
---@param from_a integer
---@param from_b integer
---@return boolean
function epochs.is_equal(a, b, from_a, from_b)
  local shift = from_b - from_a
  if a.count + shift ~= b.count then return false end
  for i = from_a, a.count do
    if a[i] ~= b[i + shift] then return false end
  end
  return true
end

--- Where one has all that the other one has, one after the other: how many
--- messages it has before.
---@param all corolua.check.PastEpoch
---@param part corolua.check.PastEpoch
---@return integer?
function epochs.shift(all, part)
  if part.count == 0 then return 0 end
  local at = 1
  if all[1] ~= part[1] then at = epochs.places(all)[part[1]] end
  if not at or at - 1 + part.count > all.count then return nil end
  for i = 1, part.count do
    if all[at - 1 + i] ~= part[i] then return nil end
  end
  return at - 1
end

return epochs
