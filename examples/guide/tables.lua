-- Messages may be tables: the codec turns them into bytes and back.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local room <close> = cluster[1]:group("tea", { codec = "json", packed = true })
assert(room:join())

assert(room:send({ order = "darjeeling", cups = 2 }))
local order = assert(room:next("message", 5))
print(order.cups, order.order)
