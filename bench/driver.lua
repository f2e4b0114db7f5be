-- Runs the pairs of rows.lua on private daemons and prints the table.
--
--   bench/run            15 pairs of each row; writes docs/performance.md
--   bench/run --quick    3 pairs of each row; only prints
--   bench/run ... WORD   only rows whose arguments or twin contain the word

local lab = require("corolua.lab")

local build = arg[1]
local folder = arg[0]:match("^(.*)/[^/]*$")
package.path = folder .. "/?.lua;" .. package.path

local document = require("document")
local figures = require("figures")
local rows = require("rows")

local REFERENCE = build .. "/bench_reference"

local pairs_wanted, quick, word = 15, false, nil
for _, argument in ipairs({ table.unpack(arg, 2) }) do
  if argument == "--quick" then
    pairs_wanted, quick = 3, true
  else
    word = argument
  end
end

local function first_match(path, pattern)
  local file <close> = io.open(path)
  return file and file:read("a"):match(pattern) or "unknown"
end

local function load_average() return first_match("/proc/loadavg", "^%S+") end

-- { messages = 1, seconds = 2.0 } out of "messages=1 seconds=2.0".
local function parse(output)
  local line = {}
  for key, value in output:gmatch("(%w+)=([%d.]+)") do line[key] = tonumber(value) end
  return line
end

local function command_of(row, side)
  local command = {}
  local reference = row.tracks_quorum and REFERENCE .. "_quorum" or REFERENCE
  if row.from_exec then command = { REFERENCE, "exec" } end
  command[#command + 1] = side == "twin" and build .. "/corolua" or reference
  if side == "twin" then command[#command + 1] = folder .. "/" .. row.twin end
  local arguments = side == "reference" and row.reference or row.arguments
  table.move(arguments, 1, #arguments, #command + 1, command)
  return command
end

local function run_once(node, row, side)
  local command = command_of(row, side)
  local result = assert(node:tool(table.unpack(command)))
  if result.status ~= 0 then
    error(table.concat(command, " ") .. " failed:\n" .. result.output, 0)
  end
  return parse(result.output)
end

-- One run of one side: for each figure the median of its repeats.
local function run(node, row, side)
  local lines, values = {}, {}
  for i = 1, row.repeats or 1 do lines[i] = run_once(node, row, side) end
  for i, figure in ipairs(row.figures) do
    local list = {}
    for j, line in ipairs(lines) do list[j] = figure.value(line) end
    values[i] = figures.median(list)
  end
  return values
end

-- Pairs in ABBA order, so that a drift of the machine favours neither side.
local function run_pairs(node, row, first, second)
  local runs = { {}, {} }
  for i = 1, pairs_wanted do
    local before = i % 2 == 1 and 1 or 2
    for _, which in ipairs({ before, 3 - before }) do
      runs[which][i] = run(node, row, which == 1 and first or second)
    end
  end
  return runs[1], runs[2]
end

local function column(runs, index)
  local values = {}
  for i, run_values in ipairs(runs) do values[i] = run_values[index] end
  return values
end

local function ratios(above, below)
  local list = {}
  for i = 1, #above do list[i] = above[i] / below[i] end
  return list
end

-- C against C, measured once for all rows with the same work for C.
local own_runs = {}

local function run_own(node, row)
  local key = table.concat(row.reference or row.arguments, " ") .. " on " .. (row.nodes or 1)
  own_runs[key] = own_runs[key] or { run_pairs(node, row, "reference", "reference") }
  return table.unpack(own_runs[key])
end

-- Appends one result for each figure of the row.
local function measure(node, row, results)
  local twin, reference = run_pairs(node, row, "twin", "reference")
  local again, other = run_own(node, row)
  for i, figure in ipairs(row.figures) do
    local twins, references = column(twin, i), column(reference, i)
    results[#results + 1] = {
      figure = figure,
      twin = twins,
      reference = references,
      ratios = ratios(twins, references),
      own = ratios(column(again, i), column(other, i)),
    }
  end
end

local function is_wanted(row)
  return not word or (row.twin .. " " .. table.concat(row.arguments, " ")):find(word, 1, true)
end

local function measure_all(nodes, results)
  local cluster <close> = assert(lab.start({ nodes = nodes, network = "bridge", recorder = false }))
  for _, row in ipairs(rows) do
    if (row.nodes or 1) == nodes and is_wanted(row) then
      io.stderr:write("bench: ", row.twin, " ", table.concat(row.arguments, " "), "\n")
      measure(cluster[1], row, results)
    end
  end
end

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read("a"):gsub("%s+$", ""))
end

local function conditions(load_before)
  return ("%s: %s cores of %s, Linux %s, corosync %s, %s; %d pairs of each row; "
    .. "load average %s before, %s after."):format(
    os.date("%Y-%m-%d"),
    output_of("nproc"),
    first_match("/proc/cpuinfo", "model name%s*:%s*([^\n]+)"),
    first_match("/proc/sys/kernel/osrelease", "%S+"),
    output_of("corosync -v"):match("version '([^']+)'"),
    _VERSION,
    pairs_wanted,
    load_before,
    load_average()
  )
end

local load_before, results = load_average(), {}
local sizes = {}
for _, row in ipairs(rows) do
  local nodes = row.nodes or 1
  if is_wanted(row) and not sizes[nodes] then
    sizes[nodes] = true
    measure_all(nodes, results)
  end
end
local text = conditions(load_before) .. "\n\n" .. figures.table(results)
print(text)
if not quick and not word then document.put("bench", text) end
