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

local function fault()
  assert(cluster:partition({ { math.random(3) } }))
  assert(cluster:link(1, 2, { delay = 0.01, loss = 0.1 }))
  local node = cluster[math.random(3)]
  if node:is_running() then assert(node:kill()) else assert(node:start()) end
  local other = cluster[math.random(3)]
  if other.paused then assert(other:resume()) elseif other:is_running() then other:pause() end
  assert(cluster:heal())
end

if arg[1] == "faults" then
  while scheduler.sleep(0.005) do fault() end
end
if arg[1] == "error" then error("on purpose") end
if arg[1] == "end" then os.exit(0) end
scheduler.sleep(60)
