--- A schedule is a plain list of timed faults: { at = 1.25, fault = "kill", 3 }, with
--- `at` in seconds from its start. It is drawn from a seed, printed, saved, read
--- again, and carried out by `cluster:replay`.

local args = require("corolua.base.args")
local prng = require("corolua.lab.prng")
local fault_kinds = require("corolua.lab.fault_kinds")
local lists = require("corolua.base.lists")
local names = require("corolua.base.names")

local schedule = {}

---@class corolua.lab.ScheduleEntry
---@field at number seconds from the start
---@field fault string the call: "partition", "kill", and so on
---@field [integer] any its arguments, of a fault of a node the nodeid first

---@class corolua.lab.Schedule
---@field [integer] corolua.lab.ScheduleEntry in the order of their times
local methods = {}
local schedule_mt = { __name = "corolua.lab.schedule", __index = methods }

---@class corolua.lab.ScheduleOptions
---@field faults table<string, number>? weights by kind; every kind that is possible
---@field pause number[]? the shortest and the longest time between two steps, in seconds
---@field lasting number? in seconds, 60 unless told
---@field seed integer? any, unless told

local DEFAULT_PAUSE = { 0.5, 2 }
local DEFAULT_LASTING = 60

local function is_span(value)
  return type(value) == "table" and type(value[1]) == "number" and type(value[2]) == "number"
    and value[1] > 0 and value[1] <= value[2], "{ shortest, longest } in seconds"
end

local OPTIONS = {
  { "faults", args.table("{ fault = weight }") },
  { "pause", is_span, DEFAULT_PAUSE },
  { "lasting", args.time, DEFAULT_LASTING },
  { "seed", args.integer() },
  { "on_fault", args.callable },
}

local function is_weight(value)
  return type(value) == "number" and value >= 0 and value < math.huge, "a number, 0 or more"
end

local function check_weight(name, weight, cluster, level)
  names.check(name, fault_kinds.all, "fault", level + 1)
  local kind = fault_kinds.all[name]
  args.value(weight, is_weight, "nemesis", ("the weight of fault '%s'"):format(name), level + 1)
  if weight > 0 and cluster.nodes < kind.least then
    error(("fault '%s' needs %d nodes, the cluster has %d")
      :format(name, kind.least, cluster.nodes), level + 1)
  end
  if weight > 0 and cluster.network == "bridge" and kind.network and not kind.cable then
    error(("fault '%s' needs network = \"switch\", the cluster has a bridge"):format(name),
      level + 1)
  end
end

