--- Up to which record the log is as durable as was asked. Members tell how far
--- their log is on their disk; that counts in the term in which it was told. A
--- majority is one of the votes of all nodes that the cluster expects, not only
--- of those that are there.

local durability = {}

--- Which levels need members that hold a majority.
durability.is_strict = { delivered = false, written = false, majority = true, all = true }

--- What votes there are among members, by their statuses.
---@param statuses table<userdata, corolua.replica.Status>
---@param members userdata[]
---@return table<integer, integer> votes by nodeid
---@return integer expected
function durability.votes(statuses, members)
  local votes, expected, sum = {}, 0, 0
  for _, member in ipairs(members) do
    local status = statuses[member]
    if status then
      votes[member.nodeid] = status.votes
      expected = math.max(expected, status.expected)
    end
  end
  for _, count in pairs(votes) do sum = sum + count end
  return votes, expected > 0 and expected or sum
end

--- Whether the nodes of these members have more than half of the votes.
---@param statuses table<userdata, corolua.replica.Status> of all members
---@param everybody userdata[]
---@param members userdata[] these
---@return boolean
function durability.is_majority(statuses, everybody, members)
  local votes, expected = durability.votes(statuses, everybody)
  local nodes, sum = {}, 0
  for _, member in ipairs(members) do nodes[member.nodeid] = true end
  for nodeid in pairs(nodes) do sum = sum + (votes[nodeid] or 0) end
  return 2 * sum > expected
end

-- What the members of each node have written, all of them.
local function by_node(members, written)
  local nodes = {}
  for _, member in ipairs(members) do
    local index = written[member] or 0
    nodes[member.nodeid] = math.min(nodes[member.nodeid] or index, index)
  end
  return nodes
end

-- The last record that a majority has written; 0 if there is none.
local function majority(statuses, members, written)
  local votes, expected = durability.votes(statuses, members)
  local list = {}
  for nodeid, index in pairs(by_node(members, written)) do
    list[#list + 1] = { index = index, votes = votes[nodeid] or 0 }
  end
  table.sort(list, function(a, b) return a.index > b.index end)
  local sum = 0
  for _, node in ipairs(list) do
    sum = sum + node.votes
    if 2 * sum > expected then return node.index end
  end
  return 0
end

local function all(members, written)
  local least = math.maxinteger
  for _, member in ipairs(members) do least = math.min(least, written[member] or 0) end
  return least
end

--- The last record that is durable.
---@param level "majority"|"all"
---@param statuses table<userdata, corolua.replica.Status>
---@param members userdata[] of the view
---@param written table<userdata, integer> in this term
---@return integer
function durability.reached(level, statuses, members, written)
  local index = majority(statuses, members, written)
  if level == "all" then index = math.min(index, all(members, written)) end
  return index
end

return durability
