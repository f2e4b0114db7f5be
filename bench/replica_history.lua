--- What the clients of replica_soak did and saw, and what must hold for it.

local linearizable = require("corolua.check.linearizable")

local replica_history = {}

local methods = {}
local mt = { __index = methods }

--- The history of the clients of one replica.
---@param name string
function replica_history.new(name)
  return setmetatable({ name = name, by_id = {}, codes = {}, called = 0, acked = 0, failed = 0,
    notes = {} }, mt)
end

local takers = {}

function takers.c(self, id, kind, key, value, time)
  self.called = self.called + 1
  self.by_id[id] = { id = id, kind = kind == "w" and "write" or "read", key = key,
    value = kind == "w" and value or nil, start = tonumber(time) }
end

function takers.r(self, id, time, result)
  local operation = self.by_id[id]
  self.acked = self.acked + 1
  operation.stop = tonumber(time)
  if operation.kind == "read" then
    operation.value = result
  elseif result ~= operation.value then
    self:note("write %s was answered %s", id, result)
  end
end

function takers.f(self, _, code)
  self.failed = self.failed + 1
  self.codes[code] = (self.codes[code] or 0) + 1
end

--- Takes in what a client printed.
---@param kind string
---@param ... string
function methods:take(kind, ...) takers[kind](self, ...) end

--- Something that must not be.
function methods:note(...) table.insert(self.notes, self.name .. ": " .. string.format(...)) end

local function find_longest(sequences)
  local longest = {}
  for _, sequence in pairs(sequences) do
    if #sequence > #longest then longest = sequence end
  end
  return longest
end

local function check_prefix(self, node, sequence, longest)
  for i, id in ipairs(sequence) do
    if longest[i] ~= id then
      return self:note("node %d has %s at %d, another %s", node, id, i, longest[i])
    end
  end
end

local function check_once(self, sequence)
  local place = {}
  for i, id in ipairs(sequence) do
    if place[id] then self:note("%s is there at %d and at %d", id, place[id], i) end
    if not self.by_id[id] then self:note("%s at %d was never submitted", id, i) end
    place[id] = i
  end
  return place
end

local function check_acked(self, place)
  for id, operation in pairs(self.by_id) do
    if operation.stop and not place[id] then
      self:note("%s was acknowledged at %.3f and is not there", id, operation.stop)
    end
  end
end

local function by_key(self)
  local keys = {}
  for _, operation in pairs(self.by_id) do
    keys[operation.key] = keys[operation.key] or {}
    table.insert(keys[operation.key], operation)
  end
  return keys
end

local function check_registers(self)
  self.registers = 0
  for key, history in pairs(by_key(self)) do
    self.registers = self.registers + 1
    local fits, blocked =
      linearizable.check(linearizable.prune(history), linearizable.register("none"))
    if not fits then
      self:note("the history of register %s is not linearizable; %s of %s, %.6f to %.6f, does not "
        .. "fit", key, blocked.kind, blocked.id, blocked.start, blocked.stop or math.huge)
    end
  end
end

--- Checks all: the sequences of commands that the nodes had at the end, and what
--- was answered.
---@param sequences table<integer, string[]> by node
function methods:check(sequences)
  local longest = find_longest(sequences)
  self.length = #longest
  for node, sequence in pairs(sequences) do check_prefix(self, node, sequence, longest) end
  check_registers(self)
  check_acked(self, check_once(self, longest))
end

return replica_history
