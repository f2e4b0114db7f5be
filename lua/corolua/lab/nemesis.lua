--- A nemesis carries out a schedule of timed faults on a cluster, as a task of its
--- own beside whatever the script does, mends everything at the end, and leaves
--- the cluster settled.

local args = require("corolua.base.args")
local checks = require("corolua.lab.fault_checks")
local guard = require("corolua.base.guard")
local lists = require("corolua.base.lists")
local names = require("corolua.base.names")
local schedule = require("corolua.lab.schedule")
local scheduler = require("corolua.task.scheduler")
local shown = require("corolua.base.shown")
local condition = require("corolua.task.condition")

---@class corolua.lab.Cluster
local cluster_methods = {}

local nemesis = { methods = cluster_methods }

-- What an entry of a list may name, and whether it mends rather than breaks.
local ON_CLUSTER = {
  partition = "breaks", isolate = "breaks", block = "breaks", ring = "breaks",
  bridge_node = "breaks", link = "breaks", link_from = "breaks", heal = "mends",
  unblock = "mends",
}
local ON_NODE = {
  kill = "breaks", stop = "breaks", restart = "breaks", pause = "breaks", unplug = "breaks",
  start = "mends", resume = "mends", plug = "mends",
}

local KNOWN = {}
for _, faults in ipairs({ ON_CLUSTER, ON_NODE }) do
  for name in pairs(faults) do KNOWN[name] = true end
end

---@class corolua.lab.Nemesis
---@field list corolua.lab.Schedule what is carried out
---@field seed integer? from which the list was drawn
---@field again string what repeats it: a line of a script
---@field taken table<string, integer> how often each fault was put in force
---@field frames table<string, integer> what that did to the frames on the cables, by the
--- switch's counters: blocked, lost, duplicated, reordered, corrupted, delayed
---@field mended integer how many entries of the list mended something
---@field failed { at: number, fault: string, why: string }[] what could not be put in force
---@field storms integer how often the cluster settled only after a moment of silence
---@field total integer faults put in force; several entries of one moment count once
local methods = {}
local nemesis_mt = { __name = "corolua.lab.nemesis", __index = methods }

