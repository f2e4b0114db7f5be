-- Watches the quorum of its node: who is there, and whether they may act.
-- corolua lab examples/quorum_watch.lua [seconds]
local corolua = require("corolua")

function corolua.on.quorum(state)
  print(state.quorate and "quorate" or "no quorum", "nodes " .. table.concat(state.nodes, " "))
end

corolua.after(tonumber(arg[1] or 1), corolua.stop)
