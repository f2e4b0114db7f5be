-- What the specs of corolua.election share: members that note what they are
-- told, and what it means that they agree.
local corolua = require("corolua")
local election = require("corolua.election")

local elections = {}

--- Waits until a condition holds; fails after timeout.
---@param condition fun(): any
---@param timeout? number seconds, 10 if not given
function elections.eventually(condition, timeout)
  return (assert(corolua.wait(condition, timeout or 10)))
end

--- Joins on a node, and notes what is told as `{ kind, nodeid, ... }`.
---@param node corolua.lab.Node
---@param name string
---@param notes? table[]
---@param options? table
---@return corolua.Election
function elections.join(node, name, notes, options)
  local given = { node = node }
  for key, value in pairs(options or {}) do given[key] = value end
  local boss = assert(election.open(name, given))
  for _, kind in ipairs({ "elected", "deposed", "changed" }) do
    boss.on[kind] = function(...)
      if notes then table.insert(notes, { kind, node.nodeid, ... }) end
    end
  end
  return boss
end

--- Whether all name one leader and one term, and have a line of as many.
---@param list corolua.Election[]
---@param leader corolua.Election
function elections.agree(list, leader)
  for _, boss in ipairs(list) do
    if boss.leader ~= leader.group.me or #boss:line() ~= #list then return false end
    if boss.term ~= leader.term then return false end
  end
  return leader:is_leader()
end

--- Waits until they agree.
---@param list corolua.Election[]
---@param leader corolua.Election
function elections.settle(list, leader)
  elections.eventually(function() return elections.agree(list, leader) end)
end

--- The nodes in the order of the line.
---@param boss corolua.Election
---@return integer[]
function elections.nodes(boss)
  local nodes = {}
  for i, member in ipairs(boss:line()) do nodes[i] = member.nodeid end
  return nodes
end

--- The notes that are about somebody's own term.
---@param notes table[]
---@return table[]
function elections.own(notes)
  local list = {}
  for _, note in ipairs(notes) do
    if note[1] ~= "changed" then table.insert(list, note) end
  end
  return list
end

return elections
