-- A program with a lab, to be ended from outside in whatever way: it starts
-- three nodes, and on one of them a program with children of its own, one of
-- which leaves its session.
local lab = require("corolua.lab")
local scheduler = require("corolua.scheduler")

local cluster = assert(lab.start({ nodes = 3 }))
scheduler.spawn(function()
  cluster[1]:tool("sh", "-c", "setsid sleep 1000 & sleep 1000 & sleep 1000")
end)
scheduler.sleep(0.05)
print("up")
io.stdout:flush()

if arg[1] == "error" then error("on purpose") end
if arg[1] == "end" then os.exit(0) end
scheduler.sleep(60)
