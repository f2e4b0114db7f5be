-- What a trace costs a group: CPU per message, off, in memory, written, and
-- written with previews, as ratios to off.
--
--   build/corolua bench/trace.lua build [ROUNDS] [SECONDS]
--
-- Rounds go through the ways forth and back, so that a drift of the machine
-- favours none of them.

local lab = require("corolua.lab")

local build, rounds, seconds = arg[1], tonumber(arg[2] or 9), arg[3] or "2"
local folder = arg[0]:match("^(.*)/[^/]*$")
local figures = dofile(folder .. "/figures.lua")

local PATH = os.tmpname()
local START = ("assert(require('corolua.trace').start(%q, { preview = %%d }))"):format(PATH)

local ways = {
  { name = "off", chunk = "" },
  { name = "in memory",
    chunk = "assert(require('corolua.trace.session').record({ where = 'node' }))" },
  { name = "written", chunk = START:format(0) },
  { name = "with previews", chunk = START:format(24) },
}

local function run(node, way)
  local result = assert(node:tool(build .. "/corolua", "-e", way.chunk, folder .. "/group.lua",
    "throughput", "64", "32", seconds))
  assert(result.status == 0, result.output)
  local messages, cpu = result.output:match("messages=(%d+).*cpu=([%d.]+)")
  return cpu / messages * 1e6
end

local cluster <close> = assert(lab.start({ nodes = 1, network = "bridge", recorder = false }))
local costs = {}
for i in ipairs(ways) do costs[i] = {} end
for round = 1, rounds do
  local first, last, step = 1, #ways, 1
  if round % 2 == 0 then first, last, step = #ways, 1, -1 end
  for i = first, last, step do costs[i][round] = run(cluster[1], ways[i]) end
end
for i, way in ipairs(ways) do
  local ratios = {}
  for round = 1, rounds do ratios[round] = costs[i][round] / costs[1][round] end
  print(("%-14s %.2f us  %.2f"):format(way.name, figures.median(costs[i]), figures.median(ratios)))
end
os.remove(PATH)
