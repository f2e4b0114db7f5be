--- The ways to join the nodes' cables that have a name.

---@class corolua.lab.Shape
---@field kind string
---@field text string what it is, in a line
---@field hears fun(from: integer, to: integer): boolean
---@field groups integer[][]? of a partition
---@field since number? when it came into force

local topology = {}

local function name_groups(groups)
  local names = {}
  for i, group in ipairs(groups) do names[i] = "{ " .. table.concat(group, ", ") .. " }" end
  return table.concat(names, " | ")
end

-- The nodes that no group names are one more group.
local function add_rest(groups, group_of, nodes)
  local rest = {}
  for id = 1, nodes do
    if not group_of[id] then
      rest[#rest + 1] = id
      group_of[id] = #groups + 1
    end
  end
  if #rest > 0 then groups[#groups + 1] = rest end
end

--- Groups in which everybody hears everybody, and nobody outside.
---@param given integer[][] checked
---@param nodes integer
---@return corolua.lab.Shape
function topology.partition(given, nodes)
  local groups, group_of = {}, {}
  for i, group in ipairs(given) do
    groups[i] = group
    for _, id in ipairs(group) do group_of[id] = i end
  end
  add_rest(groups, group_of, nodes)
  return {
    kind = "partition", text = "partition " .. name_groups(groups), groups = groups,
    hears = function(from, to) return group_of[from] == group_of[to] end,
  }
end

--- Each node hears the one before and the one after it, the last the first.
---@param nodes integer
---@return corolua.lab.Shape
function topology.ring(nodes)
  return {
    kind = "ring", text = "ring: each node hears its neighbours only",
    hears = function(from, to)
      local distance = math.abs(from - to)
      return distance <= 1 or distance == nodes - 1
    end,
  }
end

--- Two halves that only one node hears, and that hear it.
---@param middle integer
---@param nodes integer
---@return corolua.lab.Shape
function topology.bridge_node(middle, nodes)
  local left, side = {}, {}
  local right = {}
  for id = 1, nodes do
    if id ~= middle then
      local half = #left < (nodes - 1) // 2 and left or right
      half[#half + 1] = id
      side[id] = half
    end
  end
  return {
    kind = "bridge_node",
    text = ("bridge of node %d over %s"):format(middle, name_groups({ left, right })),
    hears = function(from, to)
      return from == middle or to == middle or side[from] == side[to]
    end,
  }
end

return topology
