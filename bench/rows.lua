-- What is measured. A row runs a twin and the C reference with the same
-- arguments in pairs; each of its figures is one line of the table.
--
-- twin: a file of this folder; arguments: of both programs, reference: of the
-- C program where they differ; from_exec: time counts from the exec; nodes:
-- of the cluster, 1 unless told. value takes the line a program printed.

local function rate(line) return line.messages / line.seconds end
local function cpu(line) return line.cpu / line.messages * 1e6 end
local function p50(line) return line.p50 end
local function p99(line) return line.p99 end
local function resident(line) return line.resident / 1024 end
local function joined(line) return line.joined * 1e3 end

local SECONDS = "2"

local function throughput(twin, size, window, goals)
  local what = ("%s, %d B, window %d: "):format(twin, size, window)
  return {
    twin = twin .. ".lua",
    arguments = { "throughput", tostring(size), tostring(window), SECONDS },
    figures = {
      { name = what .. "messages per second", value = rate, at_least = goals.rate },
      { name = what .. "CPU per message, µs", value = cpu, at_most = goals.cpu },
    },
  }
end

-- C gets faster with its window up to here, and not beyond.
local BEST_WINDOW = "256"

local function against_best(row)
  row.reference = { "throughput", row.arguments[2], BEST_WINDOW, SECONDS }
  for _, figure in ipairs(row.figures) do
    figure.name = figure.name .. (", C at window %s"):format(BEST_WINDOW)
  end
  return row
end

local function roundtrip(twin, goals)
  local what = twin .. ", 64 B: round trip "
  return {
    twin = twin .. ".lua",
    arguments = { "roundtrip", "64", SECONDS },
    figures = {
      { name = what .. "p50, µs", value = p50, at_most = goals.p50 },
      { name = what .. "p99, µs", value = p99, at_most = goals.p99 },
    },
  }
end

-- Another process of the node is asked, and answers with the same 64 bytes.
local function request(goals)
  local what = "rpc, 64 B, codec \"string\": request and reply "
  return {
    twin = "rpc.lua",
    arguments = { "request", "64", SECONDS },
    figures = {
      { name = what .. "p50, µs", value = p50, at_most = goals.p50 },
      { name = what .. "p99, µs", value = p99, at_most = goals.p99 },
    },
  }
end

-- The few ms of one start are measured often, to make a run of like length.
local function start(twin, goals)
  local name = twin .. ": start to joined, ms"
  return {
    twin = twin .. ".lua",
    arguments = { "join" },
    from_exec = true,
    repeats = 20,
    figures = { { name = name, value = joined, at_most = goals.joined } },
  }
end

local function idle(twin, goals, groups)
  local name = twin .. ": idle resident memory, MiB"
  if groups > 1 then name = name .. (", %d groups"):format(groups) end
  return {
    twin = twin .. ".lua",
    arguments = { "idle", tostring(groups) },
    figures = { { name = name, value = resident, at_most = goals.resident } },
  }
end

-- Against the C program that tracks quorum too, as a group does.
local function with_quorum(row)
  row.tracks_quorum = true
  return row
end

local function on_nodes(count, row)
  row.nodes = count
  for _, figure in ipairs(row.figures) do
    figure.name = figure.name .. (", %d nodes"):format(count)
  end
  return row
end

return {
  throughput("thin", 64, 32, { rate = 0.97, cpu = 1.15 }),
  throughput("thin", 1600, 32, {}),
  roundtrip("thin", { p50 = 1.05, p99 = 1.2 }),
  idle("thin", { resident = 1.2 }, 1),
  start("thin", { joined = 1.2 }),
  throughput("group", 64, 32, { rate = 0.97, cpu = 1.36 }),
  throughput("group", 64, 256, { rate = 0.94, cpu = 1.35 }),
  roundtrip("group", {}),
  with_quorum(idle("group", { resident = 1.4 }, 1)),
  with_quorum(idle("group", {}, 10)),
  with_quorum(idle("group", {}, 100)),
  with_quorum(start("group", { joined = 1.3 })),
  throughput("packed", 64, 32, { rate = 10 }),
  against_best(throughput("packed", 64, 32, { rate = 5 })),
  on_nodes(3, throughput("packed", 64, 32, { rate = 5 })),
  request({ p50 = 1.25 }),
  on_nodes(3, request({ p50 = 1.25 })),
}
