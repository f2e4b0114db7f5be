-- How long a lab takes to start, to notice a node that is cut off, killed, and to
-- merge again, for several sizes; prints the table of docs/performance.md.
--
--   corolua bench/lab.lua [RUNS [TRANSPORT [NODES ...]]]

local corolua = require("corolua")
local lab = require("corolua.lab")

local runs, transport = tonumber(arg[1] or 7), arg[2] or "udpu"
package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path

local figures = require("figures")

local sizes = arg[3] and {} or { 3, 5, 9, 16 }
for i = 3, #arg do sizes[i - 2] = tonumber(arg[i]) end
local TIMEOUT = 120

-- Milliseconds until node 1 has quorum in a ring of so many.
local function time_until(cluster, count)
  local begin = corolua.now()
  assert(corolua.wait(function()
    local now = cluster[1]:quorum()
    return now and now.quorate and #now.nodes == count
  end, TIMEOUT))
  return (corolua.now() - begin) * 1000
end

local function measure(nodes, times)
  local begin = corolua.now()
  local cluster <close> = assert(lab.start({
    recorder = false,
    nodes = nodes, transport = transport, timeout = TIMEOUT,
  }))
  table.insert(times.start, (corolua.now() - begin) * 1000)
  assert(cluster:settle(TIMEOUT))
  assert(cluster:isolate(nodes))
  table.insert(times.cut, time_until(cluster, nodes - 1))
  assert(cluster:settle(TIMEOUT))
  assert(cluster:heal())
  table.insert(times.heal, time_until(cluster, nodes))
  assert(cluster:settle(TIMEOUT))
  assert(cluster[nodes]:kill())
  table.insert(times.kill, time_until(cluster, nodes - 1))
end

local function cell(values)
  table.sort(values)
  return ("%.0f (%.0f to %.0f)"):format(figures.median(values), values[1], values[#values])
end

print(("%s, %d runs: median (least to most), ms"):format(transport, runs))
print()
print("| nodes | start to quorate | cut to new view | kill to new view | heal to whole view |")
print("| --- | --- | --- | --- | --- |")
for _, nodes in ipairs(sizes) do
  local times = { start = {}, cut = {}, kill = {}, heal = {} }
  for _ = 1, runs do measure(nodes, times) end
  print(("| %d | %s | %s | %s | %s |"):format(nodes, cell(times.start), cell(times.cut),
    cell(times.kill), cell(times.heal)))
end
