-- A counter shared by all nodes: everybody changes it, and it is the same everywhere.
local corolua = require("corolua")

local room <close> = corolua.group("counter")
local counter, fingerprint, heard = 0, 0, 0

-- Changed here alone, in the order that all hear; never where it is sent.
function room.on.message(amount)
  heard = heard + 1
  counter = counter + tonumber(amount)
  fingerprint = (fingerprint * 31 + counter) % 1000003 -- differs if the order does
end

assert(room:join())
local nodes = #assert(corolua.quorum()).nodes
assert(room:wait_members(nodes, 10))
for _ = 1, 100 do assert(room:send(tostring(room.me.nodeid))) end
assert(corolua.wait(function() return heard == 100 * nodes end, 10))
print(("counter %d after %d messages, fingerprint %d"):format(counter, heard, fingerprint))
