-- Many tasks wait for one thing: a condition variable wakes them when somebody says so.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local room <close> = cluster[1]:group("tea", { codec = "json" })
local came, order = corolua.condition(), nil

function room.on.message(payload)
  order = payload
  came:notify()
end

for cook = 1, 3 do
  corolua.spawn(function()
    while not order do assert(came:wait(10)) end
    print("cook " .. cook, corolua.inspect(order))
  end)
end
assert(room:join())
assert(room:send({ leaves = "darjeeling", cups = 2 }))
corolua.wait(function() return order end, 5)
