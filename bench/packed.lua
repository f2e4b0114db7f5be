-- The twin of reference.c on a packed group: the same messages, many of them in
-- one message of CPG.

local corolua = require("corolua")

local size, window, seconds = arg[2], arg[3], arg[4]
local room <close> = corolua.group("bench", { packed = true, window = tonumber(window) })
local payload, delivered, running = ("x"):rep(size), 0, true

function room.on.message() delivered = delivered + 1 end

assert(room:join())
local start, cpu = corolua.now(), os.clock()
corolua.after(tonumber(seconds), function() running = false end)
while running do assert(room:send(payload)) end
print(("messages=%d seconds=%.6f cpu=%.6f")
  :format(delivered, corolua.now() - start, os.clock() - cpu))
