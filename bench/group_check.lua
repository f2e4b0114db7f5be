--- What must hold for the logs of a run: one order, nothing twice, nothing lost
--- by its sender, and everything under the quorum of its ring.

local total_order = require("corolua.check.total_order")
local virtual_synchrony = require("corolua.check.virtual_synchrony")

local group_check = {}

-- Each message that was accepted has been read back or is unconfirmed, and no
-- other is: those that are in neither list, and those in both.
local function account(log, places)
  local lost, both, listed = 0, 0, {}
  for _, message in ipairs(log.unconfirmed) do
    if listed[message] or places[message] or message >> 32 ~= log.id then both = both + 1 end
    listed[message] = true
  end
  for number = 1, log.sent do
    local message = log.id << 32 | number
    if not places[message] and not listed[message] then lost = lost + 1 end
  end
  return lost, both
end

-- Whether libquorum's word allows that ruling. Where a connection ended before
-- it was told of its last ring, that counts as inquorate.
local function is_allowed(verdict, ruling, is_last)
  if ruling.kind == "message" and not ruling.quorate then return false end
  if ruling.kind == "inquorate" and ruling.quorate then return false end
  if verdict == "both" or verdict == ruling.quorate then return true end
  if ruling.kind == "quorum" or ruling.quorate then return false end
  return is_last or verdict == "skipped" or verdict == "unseen"
end

-- Whether two handles on a node were told differently, as far as both were
-- there to be told.
local function do_differ(one, two)
  return one ~= two and one ~= "unseen" and two ~= "unseen" and one ~= "both" and two ~= "both"
end

local WHAT = {
  [true] = "handles told differently: ", [false] = "wrong quorum: ",
}

local function describe(log, i, is_right, listener, witness)
  local ruling = log.rulings[i]
  return WHAT[is_right] .. ("node %d, %d times %s as %s in ring %d.%x, %d of %d of a join; "
    .. "libquorum to the group: %s; to another handle: %s"):format(log.node, ruling.count,
      ruling.kind, ruling.quorate and "quorate" or "inquorate", ruling.ring.nodeid,
      ruling.ring.seq, i, #log.rulings, listener:describe(ruling.ring),
      witness:describe(ruling.ring))
end

-- What is counted of a ruling in a ring that libquorum had a special word for.
local SPECIAL = {
  skipped = { message = "in_skipped", inquorate = "in_skipped", view = "views_skipped" },
  both = { message = "changing", inquorate = "changing" },
  unseen = { message = "unseen", inquorate = "unseen" },
}

local function count(found, name, ruling)
  if name then found[name] = found[name] + ruling.count end
end

-- Views, states and messages must come under the quorum that the group's own
-- connection was told of for their ring; another handle must be told the same.
local function judge(log, listener, witness, found)
  for i, ruling in ipairs(log.rulings) do
    local told, seen = listener:verdict(ruling.ring), witness:verdict(ruling.ring)
    local is_right = is_allowed(told, ruling, not log.alive and i == #log.rulings)
    local is_apart = do_differ(told, seen)
    count(found, (SPECIAL[told] or {})[ruling.kind], ruling)
    count(found, not is_right and "wrong_quorum", ruling)
    count(found, is_apart and "told_apart", ruling)
    count(found, ruling.kind == "inquorate" and "inquorate", ruling)
    if not is_right or is_apart then
      table.insert(log.run.notes, describe(log, i, is_right, listener, witness))
    end
  end
end

-- Messages that their sender was not told it had sent.
local function count_unsent(log)
  local unsent = 0
  for _, message in ipairs(log.history.messages) do
    local sender = log.run.logs[message >> 32]
    if sender and message & 0xffffffff > sender.sent then unsent = unsent + 1 end
  end
  return unsent
end

local SUMS = { "gaps", "wrong_gaps", "strange", "wrong_ring", "wrong_lists" }

local function add(found, log, listener, witness)
  local places, twice = total_order.places(log.history.messages)
  local lost, both = account(log, places)
  found.twice = found.twice + twice
  found.lost, found.both = found.lost + lost, found.both + both
  found.unsent = found.unsent + count_unsent(log)
  found.sent = found.sent + log.sent
  found.delivered = found.delivered + #log.history.messages
  found.unconfirmed = found.unconfirmed + #log.unconfirmed
  for _, name in ipairs(SUMS) do found[name] = found[name] + log[name] end
  judge(log, listener, witness, found)
  return places
end

-- Whoever enters a ring finds the same members there.
local function count_lists_apart(run)
  local known, apart = {}, 0
  for _, log in ipairs(run.logs) do
    for ring, list in pairs(log.lists) do
      known[ring] = known[ring] or list
      if known[ring] ~= list then
        apart = apart + 1
        table.insert(run.notes, ("ring %s began with %s on node %d, with %s elsewhere"):format(
          ring, list, log.node, known[ring]))
      end
    end
  end
  return apart
end

local function compare_sets(run)
  local histories = {}
  local nobody = virtual_synchrony.history(0)
  for i, log in ipairs(run.logs) do histories[i] = log.history end
  local sets = virtual_synchrony.compare(histories, function(message)
    local sender = run.logs[message >> 32]
    return sender and sender.history or nobody
  end, function(message) return run.in_parts[message] == true end)
  for _, loss in ipairs(sets.losses) do
    table.insert(run.notes, virtual_synchrony.describe(loss))
  end
  return sets
end

--- Compares all logs of a run with each other, and each with what libquorum
--- said on its node.
---@param run { logs: bench.GroupLog[], notes: string[] }
---@param listeners bench.Witness[] by node: what the groups' connection was told
---@param witnesses bench.Witness[] by node: what another handle was told
---@return table<string, integer>
function group_check.check(run, listeners, witnesses)
  local found = {
    misordered = 0, twice = 0, lost = 0, both = 0, sent = 0, delivered = 0, unconfirmed = 0,
    wrong_quorum = 0, told_apart = 0, unsent = 0, unseen = 0, changing = 0, in_skipped = 0,
    views_skipped = 0, inquorate = 0,
  }
  for _, name in ipairs(SUMS) do found[name] = 0 end
  for i, log in ipairs(run.logs) do
    local places = add(found, log, listeners[log.node], witnesses[log.node])
    for j = i + 1, #run.logs do
      local others = run.logs[j].history.messages
      found.misordered = found.misordered + total_order.misordered(places, others)
    end
  end
  found.lists_apart = count_lists_apart(run)
  found.sets = compare_sets(run)
  return found
end

return group_check