local function check_entries(cluster, list, level)
  for i, entry in ipairs(list) do
    names.check(entry.fault, KNOWN, "fault", level + 1)
    local id = entry[1]
    if ON_NODE[entry.fault] and not (math.type(id) == "integer" and cluster[id]) then
      error(("entry %d of the list, %s, names node %s; there are nodes 1 to %d")
        :format(i, entry.fault, shown.value(id), #cluster), level + 1)
    end
  end
end

local function carry_out(cluster, entry)
  if ON_CLUSTER[entry.fault] then return cluster[entry.fault](cluster, table.unpack(entry)) end
  local node = cluster[entry[1]]
  return node[entry.fault](node, table.unpack(entry, 2))
end

-- A link fault is named by what it does to the frames.
local function name_of(entry)
  local does = {}
  for _, name in ipairs(lists.keys(entry.fault:find("^link") and entry[3] or {})) do
    if name ~= "jitter" and name ~= "repair" then does[#does + 1] = name end
  end
  return #does > 0 and table.concat(does, "+") or entry.fault
end

-- Several entries of one moment that do the same are one fault.
local function count(self, entry)
  if (ON_CLUSTER[entry.fault] or ON_NODE[entry.fault]) == "mends" then
    self.mended = self.mended + 1
    return
  end
  local name = name_of(entry)
  if self.last and self.last.at == entry.at and self.last.name == name then return end
  self.last = { at = entry.at, name = name }
  self.taken[name] = (self.taken[name] or 0) + 1
  self.total = self.total + 1
end

local function take(self, entry)
  local ok, why = carry_out(self.cluster, entry)
  if ok then
    count(self, entry)
  else
    table.insert(self.failed, { at = entry.at, fault = entry.fault, why = tostring(why) })
  end
  if self.on_fault then self.on_fault(entry, ok, why) end
end

local FRAMES = { "blocked", "lost", "duplicated", "reordered", "corrupted", "delayed" }

local function add_frames(sums, cell)
  for _, name in ipairs(FRAMES) do sums[name] = (sums[name] or 0) + cell[name] end
end

-- Sums of the switch's counters; a bridge has none.
local function count_frames(cluster)
  local sums = {}
  local counters = cluster.network.switch and cluster:counters() or {}
  for from = 1, #cluster do
    for to = 1, #cluster do
      local cell = from ~= to and counters[from] and counters[from][to]
      if cell then add_frames(sums, cell) end
    end
  end
  return sums
end

-- Whether the list is to go on once the moment has come.
local function wait_until(self, moment)
  local function is_over() return self.ending or self.cluster.closed end
  local left = scheduler.left_until(moment)
  local _, _, code = condition.wait_until(self.changed, is_over, left)
  return code == "ERR_TIMEOUT" and not is_over()
end

local function mend_node(self, node)
  if node.paused then return node:resume() end
  if not node:is_running() and self.running[node.nodeid] then return node:start() end
  return true
end

local INTERRUPTED = "the nemesis was interrupted"

-- Steps that may wait, one after the other, until one fails; the cluster may be
-- closed meanwhile, and then none of them may be called.
local function in_turn(cluster, steps)
  return lists.try_each(steps, function(step)
    if cluster.closed or scheduler.is_stopping() then return nil, INTERRUPTED, "ERR_INTERRUPT" end
    return step()
  end)
end

-- So long corosync may take by itself; what lasts longer is a storm.
local CALM_BY_ITSELF = 10

local function singles(cluster)
  local groups = {}
  for id = 1, #cluster do groups[id] = { id } end
  return groups
end

-- After many changes in a row corosync's nodes sometimes answer each other's
-- join messages for ever, thousands a second, and agree on no ring. A moment of
-- silence ends that: each node forms a ring of its own, and these merge.
local function calm(self)
  local cluster = self.cluster
  local ok, why, code = cluster:settle(CALM_BY_ITSELF)
  if ok or code ~= "ERR_TIMEOUT" or not cluster.network.switch then return ok, why, code end
  self.storms = self.storms + 1
  return in_turn(cluster, {
    function() return cluster:partition(singles(cluster)) end,
    function() return cluster:settle() end,
    function() return cluster:heal() end,
    function() return cluster:settle() end,
  })
end

local function note_frames(self)
  for name, sum in pairs(count_frames(self.cluster)) do
    self.frames[name] = sum - (self.before[name] or 0)
  end
  return true
end

local function mend(self)
  local cluster = self.cluster
  local steps = { function() return note_frames(self) end, function() return cluster:heal() end }
  for _, node in ipairs(cluster) do
    steps[#steps + 1] = function() return mend_node(self, node) end
  end
  steps[#steps + 1] = function() return calm(self) end
  return in_turn(cluster, steps)
end

local function run(self)
  local start = scheduler.now()
  for _, entry in ipairs(self.list) do
    if not wait_until(self, start + entry.at) then break end
    take(self, entry)
  end
  if self.list.lasting then wait_until(self, start + self.list.lasting) end
  self.at_close:cancel()
  return mend(self)
end

local function start(cluster, list, on_fault, again)
  local running = {}
  for id, node in ipairs(cluster) do running[id] = node:is_running() end
  local self = setmetatable({
    cluster = cluster, list = list, on_fault = on_fault or false, again = again,
    taken = {}, frames = {}, failed = {}, mended = 0, total = 0, storms = 0,
    before = count_frames(cluster), running = running,
    changed = condition.new(), ending = false, last = false, at_close = false, task = false,
  }, nemesis_mt)
  self.at_close = cluster[1]:at_close(function() self:stop() end)
  self.task = scheduler.spawn(run, self)
  return self
end

---@class corolua.lab.ReplayOptions
---@field on_fault? fun(entry: corolua.lab.ScheduleEntry, ok: true?, why: string?) after each step

---@class corolua.lab.NemesisOptions: corolua.lab.ScheduleOptions
---@field on_fault? fun(entry: corolua.lab.ScheduleEntry, ok: true?, why: string?) after each step

--- Draws a schedule of faults and carries it out, beside the script.
---@param given? corolua.lab.NemesisOptions
---@return corolua.lab.Nemesis
function cluster_methods:nemesis(given)
  checks.open(self, "nemesis")
  given = given or {}
  local list, seed = schedule.draw(self.config, given, 2)
  local started = start(self, list, given.on_fault, schedule.call(given, seed))
  started.seed = seed
  return started
end

local REPLAY = { { "on_fault", args.callable } }

--- Carries out a list of timed faults, beside the script.
---@param list corolua.lab.Schedule|string the list, or the path of a file that returns it
---@param given? corolua.lab.ReplayOptions
---@return corolua.lab.Nemesis
function cluster_methods:replay(list, given)
  checks.open(self, "replay")
  args.check(given, REPLAY, "replay", 2)
  list = schedule.read(list, 2)
  check_entries(self, list, 2)
  return start(self, list, given and given.on_fault, "cluster:replay(nemesis.list)")
end

--- Waits until the list has been carried out, everything has been mended and
--- the cluster has settled.
---@param timeout number? in seconds
---@return corolua.lab.Nemesis? itself, with its counts, string? message, string? code
function methods:wait(timeout)
  local ok, why, code = self.task:wait(timeout)
  if not ok then return nil, why, code end
  return self
end

--- Ends it before its time: what is broken is mended, `wait` waits for that.
function methods:stop()
  self.ending = true
  self.changed:notify()
end

--- How many frames its faults touched on the cables.
---@return integer
function methods:disturbed()
  local sum = 0
  for _, touched in pairs(self.frames) do sum = sum + touched end
  return sum
end

local function summary(taken)
  local parts = {}
  for i, name in ipairs(lists.keys(taken)) do parts[i] = name .. " " .. taken[name] end
  return #parts > 0 and table.concat(parts, ", ") or "none"
end

function nemesis_mt:__tostring()
  return ("%d faults taken (%s), %d failed; again: %s")
    :format(self.total, summary(self.taken), #self.failed, self.again)
end

guard.names(nemesis_mt, "a nemesis", {
  always = { "list", "again", "taken", "frames", "mended", "failed", "storms", "total" },
  sometimes = { "seed" },
})

return nemesis
