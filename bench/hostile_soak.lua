-- Members of packed groups, calls, elections and replicas on three nodes, with
-- strangers among them that send whatever they like, come, go and are killed:
-- corolua bench/hostile_soak.lua [seed [seconds]]

local lab = require("corolua.lab")
local hostile = require("spec.support.hostile")

local SIDE_BY_SIDE = 2

local seed, seconds = math.tointeger(arg[1] or 1), tonumber(arg[2] or 20)
local folder = os.tmpname()
os.remove(folder)

local cluster <close> = assert(lab.start({ nodes = 3 }))
local siege = hostile.open(cluster, folder, seed)
siege:attack(seconds, SIDE_BY_SIDE)
local wrong = siege:check()
local counts, malformed, growth = siege.counts, siege.malformed, siege.growth

print(("hostile, 3 nodes, seed %d, %g s: strangers %d, commands acknowledged %d, refused %d, "
  .. "calls %d"):format(seed, seconds, counts.strangers, counts.acked, counts.refused,
  counts.calls))
print(("told as malformed: packed %d, replica %d, rpc %d, election %d"):format(malformed.packed,
  malformed.store, malformed.calls, malformed.boss))
print(("grew by KiB at most: this process %d, daemons %d, %d, %d"):format(table.unpack(growth)))
for i = 1, math.min(#wrong, 20) do print(wrong[i]) end
if #wrong > 20 then print(("and %d more"):format(#wrong - 20)) end
os.execute(("rm -rf '%s'"):format(folder))
print(#wrong == 0 and "passed" or "failed")
os.exit(#wrong == 0)
