-- A handler may wait: its group's next event waits behind it, and nobody else.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local slow <close> = cluster[1]:group("slow")
local fast <close> = cluster[1]:group("fast")

function slow.on.message(payload)
  print("slow begins with", payload)
  corolua.sleep(0.2)
  print("slow is done with", payload)
end

function fast.on.message(payload) print("fast takes", payload) end

assert(slow:join())
assert(fast:join())
assert(slow:send("one"))
assert(slow:send("two"))
corolua.sleep(0.1)
assert(fast:send("three"))
