-- A fencing token: a store that refuses a leader which cannot know yet that it is none.
-- Longer than 25 lines: a store, and leaders who write to it in turn.
local corolua = require("corolua")
local election = require("corolua.election")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local store, bosses = { term = 0 }, {}

function store:write(text, term)
  if term < self.term then return "refused: the term is an old one" end
  self.text, self.term = text, term
  return "written"
end

for i = 1, 3 do
  bosses[i] = assert(election.open("boss", { node = cluster[i] }))
  assert(corolua.wait(function() return #bosses[i]:line() == i end, 10))
end

local function write(i)
  if not bosses[i]:is_leader() then return print("node " .. i, "does not lead") end
  print("node " .. i, store:write("by node " .. i, bosses[i].term))
end

assert(corolua.wait(function() return bosses[1]:is_leader() end, 10))
write(1)
assert(cluster[1]:pause()) -- its corosync hangs, and so tells it nothing
assert(corolua.wait(function() return bosses[2]:is_leader() end, 10))
write(2)
write(1)
assert(cluster[1]:resume())
assert(corolua.wait(function()
  return bosses[1].leader == bosses[2].group.me and bosses[2]:is_leader()
end, 10))
write(1)
write(2)
