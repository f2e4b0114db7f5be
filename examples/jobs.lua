-- A job queue: jobs go to whoever is free, and those of a worker that fails to another one.
-- corolua lab examples/jobs.lua [seconds that a job takes]
local corolua = require("corolua")
local rpc = require("corolua.rpc")

local JOBS, seconds, is_over = 20, tonumber(arg[1] or 0), false
local service <close> = assert(rpc.open("jobs", {
  square = function(n)
    print("works on", n)
    corolua.sleep(seconds)
    return n * n
  end,
  stop = function() is_over = true end,
}))
local nodes = #assert(corolua.quorum()).nodes
assert(corolua.wait(function() return #service.group.members == nodes end, 10))

local waiting, results, count = {}, {}, 0
for n = 1, JOBS do waiting[n] = n end

local function feed(worker)
  while corolua.wait(function() return #waiting > 0 or count == JOBS end) and count < JOBS do
    local job = table.remove(waiting, 1)
    local result = service:call("square", job, { to = worker })
    if not result then return table.insert(waiting, 1, job) end
    results[job], count = result, count + 1
  end
end

if service.group.members[1] == service.group.me then -- the first one has the queue
  for _, worker in ipairs(service.group.members) do corolua.spawn(feed, worker) end
  assert(corolua.wait(function() return count == JOBS end, 60))
  print(table.concat(results, " "))
  assert(service:call("stop", nil, { to = "all" }))
end
assert(corolua.wait(function() return is_over end, 60))
