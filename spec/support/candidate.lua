-- A member of an election in a process of its own, which prints the nodes of the
-- line once it is in it, and when it is elected: support/candidate.lua <group>
local corolua = require("corolua")
local election = require("corolua.election")

local boss = assert(election.open(arg[1]))
function boss.on.elected() print("elected") end

assert(corolua.wait(function() return #boss:line() > 1 end, 10))
local nodes = {}
for i, member in ipairs(boss:line()) do nodes[i] = member.nodeid end
print("line " .. table.concat(nodes, " "))
