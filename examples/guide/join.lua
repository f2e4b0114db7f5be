-- One member: what happens becomes calls of its handlers.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 1 }))
local room <close> = cluster[1]:group("tea")

function room.on.members(view)
  for _, change in ipairs(view.joined) do print("+", change.member, change.reason) end
  for _, change in ipairs(view.left) do print("-", change.member, change.reason) end
end

function room.on.quorum(state)
  print(state.quorate and "quorate" or "inquorate", #state.nodes .. " nodes")
end

function room.on.message(payload, from) print(from, payload) end

assert(room:join())
assert(room:send("the kettle is on"))
