-- A member of an election's group that is none itself, and sends what nobody
-- there understands: support/stranger.lua <group>
local corolua = require("corolua")

local room = corolua.group(arg[1])
function room.on.message() end
assert(room:join())
for _, bytes in ipairs({ "", "hello", "CLE1", "CLE1\1", "CLE1\9" .. ("x"):rep(40) }) do
  assert(room:send(bytes))
end
print("sent")
