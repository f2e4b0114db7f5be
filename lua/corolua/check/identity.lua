--- Tells messages of equal bytes apart. A member that sends the same twice has
--- sent two messages, of which a trace says nothing but their hash. All that a
--- ring knows of them is their order: so they are matched ring by ring, and the
--- i-th of them there is the i-th for every member. Where a member lacks some, it is
--- taken to lack what it can lack by what corosync does, if its order allows that.

local align = require("corolua.check.align")
local epochs = require("corolua.check.epochs")
local freedoms = require("corolua.check.freedoms")

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

-- A message of its own for one that has equals; any other one is known by its key.
local function name(history, equal, key)
  if not equal[key] then return key end
  local id = history:split(key)
  table.insert(equal[key], id)
  return id
end

-- The order of all that a ring has seen: the keys of the messages, the messages,
-- and where each stands in the longest epoch, with which it begins.
local function order_of(history, equal, list)
  local longest = list[1]
  for _, epoch in ipairs(list) do
    if epoch.count > longest.count then longest = epoch end
  end
  local order = { ids = {}, places = {}, longest = longest }
  for i = 1, longest.count do
    order[i], order.ids[i], order.places[i] = longest[i], name(history, equal, longest[i]), i
  end
  return order
end

-- Behind the join of a member, if that was in this ring: behind all that the longest
-- epoch has before it, which may not have what comes after.
local function start_of(order, epoch)
  local joined = epochs.join_of(order.longest, epoch)
  if not joined then return 1 end
  for i = #order, 1, -1 do
    if order.places[i] and order.places[i] <= joined then return i + 1 end
  end
  return 1
end

local function by_sender(history, list, from, to)
  local senders = {}
  for i = from, to do
    local sender = history.from[list[i]]
    local known = senders[sender]
    if not known then
      known = { at = {} }
      senders[sender] = known
    end
    known[#known + 1], known.at[#known.at + 1] = list[i], i
  end
  return senders
end

local function is_rising(found, count)
  local last = 0
  for i = 1, count do
    local place = found[i]
    if place and place <= last then return false end
    last = place or last
  end
  return true
end

-- Each sender by itself: a member has all of it but for the first, or the last.
-- That holds for none if the order of all then is another one.
local function match_senders(history, order, epoch, start, is_late)
  local known, found = by_sender(history, order, start, #order), {}
  for sender, list in pairs(by_sender(history, epoch, 1, epoch.count)) do
    local all = known[sender]
    for i, j in pairs(all and align.pairs(list, all, 1, is_late) or {}) do
      found[list.at[i]] = all.at[j]
    end
  end
  return is_rising(found, epoch.count) and found or nil
end

-- Whether a member is all there is of the order behind its start, or its beginning.
local function match_run(order, epoch, start)
  local found = {}
  for i = 1, epoch.count do
    if order[start + i - 1] ~= epoch[i] then return nil end
    found[i] = start + i - 1
  end
  return found
end

-- Whether some of a ring came into it from another ring than the others.
local function is_merged(list)
  local before
  for _, epoch in ipairs(list) do
    local ring = epoch.before and epoch.before.ring
    if ring and before and ring ~= before or next(epoch.came) or next(epoch.hidden) then
      return true
    end
    before = before or ring
  end
  return false
end

-- At a merge a member lacks the first messages of a sender; where it parts from the
-- others, the last ones.
local function match(history, order, epoch, start, is_merge)
  local is_late = is_merge and not freedoms.is_step_hidden(history, epoch)
  return match_run(order, epoch, start)
    or match_senders(history, order, epoch, start, is_late)
    or match_senders(history, order, epoch, start, not is_late)
    or align.pairs(epoch, order, start, is_late)
end

-- What a member alone has is put into the order where it has it, behind its start.
local function insert(order, epoch, found, names, start)
  local merged = { ids = {}, places = {}, longest = order.longest }
  local count, at = 0, 1
  local function take(key, id, place)
    count = count + 1
    merged[count], merged.ids[count], merged.places[count] = key, id, place
  end
  for i = 1, epoch.count do
    for j = at, found[i] or start - 1 do take(order[j], order.ids[j], order.places[j]) end
    at = math.max(at, (found[i] or start - 1) + 1)
    if not found[i] then take(epoch[i], names[i], false) end
  end
  for j = at, #order do take(order[j], order.ids[j], order.places[j]) end
  return merged
end

local function name_epoch(history, equal, order, epoch, is_merge)
  local start = start_of(order, epoch)
  local found = match(history, order, epoch, start, is_merge)
  local names, is_whole = {}, true
  for i = 1, epoch.count do
    names[i] = found[i] and order.ids[found[i]] or name(history, equal, epoch[i])
    is_whole = is_whole and found[i] ~= nil
  end
  local merged = is_whole and order or insert(order, epoch, found, names, start)
  for i = 1, epoch.count do epoch[i] = names[i] end
  return merged
end

local function name_ring(history, equal, list)
  local order, is_merge = order_of(history, equal, list), is_merged(list)
  for _, epoch in ipairs(list) do
    order = name_epoch(history, equal, order, epoch, is_merge)
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

--- Gives each message a number of its own, and what was sent its sender. A
--- message that was read more often than it was sent is in `excess`.
---@param history corolua.check.Past
---@return integer how many messages have bytes that another one of their sender has
function identity.resolve(history)
  local equal, count = find_equal(history)
  if count == 0 then return 0 end
  for _, list in ipairs(epochs.by_ring(history, true)) do
    local is_concerned = false
    for _, epoch in ipairs(list) do is_concerned = is_concerned or has_any(epoch, equal) end
    if is_concerned then name_ring(history, equal, list) end
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
