-- Sending waits while too much is on its way; try_send says so instead.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local room <close> = cluster[1]:group("tea", { window = 3 })
assert(room:join())

for n = 1, 5 do print("try", n, room:try_send("cup " .. n)) end
for n = 4, 5 do print("send", n, room:send("cup " .. n)) end
for _ = 1, 5 do print((room:next("message", 5))) end
