-- A distributed lock: one node at a time does its work, in the order in which they asked.
local corolua = require("corolua")
local election = require("corolua.election")

local work <close> = corolua.group("work")
local inside, ended = nil, 0

function work.on.message(payload, from) -- what all see of the work, in one order
  local what, token = payload:match("^(%a+) (%d+)$")
  assert(inside == (what == "end" and from or nil), "two are at work")
  if what == "begin" then print(from, "has the lock, token " .. token) end
  inside = what == "begin" and from or nil
  if what == "end" then ended = ended + 1 end
end

assert(work:join())
local nodes = #assert(corolua.quorum()).nodes
assert(corolua.wait(function() return #work.members == nodes end, 10))
local lock <close> = assert(election.join("lock")) -- whoever leads has the lock
function lock.on.elected(token) -- rises with every holder
  if not lock:is_leader() then return end -- lost again already
  assert(work:send("begin " .. token))
  corolua.sleep(0.02) -- the work
  assert(work:send("end " .. token))
  assert(lock:leave())
end
assert(corolua.wait(function() return ended == nodes end, 10))
