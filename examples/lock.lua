-- A distributed lock: one node at a time does its work, in the order in which they asked.
local corolua = require("corolua")
local election = require("corolua.election")

local work <close>, inside, ended = corolua.group("work"), nil, 0
function work.on.message(payload, from) -- what all see of the work, in one order
  local what, token = payload:match("^(%a+) (%d+)$")
  assert(inside == (what == "end" and from or nil), "two are at work")
  if what == "begin" then print(from, "has the lock, token " .. token) end
  inside = what == "begin" and from or nil
  ended = ended + (what == "end" and 1 or 0)
end
assert(work:join())
local nodes = #assert(corolua.quorum()).nodes
assert(work:wait_members(nodes, 10))

local lock <close> = assert(election.open("lock")) -- whoever leads has the lock
function lock.on.elected(token) -- rises with every holder
  if not lock:is_leader() then return end -- lost again already
  assert(work:send("begin " .. token))
  corolua.sleep(0.02) -- the work
  assert(work:send("end " .. token))
  assert(lock:close())
end
assert(corolua.wait(function() return ended == nodes end, 10))
