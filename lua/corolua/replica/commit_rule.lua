--- Up to which record the log is as durable as was asked. Members tell how far
--- their log is on their disk; that counts in the term in which it was told. A
--- majority is one of the votes of all nodes that the cluster expects, not only
--- of those that are there, as the own votequorum has them: no member can tell
--- another what a node counts.

local lists = require("corolua.base.lists")

local commit_rule = {}

--- Which levels need members that hold a majority.
commit_rule.is_strict = { delivered = false, written = false, majority = true, all = true }

---@class corolua.replica.Votes
---@field votes table<integer, integer>? by nodeid; without a quorum provider each has one
---@field expected integer of the cluster; 0 is unknown

-- The votes of a node, and how many are expected where these are the members.
local function votes_of(votes, nodeid)
  if not votes.votes then return 1 end
  return votes.votes[nodeid] or 0
end

local function expected(votes, everybody)
  if votes.expected > 0 then return votes.expected end
  local seen, sum = {}, 0
  for _, member in ipairs(everybody) do
    local nodeid = member.nodeid
    if not seen[nodeid] then sum = sum + votes_of(votes, nodeid) end
    seen[nodeid] = true
  end
  return sum
end

-- The nodes all of whose members are among these.
local function whole_nodes(everybody, members)
  local nodes, list = {}, {}
  for _, member in ipairs(everybody) do
    local nodeid = member.nodeid
    if nodes[nodeid] == nil then
      nodes[nodeid] = true
      list[#list + 1] = nodeid
    end
    if not lists.contains(members, member) then nodes[nodeid] = false end
  end
  return nodes, list
end

--- Whether the nodes of these members have more than half of the votes. A node
--- counts if all of its members are among them: any other one may have more.
---@param votes corolua.replica.Votes
---@param everybody corosync.Member[] of the view
---@param members corosync.Member[] these
---@return boolean
function commit_rule.is_majority(votes, everybody, members)
  local nodes, list = whole_nodes(everybody, members)
  local sum = 0
  for _, nodeid in ipairs(list) do
    if nodes[nodeid] then sum = sum + votes_of(votes, nodeid) end
  end
  return 2 * sum > expected(votes, everybody)
end

-- What each node has written: the least of its members.
local function by_node(members, written)
  local nodes = {}
  for _, member in ipairs(members) do
    local index = written[member] or 0
    nodes[member.nodeid] = math.min(nodes[member.nodeid] or index, index)
  end
  return nodes
end

-- The last record that a majority has written; 0 if there is none.
local function majority(votes, members, written)
  local list = {}
  for nodeid, index in pairs(by_node(members, written)) do
    list[#list + 1] = { index = index, votes = votes_of(votes, nodeid) }
  end
  table.sort(list, function(a, b) return a.index > b.index end)
  local sum, needed = 0, expected(votes, members)
  for _, node in ipairs(list) do
    sum = sum + node.votes
    if 2 * sum > needed then return node.index end
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
---@param votes corolua.replica.Votes
---@param members corosync.Member[] of the view
---@param written table<corosync.Member, integer> in this term
---@return integer
function commit_rule.reached(level, votes, members, written)
  local index = majority(votes, members, written)
  if level == "all" then index = math.min(index, all(members, written)) end
  return index
end

return commit_rule
