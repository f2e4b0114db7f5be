--- Runs that nobody ran: the events of a trace of members that keep everything,
--- through partitions and heals, for specs that break one thing in them.

local json = require("corolua.base.json")

local played = {}

---@class spec.Played
local methods = {}
local played_mt = { __index = methods }

local PID = 100

local function address(node) return ("%d/%d"):format(node, PID) end

-- Equal texts have equal hashes.
local function hash(text)
  local sum = 7
  for i = 1, #text do sum = (sum * 31 + text:byte(i)) & 0xfffffffffffff end
  return ("%013x"):format(sum)
end

local function add(self, event)
  self.t = self.t + 10
  event.t = event.k ~= "run" and self.t or nil
  table.insert(self.events, event)
end

local function has(list, item)
  for _, known in ipairs(list) do
    if known == item then return true end
  end
  return false
end

local function addresses(nodes)
  local list = {}
  for i, node in ipairs(nodes) do list[i] = address(node) end
  return list
end

local function changes(nodes, reason)
  local list = {}
  for i, node in ipairs(nodes) do list[i] = { address(node), reason } end
  return list
end

local function without(nodes, others)
  local list = {}
  for _, node in ipairs(nodes) do
    if not has(others, node) then list[#list + 1] = node end
  end
  return list
end

local function ring_name(nodes, seq) return ("%d.%x"):format(nodes[1], seq) end

function methods:tell_quorum(nodes)
  for _, node in ipairs(nodes) do
    add(self, { k = "quorum", n = node, quorate = #nodes > #self.nodes / 2,
      ring = self.ring_of[node], nodes = nodes, joined = {}, left = {} })
  end
end

-- One node of a ring is told that the members changed, and of the ring.
local function enter(self, node, nodes, ring)
  local before = self.view_of[node]
  local left, joined = without(before, nodes), without(nodes, before)
  if #left > 0 then
    add(self, { k = "conf", h = self.h_of[node], members = addresses(without(before, left)),
      left = changes(left, "nodedown"), joined = {} })
  end
  if #joined > 0 then
    add(self, { k = "conf", h = self.h_of[node], members = addresses(nodes), left = {},
      joined = changes(joined, "nodeup") })
  end
  add(self, { k = "ring", h = self.h_of[node], ring = ring, nodes = nodes })
  self.ring_of[node], self.view_of[node] = ring, nodes
end

--- All nodes of each part form a ring; the seq rises by 4, unless told.
---@param parts integer[][] each sorted
---@param step integer?
function methods:form(parts, step)
  self.seq = self.seq + (step or 4)
  for _, nodes in ipairs(parts) do
    for _, node in ipairs(nodes) do enter(self, node, nodes, ring_name(nodes, self.seq)) end
    self:tell_quorum(nodes)
  end
end

--- A node's daemon dies, and the others go on without it.
---@param node integer
---@param others integer[]
function methods:lose(node, others)
  add(self, { k = "proc", n = node, what = "kill" })
  add(self, { k = "end", h = self.h_of[node], why = "down", unconfirmed = self.unread[node] })
  self:form({ others })
end

--- A group is told of nodes that had parted unseen before the ring it is in.
---@param node integer
---@param nodes integer[]
function methods:tell_hidden(node, nodes)
  add(self, { k = "hidden", h = self.h_of[node], ring = self.ring_of[node], nodes = nodes })
end

--- A fault was put in force.
---@param op string
---@param mends boolean
function methods:fault(op, mends)
  add(self, { k = "fault", op = op, args = {}, text = op, mends = mends, ok = true })
end

--- A member sends, and those that are told read it: all of its view, unless told.
---@param node integer
---@param text string
---@param readers integer[]?
function methods:say(node, text, readers)
  local number = self.sent[node] + 1
  self.sent[node] = number
  add(self, { k = "send", h = self.h_of[node], m = number, x = hash(text), b = #text })
  readers = readers or self.view_of[node]
  if not has(readers, node) then table.insert(self.unread[node], number) end
  for _, reader in ipairs(readers) do
    add(self, { k = "recv", h = self.h_of[reader], f = address(node), x = hash(text), b = #text })
  end
end

local function join(self, node, nodes, members)
  add(self, { k = "join", h = self.h_of[node], n = node, p = PID, g = "g", packed = false })
  add(self, { k = "conf", h = self.h_of[node], members = addresses(members), left = {},
    joined = changes({ node }, "join") })
  add(self, { k = "ring", h = self.h_of[node], ring = self.ring_of[node], nodes = nodes })
  for _, other in ipairs(members) do
    if other ~= node then
      add(self, { k = "conf", h = self.h_of[other], members = addresses(members), left = {},
        joined = changes({ node }, "join") })
    end
  end
end

--- A member leaves and joins again, in the same ring.
---@param node integer
function methods:come_back(node)
  local others = without(self.view_of[node], { node })
  add(self, { k = "end", h = self.h_of[node], why = "leave", unconfirmed = self.unread[node] })
  for _, other in ipairs(others) do
    add(self, { k = "conf", h = self.h_of[other], members = addresses(others),
      left = changes({ node }, "leave"), joined = {} })
  end
  self.h_of[node], self.sent[node], self.unread[node] = self.h_of[node] + 100, 0, {}
  join(self, node, self.view_of[node], self.view_of[node])
end

--- The last line.
---@param settled boolean
function methods:stop(settled) add(self, { k = "stop", settled = settled, dropped = 0 }) end

--- A run of so many nodes that have all joined in ring 1.4.
---@param count integer
---@return spec.Played
function played.run(count)
  local self = setmetatable({ events = {}, t = 0, seq = 4, nodes = {}, ring_of = {},
    view_of = {}, sent = {}, unread = {}, h_of = {} }, played_mt)
  add(self, { k = "run", v = 1, at = "2026-11-24T09:13:57Z", mono = 1000, boot = "b",
    where = "lab", script = "played", seed = 1, nodes = count, token = 300, consensus = 360,
    two_node = false })
  for node = 1, count do self.nodes[node] = node end
  for node = 1, count do
    self.ring_of[node], self.view_of[node], self.sent[node] = "1.4", self.nodes, 0
    self.unread[node], self.h_of[node] = {}, node
  end
  self:tell_quorum(self.nodes)
  for node = 1, count do join(self, node, self.nodes, table.move(self.nodes, 1, node, 1, {})) end
  return self
end

--- Five nodes: all together, in two parts, together again. Each says something
--- everywhere, one after the other.
---@param text (fun(node: integer, i: integer): string)? what it says; all different unless told
---@return spec.Played
function played.split_and_heal(text)
  text = text or function(node, i) return ("%d says %d"):format(node, i) end
  local run = played.run(5)
  local said = 0
  local function all_say()
    for _ = 1, 3 do
      said = said + 1
      for node = 1, 5 do run:say(node, text(node, said)) end
    end
  end
  all_say()
  run:fault("partition", false)
  run:form({ { 1, 2 }, { 3, 4, 5 } })
  all_say()
  run:fault("heal", true)
  run:form({ { 1, 2, 3, 4, 5 } })
  all_say()
  run:stop(true)
  return run
end

--- Gives the events of a list one after the other.
---@param events table[]
---@return fun(): table?
function played.each(events)
  local i = 0
  return function()
    i = i + 1
    return events[i]
  end
end

local ORDER = { "k", "t", "h", "n", "f", "m", "x", "b" }

-- The keys of an event, as a trace has them: those that a reader looks at first.
local function line_of(event)
  local rest, parts, is_told = {}, {}, {}
  for _, key in ipairs(ORDER) do is_told[key] = true end
  for key in pairs(event) do
    if not is_told[key] then rest[#rest + 1] = key end
  end
  table.sort(rest)
  for _, keys in ipairs({ ORDER, rest }) do
    for _, key in ipairs(keys) do
      if event[key] ~= nil then
        parts[#parts + 1] = ('"%s":%s'):format(key, json.encode(event[key]))
      end
    end
  end
  return "{" .. table.concat(parts, ",") .. "}\n"
end

--- The events as lines of a file.
---@param events table[]
---@return string
function played.lines(events)
  local list = {}
  for i, event in ipairs(events) do list[i] = line_of(event) end
  return table.concat(list)
end

return played
