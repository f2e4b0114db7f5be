-- A private cluster on this machine: cut it in two, look at both halves, heal.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
assert(cluster:partition({ { 1 }, { 2, 3 } }))
assert(cluster:settle())
assert(not cluster[1]:quorum().quorate)
print(cluster)
assert(cluster:heal())
assert(cluster:settle())
print(cluster[1]:tool("corosync-quorumtool", "-s").output:match("Quorate:[^\n]*"))
