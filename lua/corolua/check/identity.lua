--- Tells messages of equal bytes apart. A member that sends the same twice has
--- sent two messages, of which a trace says nothing but their hash. All that a
--- ring knows of them is their order: so they are matched ring by ring, and the
--- i-th of them there is the i-th for every member. Those of a member that lacks
--- some are found where its order fits that of the others best.

local align = require("corolua.check.align")

local identity = {}

-- Of whose messages not even the number of sends is known.
local function is_traced(history)
  local traced = {}
  for _, life in ipairs(history.lives) do
    if life.me then
      traced[life.ids] = traced[life.ids] or {}
      traced[life.ids][life.me] = true
    end
  end
  return traced
end

local function find_equal(history)
  local equal, count = {}, 0
  local traced = is_traced(history)
  for _, ids in pairs(history.groups) do
    for from, known in pairs(ids) do
      local is_known = traced[ids] and traced[ids][from]
      for _, id in pairs(known) do
        if not is_known or history.times[id] > 1 then
          equal[id], count = {}, count + 1
        end
      end
    end
  end
  return equal, count
end

local function has_any(epoch, equal)
  for i = 1, epoch.count do
    if equal[epoch[i]] then return true end
  end
  return false
end

-- Behind the join of a member in the order of one that was there.
local function start_of(epoch, reference)
  local place = epoch.index == 1 and reference.life ~= epoch.life
    and reference.joins[epoch.life.me]
  return place and place + 1 or 1
end

local function is_prefix(a, b)
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- The order of all: what a member alone has is put where it has it.
local function insert_missing(order, epoch, found)
  local merged, at = {}, 1
  for i = 1, epoch.count do
    local place = found[i]
    if place then
      while at <= place do
        merged[#merged + 1] = order[at]
        at = at + 1
      end
    else
      merged[#merged + 1] = epoch[i]
    end
  end
  table.move(order, at, #order, #merged + 1, merged)
  return merged
end

local function union_of(epochs, reference)
  local order = table.move(reference, 1, reference.count, 1, {})
  for _, epoch in ipairs(epochs) do
    local found = align.pairs(epoch, order, 1, not is_prefix(epoch, order))
    local is_whole = true
    for i = 1, epoch.count do is_whole = is_whole and found[i] ~= nil end
    if not is_whole then order = insert_missing(order, epoch, found) end
  end
  return order
end

local function longest_of(epochs)
  local longest = epochs[1]
  for _, epoch in ipairs(epochs) do
    if epoch.count > longest.count then longest = epoch end
  end
  return longest
end

-- The place in the order of all, of each message of one member.
local function places_in(order, epoch, reference)
  local start = start_of(epoch, reference)
  if start == 1 and is_prefix(epoch, order) then return nil end
  return align.pairs(epoch, order, start, true)
end

local function name_ring(history, equal, epochs)
  local reference = longest_of(epochs)
  local order, named = union_of(epochs, reference), {}
  local found = {}
  for i, epoch in ipairs(epochs) do found[i] = places_in(order, epoch, reference) or false end
  for place, key in ipairs(order) do
    if equal[key] then
      named[place] = history:split(key)
      table.insert(equal[key], named[place])
    end
  end
  for i, epoch in ipairs(epochs) do
    for j = 1, epoch.count do
      local key = epoch[j]
      if equal[key] then
        local place = j
        if found[i] then place = found[i][j] end
        epoch[j] = place and named[place] or history:split(key)
      end
    end
  end
end

--- A message is this send of a life.
---@param history corolua.check.Past
---@param id integer
---@param life corolua.check.Life
---@param place integer
function identity.assign(history, id, life, place)
  life.sends[place] = id
  history.sender[id], history.place[id] = life, place
  history.number[id] = life.numbers[place]
end

-- What a member sent, it reads in the order in which it was sent.
local function number_own(history, key_of, life)
  local at, sends = 1, life.sends
  for _, epoch in ipairs(life.epochs) do
    for i = 1, epoch.count do
      local id = epoch[i]
      local key = history.from[id] == life.me and key_of[id]
      if key then
        local place = at
        while sends[place] and sends[place] ~= key do place = place + 1 end
        if sends[place] then
          identity.assign(history, id, life, place)
          at = place + 1
        end
      elseif history.sender[id] == life then
        at = history.place[id] + 1
      end
    end
  end
end

-- Those that their sender did not read back: the others have read them, in the
-- order in which they were sent, or nobody has.
local function number_rest(history, equal)
  local waiting = {}
  for _, life in ipairs(history.lives) do
    for place, id in ipairs(life.sends) do
      if equal[id] then
        waiting[id] = waiting[id] or { first = 1 }
        table.insert(waiting[id], { life, place })
      end
    end
  end
  for key, ids in pairs(equal) do
    local queue = waiting[key] or { first = 1 }
    for _, id in ipairs(ids) do
      local next_one = not history.sender[id] and queue[queue.first]
      if next_one then
        identity.assign(history, id, next_one[1], next_one[2])
        queue.first = queue.first + 1
      elseif not history.sender[id] then
        history.excess[id] = history.times[key] > 0 or nil
      end
    end
    for i = queue.first, #queue do
      identity.assign(history, history:split(key), queue[i][1], queue[i][2])
    end
  end
end

local function by_ring(history)
  local rings, order = {}, {}
  for _, life in ipairs(history.lives) do
    for _, epoch in ipairs(life.epochs) do
      local ids = life.ids
      rings[ids] = rings[ids] or {}
      local ring = epoch.ring or epoch -- nobody else can be told to be in an unknown one
      local list = rings[ids][ring]
      if not list then
        list = { seq = epoch.seq, index = #order }
        rings[ids][ring] = list
        table.insert(order, list)
      end
      table.insert(list, epoch)
    end
  end
  table.sort(order, function(a, b)
    if a.seq ~= b.seq then return a.seq < b.seq end
    return a.index < b.index
  end)
  return order
end

--- Gives each message a number of its own, and what was sent its sender. A
--- message that was read more often than it was sent is in `excess`.
---@param history corolua.check.Past
---@return integer how many messages have bytes that another one of their sender has
function identity.resolve(history)
  local equal, count = find_equal(history)
  if count == 0 then return 0 end
  for _, epochs in ipairs(by_ring(history)) do
    local is_concerned = false
    for _, epoch in ipairs(epochs) do is_concerned = is_concerned or has_any(epoch, equal) end
    if is_concerned then name_ring(history, equal, epochs) end
  end
  local key_of, messages = {}, 0
  for key, ids in pairs(equal) do
    messages = messages + #ids
    for _, id in ipairs(ids) do key_of[id] = key end
  end
  for _, life in ipairs(history.lives) do
    if life.me then number_own(history, key_of, life) end
  end
  number_rest(history, equal)
  return messages
end

return identity
