--- Faults and outages as spans of time: from when they were in force until what
--- mends them.

local printable = require("corolua.draw.printable")

local spans = {}

---@class corolua.draw.Span
---@field t integer
---@field t1 integer
---@field text string
---@field mends boolean
---@field failed boolean it could not be put in force

---@class corolua.draw.Outage
---@field n integer the node
---@field what "paused"|"dead"
---@field t integer
---@field t1 integer

-- Which fault a further one of the same key takes the place of: "network" is one
-- shape for all nodes, others are those of a node or a pair.
local SHAPES = { partition = true, ring = true, bridge_node = true }
local ENDS = { start = "dead", resume = "paused", plug = "unplug", unblock = "block" }
local NODE = { kill = "dead", stop = "dead", crash = "dead", pause = "paused", unplug = "unplug" }

local function args_of(fault)
  local words = {}
  for i, value in ipairs(type(fault.args) == "table" and fault.args or {}) do
    words[i] = tostring(value)
  end
  return table.concat(words, " ")
end

local function key_of(fault)
  if SHAPES[fault.op] then return "shape" end
  if NODE[fault.op] then return NODE[fault.op] .. " " .. args_of(fault) end
  if fault.op == "link" or fault.op == "link_from" then
    return "link " .. tostring(fault.text):match("^[^:]*")
  end
  return fault.op .. " " .. args_of(fault)
end

-- The links of one node that are broken in one go are one fault to people.
local TOGETHER = 5000

local function joined(before, text, fault)
  local node, other, what = text:match("^link (%d+) %- (%d+): (.*)$")
  if not node or not before or fault.t - before.t > TOGETHER then return nil end
  local first, others, value = before.text:match("^link (%d+) %- ([%d, ]+): (.*)$")
  if first ~= node or value ~= what then return nil end
  return ("link %s - %s, %s: %s"):format(node, others, other, what)
end

local function close(open, key, t)
  if open[key] then open[key].t1 = t end
  open[key] = nil
end

local function close_network(open, t)
  for key in pairs(open) do
    if not key:find("^dead ") and not key:find("^paused ") then close(open, key, t) end
  end
end

local function mend(open, fault)
  if fault.op == "heal" then return close_network(open, fault.t) end
  local what = ENDS[fault.op]
  close(open, what and what .. " " .. args_of(fault) or key_of(fault), fault.t)
end

--- The faults of a run.
---@param past corolua.check.Past
---@param stop integer when it ended
---@return corolua.draw.Span[]
function spans.faults(past, stop)
  local list, open = {}, {}
  for _, fault in ipairs(past.faults) do
    local text = type(fault.text) == "string" and fault.text or fault.op
    local failed, mends = fault.ok == false, fault.mends == true
    text = printable.text(text)
    local last = list[#list]
    local together = not failed and not mends and joined(last, text, fault)
    local span = together and last
      or { t = fault.t, t1 = fault.t, text = text, mends = mends, failed = failed }
    if together then span.text = together else list[#list + 1] = span end
    if mends and not failed then
      mend(open, fault)
    elseif not failed then
      local key = key_of(fault)
      close(open, key, fault.t)
      span.t1, open[key] = stop, span
    end
  end
  return list
end

local function deeds_of(past)
  local list = {}
  for _, process in ipairs(past.processes) do
    list[#list + 1] = { n = process.n, what = process.what, t = process.t }
  end
  if #list > 0 then return list end
  for _, fault in ipairs(past.faults) do
    local n = type(fault.args) == "table" and math.type(fault.args[1]) == "integer"
      and fault.args[1]
    if n and fault.ok ~= false then list[#list + 1] = { n = n, what = fault.op, t = fault.t } end
  end
  return list
end

local OUTAGES = { kill = "dead", stop = "dead", crash = "dead", pause = "paused" }

--- When daemons were dead or stood still.
---@param past corolua.check.Past
---@param stop integer
---@return corolua.draw.Outage[]
function spans.outages(past, stop)
  local list, open = {}, {}
  for _, deed in ipairs(deeds_of(past)) do
    local what, current = OUTAGES[deed.what], open[deed.n]
    local is_end = deed.what == "start" or deed.what == "resume"
    if (is_end or what) and current and current.what ~= what then
      current.t1, open[deed.n] = deed.t, nil
    end
    if what and not open[deed.n] then
      open[deed.n] = { n = deed.n, what = what, t = deed.t, t1 = stop }
      table.insert(list, open[deed.n])
    end
  end
  return list
end

return spans
