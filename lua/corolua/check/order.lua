--- Strong Total Order: in each ring the orders of all members, taken together,
--- have no cycle. Joins, leaves and deaths of processes stand in that order, too.

local epochs = require("corolua.check.epochs")
local words = require("corolua.check.words")

local order = {}

-- Those that are not a stretch of the longest one, with it.
local function odd_ones(list)
  local longest = list[1]
  for _, epoch in ipairs(list) do
    if epoch.count > longest.count then longest = epoch end
  end
  local odd = { longest }
  for _, epoch in ipairs(list) do
    if epoch ~= longest and not epochs.shift(longest, epoch) then table.insert(odd, epoch) end
  end
  return odd
end

-- Who stands right behind whom, a second delivery aside.
local function graph_of(list)
  local after, degree, ids = {}, {}, {}
  for _, epoch in ipairs(list) do
    local places, before = epochs.places(epoch), nil
    for i = 1, epoch.count do
      local id = epoch[i]
      if places[id] == i then
        if not degree[id] then
          ids[#ids + 1] = id
          degree[id], after[id] = 0, {}
        end
        if before then
          table.insert(after[before], id)
          degree[id] = degree[id] + 1
        end
        before = id
      end
    end
  end
  return after, degree, ids
end

-- Takes away what nothing stands before, until nothing is left: if that succeeds
-- there is no cycle. Else what is left.
local function left_over(list)
  local after, degree, ids = graph_of(list)
  local ready, done = {}, 0
  for _, id in ipairs(ids) do
    if degree[id] == 0 then ready[#ready + 1] = id end
  end
  while #ready > 0 do
    local id = table.remove(ready)
    done = done + 1
    for _, other in ipairs(after[id]) do
      degree[other] = degree[other] - 1
      if degree[other] == 0 then ready[#ready + 1] = other end
    end
  end
  if done == #ids then return nil end
  return degree
end

-- The nearest two messages that two members have in opposite orders.
local function nearest_in(a, b, best)
  local places, last = epochs.places(b), nil
  for i = 1, a.count do
    local place = places[a[i]]
    if place and last and place < last.place then
      local distance = last.place - place
      if not best or distance < best.distance then
        best = { distance = distance, a = a, b = b, first = last.id, second = a[i] }
      end
    end
    if place then last = { place = place, id = a[i] } end
  end
  return best
end

local function nearest_pair(list)
  local best
  for i, a in ipairs(list) do
    for j = i + 1, #list do best = nearest_in(a, list[j], best) end
  end
  return best
end

local function report_pair(history, found, pair)
  local a, b = pair.a, pair.b
  local one, two = words.message(history, pair.first), words.message(history, pair.second)
  local in_a, in_b = epochs.places(a), epochs.places(b)
  found:add("Strong Total Order", ("in ring %s %s delivered %s before %s, and %s %s before %s")
    :format(a.ring, words.who(history, a.life.me), one, two, words.who(history, b.life.me), two,
      one), { a.refs[in_a[pair.first]], a.refs[in_a[pair.second]], b.refs[in_b[pair.first]] },
    { pair.first, pair.second }, { ring = a.ring })
end

local function report_cycle(history, found, list, degree)
  local about, members, refs = {}, {}, {}
  for _, epoch in ipairs(list) do
    for i = 1, epoch.count do
      if degree[epoch[i]] and degree[epoch[i]] > 0 then
        members[epoch.life.me] = true
        refs[#refs + 1] = epoch.refs[i]
        about[#about + 1] = epoch[i]
        break
      end
    end
  end
  found:add("Strong Total Order", ("in ring %s the orders of %s go round in a circle")
    :format(list[1].ring, words.all(history, members)), refs, about, { ring = list[1].ring })
end

local function judge_messages(history, found, list)
  local odd = odd_ones(list)
  if #odd == 1 then return end
  local degree = left_over(odd)
  if not degree then return end
  local pair = nearest_pair(odd)
  if pair then report_pair(history, found, pair) else report_cycle(history, found, odd, degree) end
end

local function change_in(epoch, name)
  local only
  for _, change in ipairs(epoch.places_of_changes) do
    if change.name == name then
      if only then return nil end
      only = change
    end
  end
  return only
end

-- Of members that have the same messages, each change within the ring stands at the
-- same place among them.
local function judge_changes_of(history, found, a, b)
  local from_a, from_b = epochs.starts(a, b)
  if not from_a or not epochs.is_equal(a, b, from_a, from_b) then return end
  for _, change in ipairs(a.places_of_changes) do
    local same = change_in(a, change.name) == change and change_in(b, change.name)
    if same and same.at - from_b ~= change.at - from_a then
      found:add("Strong Total Order", ("in ring %s %s and %s were told of %s at different places "
        .. "among the same messages"):format(a.ring, words.who(history, a.life.me),
          words.who(history, b.life.me), change.name), { change.ref, same.ref },
        { "view " .. change.ref, "view " .. same.ref }, { ring = a.ring })
    end
  end
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param rings corolua.check.PastEpoch[][]
function order.judge(history, found, rings)
  for _, list in ipairs(rings) do
    judge_messages(history, found, list)
    for i = 2, #list do judge_changes_of(history, found, list[1], list[i]) end
  end
end

return order
