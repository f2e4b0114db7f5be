-- A run with a partition: traced, and judged when it is over.
local check = require("corolua.check")
local corolua = require("corolua")
local lab = require("corolua.lab")

local path = os.tmpname()
local cluster = assert(lab.start({ nodes = 3, trace = path }))
local rooms, heard = {}, { 0, 0, 0 }
for i = 1, 3 do
  rooms[i] = cluster[i]:group("ticks", { quorum = "ignore" })
  rooms[i].on.message = function() heard[i] = heard[i] + 1 end
  assert(rooms[i]:join())
end

local function all_say(count)
  local before = table.move(heard, 1, 3, 1, {})
  for i = 1, 3 do assert(rooms[i]:send("tick")) end
  assert(corolua.wait(function()
    return heard[1] - before[1] == count[1] and heard[3] - before[3] == count[3]
  end, 10))
end

all_say({ 3, 3, 3 })
assert(cluster:partition({ { 1, 2 }, { 3 } }))
assert(cluster:settle())
all_say({ 2, 2, 1 })
assert(cluster:heal())
assert(cluster:settle())
all_say({ 3, 3, 3 })
cluster:close()

local verdict = assert(check.file(path))
print(verdict.status, verdict.counts.faults .. " fault", #verdict.findings .. " findings")
os.remove(path)
