--- The faults that a nemesis can draw: each draws its arguments, given what is
--- broken already, as entries of a list of timed faults.

local lists = require("corolua.base.lists")

local fault_kinds = {}

---@class corolua.lab.Broken what a list has broken at some moment
---@field nodes integer how many there are
---@field down table<integer, true>
---@field paused table<integer, true>
---@field unplugged table<integer, true>
---@field network boolean whether a network fault is in force
---@field spare integer how many more nodes may be taken down or paused

local function all_nodes(count)
  local list = {}
  for id = 1, count do list[id] = id end
  return list
end

local function nodes_without(broken, ...)
  local list = {}
  for id = 1, broken.nodes do
    local has = false
    for _, note in ipairs({ ... }) do has = has or broken[note][id] end
    if not has then list[#list + 1] = id end
  end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

-- Each group gets one node, and the rest go where they fall.
local function split(draws, nodes, count)
  local groups = {}
  for i, id in ipairs(draws:shuffled(all_nodes(nodes))) do
    local group = i <= count and i or draws:integer(1, count)
    groups[group] = groups[group] or {}
    table.insert(groups[group], id)
  end
  for _, group in ipairs(groups) do sorted(group) end
  return groups
end

local function draw_partition(draws, broken)
  local count = broken.nodes >= 5 and draws:chance(0.25) and 3 or 2
  return { { fault = "partition", split(draws, broken.nodes, count) } }
end

-- One direction: a node that hears nobody, or not one of the others.
local function draw_block(draws, broken)
  local list = draws:shuffled(all_nodes(broken.nodes))
  local deaf, entries = table.remove(list), {}
  local from = draws:chance(0.5) and sorted(list) or { list[1] }
  for i, id in ipairs(from) do entries[i] = { fault = "block", id, deaf } end
  return entries
end

local function of_one_node(name)
  return function(draws, broken)
    return { { fault = name, draws:integer(1, broken.nodes) } }
  end
end

local function draw_unplug(draws, broken)
  local list = nodes_without(broken, "unplugged")
  if #list == 0 then return nil end
  local id = draws:one_of(list)
  broken.unplugged[id] = true
  return { { fault = "unplug", id } }
end

-- A bad cable is that of one pair, or of one node to all others.
local function on_link(draw)
  return function(draws, broken)
    local list = draws:shuffled(all_nodes(broken.nodes))
    local bad, entries = table.remove(list), {}
    local others = draws:chance(0.5) and sorted(list) or { list[1] }
    local options = draw(draws)
    for i, id in ipairs(others) do entries[i] = { fault = "link", bad, id, options } end
    return entries
  end
end

local function probability(name, high)
  return on_link(function(draws) return { [name] = draws:between(0.02, high) } end)
end

local function draw_delay(draws)
  local delay = draws:between(0.002, 0.02)
  return { delay = delay, jitter = draws:between(0, delay) }
end

local function draw_rate(draws) return { rate = draws:integer(2, 50) * 1000000 } end

local function draw_repaired(draws)
  return { corrupt = draws:between(0.005, 0.05), repair = true }
end

-- A node that is up is taken; how many may be gone at a time is bounded, or
-- nobody would be left to be disturbed.
local function on_node(name, note)
  return function(draws, broken)
    local list = nodes_without(broken, "down", "paused")
    if #list == 0 or (note and broken.spare == 0) then return nil end
    local id = draws:one_of(list)
    if note then
      broken[note][id] = true
      broken.spare = broken.spare - 1
    end
    return { { fault = name, id } }
  end
end

-- `least` is the number of nodes below which the fault is none.
local KINDS = {
  partition = { network = true, least = 2, draw = draw_partition },
  isolate = { network = true, least = 2, draw = of_one_node("isolate") },
  block = { network = true, least = 2, draw = draw_block },
  ring = { network = true, least = 4, draw = function() return { { fault = "ring" } } end },
  bridge_node = { network = true, least = 3, draw = of_one_node("bridge_node") },
  loss = { network = true, least = 2, draw = probability("loss", 0.2) },
  duplicate = { network = true, least = 2, draw = probability("duplicate", 0.3) },
  reorder = { network = true, least = 2, draw = probability("reorder", 0.3) },
  corrupt = { network = true, least = 2, draw = probability("corrupt", 0.1) },
  corrupt_repaired = { network = true, least = 2, asked = true, draw = on_link(draw_repaired) },
  delay = { network = true, least = 2, draw = on_link(draw_delay) },
  rate = { network = true, least = 2, draw = on_link(draw_rate) },
  unplug = { network = true, cable = true, least = 2, draw = draw_unplug },
  kill = { least = 1, draw = on_node("kill", "down") },
  stop = { least = 1, draw = on_node("stop", "down") },
  restart = { least = 1, draw = on_node("restart") },
  pause = { least = 1, draw = on_node("pause", "paused") },
}

fault_kinds.all = KINDS

--- Every kind that these nodes and this network allow, each with weight 1. What
--- makes corosync itself crash is left out.
---@param nodes integer
---@param network "switch"|"bridge"
---@return table<string, number>
function fault_kinds.weights(nodes, network)
  local weights = {}
  for name, kind in pairs(KINDS) do
    local possible = nodes >= kind.least and not kind.asked
    if network == "bridge" and kind.network and not kind.cable then possible = false end
    if possible then weights[name] = 1 end
  end
  return weights
end

--- Nothing broken yet.
---@param nodes integer
---@return corolua.lab.Broken
function fault_kinds.nothing_broken(nodes)
  return {
    nodes = nodes, down = {}, paused = {}, unplugged = {}, network = false,
    spare = math.max(1, (nodes - 1) // 2),
  }
end

local function add_nodes(list, ids, name, note)
  for _, id in ipairs(ids) do list[#list + 1] = { fault = name, note = note, id } end
end

--- What would end a fault that is in force, as entries; each has to be handed
--- to `mended` when it is taken.
---@param broken corolua.lab.Broken
---@return corolua.lab.ScheduleEntry[]
function fault_kinds.ends(broken)
  local list = {}
  if broken.network then list[1] = { fault = "heal" } end
  add_nodes(list, lists.keys(broken.down), "start", "down")
  add_nodes(list, lists.keys(broken.paused), "resume", "paused")
  return list
end

--- Notes that this entry has mended something, and returns it as it stands in a list.
---@param broken corolua.lab.Broken
---@param entry corolua.lab.ScheduleEntry one that `ends` gave
---@return corolua.lab.ScheduleEntry
function fault_kinds.mended(broken, entry)
  if entry.fault == "heal" then
    broken.network, broken.unplugged = false, {}
  else
    broken[entry.note][entry[1]] = nil
    broken.spare = broken.spare + 1
  end
  entry.note = nil
  return entry
end

return fault_kinds
