-- A job queue: jobs go to whoever is free, and those of a worker that fails to another one.
-- Longer than 25 lines: a queue, its workers, and an end that all wait for.
-- corolua lab examples/jobs.lua [seconds that a job takes]
local corolua = require("corolua")
local rpc = require("corolua.rpc")

local JOBS, seconds, over = 20, tonumber(arg[1] or 0), false
local service <close> = assert(rpc.open("jobs", {
  square = function(n)
    print("works on", n)
    corolua.sleep(seconds)
    return n * n
  end,
  stop = function() over = true end,
}))
local group, nodes = service.group, #assert(corolua.quorum()).nodes
assert(group:wait_members(nodes, 10))
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

if group.members[1] == group.me then -- the first one has the queue
  for _, worker in ipairs(group.members) do corolua.spawn(feed, worker) end
  assert(corolua.wait(function() return count == JOBS end, 60))
  print(table.concat(results, " "))
  assert(service:call("stop", nil, { to = "all" }))
end
assert(corolua.wait(function() return over end, 60))