-- In the order of their names, so that the draws do not hang on the order of
-- a table's keys.
local function choices_of(cluster, weights, level)
  local list = {}
  for _, name in ipairs(lists.keys(weights)) do
    local weight = weights[name]
    check_weight(name, weight, cluster, level + 1)
    if weight > 0 then list[#list + 1] = { name = name, weight = weight } end
  end
  if #list == 0 then error("nemesis: no fault has a weight above 0", level + 1) end
  return list
end

-- The more is broken, the more likely the next step mends something.
local function draw_step(draws, choices, broken)
  local ends = fault_kinds.ends(broken)
  if draws:chance(math.min(0.75, 0.35 * #ends)) then
    return { fault_kinds.mended(broken, draws:one_of(ends)) }
  end
  local kind = fault_kinds.all[draws:by_weight(choices).name]
  local entries = kind.draw(draws, broken)
  if entries and kind.network then broken.network = true end
  if not entries and #ends > 0 then
    entries = { fault_kinds.mended(broken, draws:one_of(ends)) }
  end
  return entries or {}
end

--- Draws a schedule. The same arguments give the same schedule, everywhere.
---@param cluster { nodes: integer, network: "switch"|"bridge" }
---@param given corolua.lab.ScheduleOptions
---@param level integer? as in `error`: whom a wrong option is blamed on
---@return corolua.lab.Schedule list, integer seed
function schedule.draw(cluster, given, level)
  level = (level or 1) + 1
  local checked = args.check(given, OPTIONS, "nemesis", level)
  local weights = checked.faults or fault_kinds.weights(cluster.nodes, cluster.network)
  local choices = choices_of(cluster, weights, level)
  local seed = checked.seed or prng.any_seed()
  local pause, lasting = checked.pause, checked.lasting
  local draws, broken, list = prng.new(seed), fault_kinds.nothing_broken(cluster.nodes), {}
  local at = draws:between(pause[1], pause[2])
  while at < lasting do
    for _, entry in ipairs(draw_step(draws, choices, broken)) do
      entry.at = at
      list[#list + 1] = entry
    end
    at = math.floor((at + draws:between(pause[1], pause[2])) * 1000 + 0.5) / 1000
  end
  list.lasting = lasting
  return setmetatable(list, schedule_mt), seed
end

local write

local function write_table(value)
  local parts = {}
  for i, element in ipairs(value) do parts[i] = write(element) end
  for _, name in ipairs(lists.keys(value)) do
    if type(name) == "string" then parts[#parts + 1] = name .. " = " .. write(value[name]) end
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function write(value)
  if type(value) == "table" then return write_table(value) end
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "number" then return ("%.14g"):format(value) end
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- The line of a script that draws the same schedule again, for as many nodes.
---@param given corolua.lab.ScheduleOptions
---@param seed integer
---@return string
function schedule.call(given, seed)
  local options_given = { seed = seed }
  for name, value in pairs(given) do
    if type(value) ~= "function" then options_given[name] = value end
  end
  return "cluster:nemesis(" .. write(options_given) .. ")"
end

--- One entry as Lua source.
---@param entry corolua.lab.ScheduleEntry
---@return string
function schedule.line(entry)
  local words = { ("at = %g"):format(entry.at), ("fault = %q"):format(entry.fault) }
  for _, argument in ipairs(entry) do words[#words + 1] = write(argument) end
  return "{ " .. table.concat(words, ", ") .. " }"
end

function schedule_mt:__tostring()
  local lines = { "return {" }
  if self.lasting then lines[2] = ("  lasting = %g,"):format(self.lasting) end
  for _, entry in ipairs(self) do lines[#lines + 1] = "  " .. schedule.line(entry) .. "," end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

--- Writes the schedule into a file that `cluster:replay` reads.
---@param path string
---@return true? saved, string? message
function methods:save(path)
  local file <close>, why = io.open(path, "w")
  if not file then return nil, why end
  local ok
  ok, why = file:write(tostring(self))
  if not ok then return nil, why end
  return true
end

local function check_entry(entry, place, level)
  if type(entry) ~= "table" or type(entry.fault) ~= "string" or type(entry.at) ~= "number"
    or not (entry.at >= 0 and entry.at < math.huge) then
    error(("entry %d of the list is not { at = seconds, fault = name, … }"):format(place),
      level + 1)
  end
end

local function load_list(path, level)
  local chunk, why = loadfile(path, "t", {})
  if not chunk then error("replay: " .. why, level + 1) end
  return chunk()
end

--- A schedule that was written by hand, or is in a file.
---@param given corolua.lab.Schedule|string the list, or the path of a file that returns it
---@param level integer as in `error`
---@return corolua.lab.Schedule
function schedule.read(given, level)
  if type(given) == "string" then given = load_list(given, level + 1) end
  if type(given) ~= "table" then
    error("replay takes a list of timed faults, or the path of a file that returns one", level + 1)
  end
  local last = 0
  for i, entry in ipairs(given) do
    check_entry(entry, i, level + 1)
    if entry.at < last then
      error(("entry %d of the list is earlier than the one before"):format(i), level + 1)
    end
    last = entry.at
  end
  return setmetatable(given, getmetatable(given) or schedule_mt)
end

return schedule
