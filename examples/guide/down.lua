-- The daemon dies and comes back: the group says what is unknown, and joins
-- again by itself.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local room <close> = cluster[1]:group("tea")
assert(room:join())

assert(cluster[1]:pause()) -- so that nothing comes back
assert(room:send("milk?"))
assert(cluster[1]:kill())
local why = assert(room:next("down", 5))
print("down", why.code)
for _, message in ipairs(why.unconfirmed) do print("unknown", message.payload) end

assert(cluster[1]:start())
assert(room:next("up", 5))
assert(room:send("milk?"))
print("again", (room:next("message", 5)))
