-- What was sent while apart never comes; a packed group says what is missing.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms = assert(cluster:groups("tea", { packed = true, quorum = "ignore" }))
local here, there = rooms[1], rooms[2]

local function tell(text)
  assert(here:send(text))
  assert(here:next("message", 5))
end

tell("one")
print("node 2 hears", (there:next("message", 5)))
assert(cluster:isolate(1))
assert(cluster:settle())
tell("two")
tell("three")
assert(cluster:heal())
assert(cluster:settle())
tell("four")
print("node 2 hears", (there:next("message", 5)))
local _, first, last = there:next("gap", 5)
print("node 2 misses", first, "to", last)
