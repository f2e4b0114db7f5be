--- Who hears whom: the network faults in force, in layers that do not know of
--- one another, and the cells of the switch that follow from them.
---
--- A shape (partition, ring, bridge of a node) says how all cables are joined,
--- and replaces the shape before. Isolated nodes, blocked directions and faulty
--- links come on top of it.

local lists = require("corolua.base.lists")

---@class corolua.lab.Reachability
---@field nodes integer
---@field links integer
---@field shape corolua.lab.Shape?
---@field isolated table<integer, number> since when
---@field blocked table<integer, table<integer, number>> since when, by from and to
---@field faulty table<integer, table<integer, table>> by from and to: a fault per link
---@field unplugged table<integer, number> since when
local methods = {}
local reachability_mt = { __name = "corolua.lab.reachability", __index = methods }

local reachability = {}

--- No faults.
---@param nodes integer
---@param links integer
---@return corolua.lab.Reachability
function reachability.new(nodes, links)
  local self = setmetatable({
    nodes = nodes, links = links, isolated = {}, blocked = {}, faulty = {}, unplugged = {},
  }, reachability_mt)
  for id = 1, nodes do self.blocked[id], self.faulty[id] = {}, {} end
  return self
end

local function copy_of(layer)
  local copy = {}
  for key, value in pairs(layer) do copy[key] = value end
  return copy
end

--- The same faults, to be changed.
---@return corolua.lab.Reachability
function methods:copy()
  local copy = reachability.new(self.nodes, self.links)
  copy.shape = self.shape
  copy.isolated, copy.unplugged = copy_of(self.isolated), copy_of(self.unplugged)
  for id = 1, self.nodes do
    copy.blocked[id], copy.faulty[id] = copy_of(self.blocked[id]), copy_of(self.faulty[id])
  end
  return copy
end

-- Whether the layers above the links let nothing through.
local function is_closed(self, from, to)
  if self.shape and not self.shape.hears(from, to) then return true end
  return self.isolated[from] ~= nil or self.isolated[to] ~= nil or self.blocked[from][to] ~= nil
end

local function fault_of(self, from, to, link)
  local faults = self.faulty[from][to]
  return faults and faults[link]
end

--- What the switch is to do with frames in one direction.
---@return corolua.switch.Faults faults as `switch:apply` takes them
function methods:cell(from, to, link)
  local fault = fault_of(self, from, to, link)
  local cell = fault and copy_of(fault.faults) or {}
  if is_closed(self, from, to) then cell.block = true end
  return cell
end

--- All cells, for `switch:apply`.
---@return table[]
function methods:cells()
  local list = {}
  for from = 1, self.nodes do
    for to = 1, self.nodes do
      for link = 0, from == to and -1 or self.links - 1 do
        list[#list + 1] = { from, to, self:cell(from, to, link), link }
      end
    end
  end
  return list
end

--- Whether a node hears nothing at all of another.
---@param from integer
---@param to integer the node that would hear
---@return boolean
function methods:is_deaf(from, to)
  if from == to then return false end
  if self.unplugged[from] or self.unplugged[to] then return true end
  for link = 0, self.links - 1 do
    local cell = self:cell(from, to, link)
    if not cell.block and (cell.loss or 0) < 1 then return false end
  end
  return true
end

--- Whether two nodes do not hear each other in both directions.
---@return boolean
function methods:is_cut(a, b) return self:is_deaf(a, b) or self:is_deaf(b, a) end

--- Whether neither of two nodes hears the other.
---@return boolean
function methods:is_apart(a, b) return self:is_deaf(a, b) and self:is_deaf(b, a) end

--- The faults of a link in words.
---@param faults table<string, number|boolean>
---@return string
function reachability.describe(faults)
  local words = {}
  for i, key in ipairs(lists.keys(faults)) do words[i] = key .. " = " .. tostring(faults[key]) end
  return #words > 0 and table.concat(words, ", ") or "good"
end

local function entry(kind, text, since) return { kind = kind, text = text, since = since } end

local function list_links(self, list, from, to)
  for link = 0, self.links - 1 do
    local fault = fault_of(self, from, to, link)
    if fault then
      local on = self.links > 1 and (" on link %d"):format(link) or ""
      list[#list + 1] = entry("link", ("%d -> %d%s: %s"):format(from, to, on,
        reachability.describe(fault.faults)), fault.since)
    end
  end
end

local function list_directions(self, list)
  for from = 1, self.nodes do
    for to = 1, self.nodes do
      local since = self.blocked[from][to]
      if since then
        list[#list + 1] = entry("block", ("%d -> %d blocked"):format(from, to), since)
      end
      list_links(self, list, from, to)
    end
  end
end

--- What is in force, as entries with `kind`, `text` and `since`.
---@return { kind: string, text: string, since: number }[]
function methods:list()
  local list = {}
  if self.shape then list[1] = entry(self.shape.kind, self.shape.text, self.shape.since) end
  for id = 1, self.nodes do
    local since = self.isolated[id]
    if since then list[#list + 1] = entry("isolate", ("node %d isolated"):format(id), since) end
    since = self.unplugged[id]
    if since then list[#list + 1] = entry("unplug", ("node %d unplugged"):format(id), since) end
  end
  list_directions(self, list)
  return list
end

return reachability
