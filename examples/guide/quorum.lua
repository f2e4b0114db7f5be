-- Without quorum the group does not send; CPG itself would go on.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local room <close> = cluster[1]:group("tea")
assert(room:join())

assert(cluster:isolate(1))
assert(cluster:settle())
print("alone:", room:send("is anybody there?"))

assert(cluster:heal())
assert(cluster:settle())
print("healed:", room:send("there you are"))
