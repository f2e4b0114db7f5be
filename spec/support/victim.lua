-- A program with a lab, to be ended from outside in whatever way: it starts
-- three nodes, and on them programs with children of their own, one of which
-- leaves its session and forgets its environment.
local lab = require("corolua.lab")
local scheduler = require("corolua.task.scheduler")

local CROWD = "env -i setsid sleep 1000 & setsid sleep 1000 & sleep 1000 & sleep 1000"

-- The network namespaces that only what is left behind could keep.
local function tell_spaces(cluster)
  local inodes = { cluster.network.hub:inode() }
  for id, space in ipairs(cluster.network.spaces) do inodes[id + 1] = space:inode() end
  print("spaces " .. table.concat(inodes, " "))
end

-- The way, and the seed of the faults.
local way, seed = arg[1], arg[2]
math.randomseed(tonumber(seed) or 1)
local cluster = assert(lab.start({ nodes = 3 }))
tell_spaces(cluster)
scheduler.spawn(function() cluster[1]:tool("sh", "-c", CROWD) end)
local script = assert(cluster[2]:run("-e", ([[
  os.execute(%q .. " & echo ready")
  require("corolua").sleep(1000)
]]):format(CROWD)))
assert(script:next(10))
if way == "nested" then
  local inner = assert(cluster[3]:run(arg[0], "faults", seed or "1"))
  repeat
    local line = assert(inner:next(20))
    print(line)
  until line == "up"
end
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

if way == "faults" then
  while scheduler.sleep(0.005) do fault() end
end
if way == "error" then error("on purpose") end
if way == "end" then os.exit(0) end
scheduler.sleep(60)
