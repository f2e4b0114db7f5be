--- A plan is a plain list of timed faults: { at = 1.25, fault = "kill", 3 }, with
--- `at` in seconds from its start. It is drawn from a seed, printed, saved, read
--- again, and carried out by `cluster:replay`.

local prng = require("corolua.lab.prng")
local kinds = require("corolua.lab.fault_kinds")
local check_keys = require("corolua.base.names").check_keys
local options = require("corolua.lab.options")
local shown = require("corolua.base.shown")

local schedule = {}

---@class corolua.lab.PlanEntry
---@field at number seconds from the start
---@field fault string the call: "partition", "kill", and so on
---@field [integer] any its arguments, of a fault of a node the nodeid first

---@class corolua.lab.Plan
---@field [integer] corolua.lab.PlanEntry in the order of their times
local methods = {}
local plan_mt = { __name = "corolua.lab.schedule", __index = methods }

---@class corolua.lab.PlanOptions
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

local function is_seconds(value)
  return type(value) == "number" and value > 0 and value < math.huge, "a number of seconds"
end

local OPTIONS = {
  faults = function(value) return type(value) == "table", "{ fault = weight }" end,
  pause = is_span,
  lasting = is_seconds,
  seed = function(value) return math.type(value) == "integer", "an integer" end,
  on_fault = function(value) return type(value) == "function", "a function" end,
}

local function check_weight(name, weight, cluster, level)
  local kind = kinds.all[name]
  if type(weight) ~= "number" or not (weight >= 0 and weight < math.huge) then
    error(("the weight of fault '%s' must be a number from 0, got %s")
      :format(name, shown(weight)), level + 1)
  end
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
local function weighted(weights)
  local list = {}
  for name, weight in pairs(weights) do
    if weight > 0 then list[#list + 1] = { name = name, weight = weight } end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function check(cluster, given, level)
  if type(given) ~= "table" then
    error("nemesis takes a table of options, got " .. type(given), level + 1)
  end
  options.check_values(given, OPTIONS, "nemesis option", level + 1)
  local weights = given.faults or kinds.weights(cluster.nodes, cluster.network)
  check_keys(weights, kinds.all, "fault", level + 1)
  for name, weight in pairs(weights) do check_weight(name, weight, cluster, level + 1) end
  local list = weighted(weights)
  if #list == 0 then error("nemesis: no fault has a weight above 0", level + 1) end
  return list
end

-- The more is broken, the more likely the next step mends something.
local function draw_step(rolls, choices, broken)
  local ends = kinds.ends(broken)
  if rolls:chance(math.min(0.75, 0.35 * #ends)) then
    return { kinds.mended(broken, rolls:one_of(ends)) }
  end
  local kind = kinds.all[rolls:by_weight(choices).name]
  local entries = kind.draw(rolls, broken)
  if entries and kind.network then broken.network = true end
  if not entries and #ends > 0 then
    entries = { kinds.mended(broken, rolls:one_of(ends)) }
  end
  return entries or {}
end

--- Draws a plan. The same arguments give the same plan, everywhere.
---@param cluster { nodes: integer, network: "switch"|"bridge" }
---@param given corolua.lab.PlanOptions
---@param level integer? as in `error`: whom a wrong option is blamed on
---@return corolua.lab.Plan plan, integer seed
function schedule.draw(cluster, given, level)
  local choices = check(cluster, given, (level or 1) + 1)
  local seed = given.seed or prng.any_seed()
  local pause, lasting = given.pause or DEFAULT_PAUSE, given.lasting or DEFAULT_LASTING
  local rolls, broken, list = prng.new(seed), kinds.nothing_broken(cluster.nodes), {}
  local at = rolls:between(pause[1], pause[2])
  while at < lasting do
    for _, entry in ipairs(draw_step(rolls, choices, broken)) do
      entry.at = at
      list[#list + 1] = entry
    end
    at = math.floor((at + rolls:between(pause[1], pause[2])) * 1000 + 0.5) / 1000
  end
  list.lasting = lasting
  return setmetatable(list, plan_mt), seed
end

local write

local function write_table(value)
  local parts, names = {}, {}
  for i, element in ipairs(value) do parts[i] = write(element) end
  for name in pairs(value) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do parts[#parts + 1] = name .. " = " .. write(value[name]) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

function write(value)
  if type(value) == "table" then return write_table(value) end
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "number" then return ("%.14g"):format(value) end
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

--- The line of a script that draws the same plan again, for as many nodes.
---@param given corolua.lab.PlanOptions
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
---@param entry table
---@return string
function schedule.line(entry)
  local words = { ("at = %g"):format(entry.at), ("fault = %q"):format(entry.fault) }
  for _, argument in ipairs(entry) do words[#words + 1] = write(argument) end
  return "{ " .. table.concat(words, ", ") .. " }"
end

function plan_mt:__tostring()
  local lines = { "return {" }
  if self.lasting then lines[2] = ("  lasting = %g,"):format(self.lasting) end
  for _, entry in ipairs(self) do lines[#lines + 1] = "  " .. schedule.line(entry) .. "," end
  lines[#lines + 1] = "}\n"
  return table.concat(lines, "\n")
end

--- Writes the plan into a file that `cluster:replay` reads.
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

--- A plan that was written by hand, or is in a file.
---@param given table|string the list, or the path of a file that returns it
---@param level integer as in `error`
---@return corolua.lab.Plan
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
  return setmetatable(given, getmetatable(given) or plan_mt)
end

return schedule
