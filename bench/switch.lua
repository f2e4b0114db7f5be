-- The switch of a lab against a kernel bridge: messages per second of the C
-- program reference.c on node 1 of three, in pairs on the same daemons, whose
-- cables are moved between the two.
--
--   corolua bench/switch.lua BUILD [PAIRS]

local lab = require("corolua.lab")
local network = require("corolua.lab.network")
local switch = require("corolua.switch")

local build, wanted = arg[1], tonumber(arg[2] or 5)
package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path

local figures = require("figures")

local NODES = 3
local SECONDS = "2"

local function cables(command)
  for node = 1, NODES do
    assert(os.execute(("ip link set %s %s"):format(network.port(0, node), command)))
  end
end

local function messages_per_second(cluster, size)
  local result = assert(cluster[1]:tool(build .. "/bench_reference", "throughput", size, "128",
    SECONDS))
  assert(result.status == 0, result.output)
  return result.output:match("messages=(%d+)") / result.output:match("seconds=([%d.]+)")
end

local function ports()
  local list = {}
  for node = 1, NODES do list[node] = network.port(0, node) end
  return list
end

local function add(sums, counters, names)
  for _, name in ipairs(names) do sums[name] = (sums[name] or 0) + counters[name] end
end

-- Adds up the frames that were not forwarded, or not even received.
local function add_drops(sums, counters)
  for _, port in pairs(counters.ports) do add(sums, port, { "dropped", "oversized", "overrun" }) end
  for _, row in ipairs(counters) do
    for _, cell in pairs(row) do add(sums, cell, { "refused", "overflow" }) end
  end
end

local function describe(sums)
  local words = {}
  for name, count in pairs(sums) do
    if count > 0 then table.insert(words, name .. " " .. count) end
  end
  table.sort(words)
  return words[1] and table.concat(words, ", ") or "0"
end

local function by_bridge(cluster, size)
  assert(cluster:settle())
  return messages_per_second(cluster, size)
end

local function by_switch(cluster, size, drops)
  cluster.network:in_hub(function() cables("nomaster") end)
  local sw = assert(cluster.network:in_hub(function() return switch.start({ ports = ports() }) end))
  assert(sw:ready() and cluster:settle())
  local rate = messages_per_second(cluster, size)
  add_drops(drops, assert(sw:counters()))
  sw:close()
  cluster.network:in_hub(function() cables("master lab0") end)
  return rate
end

local function measure(cluster, transport, size)
  local ratios, bridge, switched, drops = {}, {}, {}, {}
  for i = 1, wanted do
    bridge[i] = by_bridge(cluster, size)
    switched[i] = by_switch(cluster, size, drops)
    ratios[i] = switched[i] / bridge[i]
  end
  print(("| %s, %s B | %.0f | %.0f | %.2f ± %.2f | %s |"):format(transport, size,
    figures.median(bridge), figures.median(switched), figures.median(ratios),
    figures.spread(ratios), describe(drops)))
end

print("| CPG messages per second | bridge | switch | switch / bridge | frames dropped |")
print("| --- | --- | --- | --- | --- |")
for _, transport in ipairs({ "udpu", "knet" }) do
  local cluster <close> = assert(lab.start({
    recorder = false,
    nodes = NODES, network = "bridge", transport = transport,
  }))
  for _, size in ipairs({ "64", "320", "1600" }) do measure(cluster, transport, size) end
end
