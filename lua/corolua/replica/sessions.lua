--- The number of the last command that was applied, by the member it came from
--- and the replica that the member had then. It is part of the state: it goes
--- with every snapshot, and what is forgotten of it depends on nothing but the
--- log. A member counts as what corosync says it is: no other one can use up its
--- numbers.

local sessions = {}

---@class corolua.replica.Sessions
---@field entries table<integer, { origin: integer, number: integer, index: integer }>
local methods = {}
local sessions_mt = { __index = methods }

-- A process that is started anew is another member.
local KEPT, MAX = 256, 512

local ENTRY = "<I4I4i8i8i8"

local function key_of(nodeid, pid) return nodeid << 32 | pid end

---@return corolua.replica.Sessions
function sessions.new() return setmetatable({ entries = {}, count = 0 }, sessions_mt) end

-- The keys, the one that was heard of last before the others.
local function by_index(self)
  local list, entries = {}, self.entries
  for key in pairs(entries) do list[#list + 1] = key end
  table.sort(list, function(a, b) return entries[a].index > entries[b].index end)
  return list
end

local function forget_oldest(self)
  local list = by_index(self)
  for i = KEPT + 1, #list do self.entries[list[i]] = nil end
  self.count = KEPT
end

--- Takes note of a command; false if it, or a later one of that origin, has been
--- applied already.
---@param origin integer
---@param number integer
---@param index integer of its record
---@param nodeid integer
---@param pid integer
---@return boolean
function methods:note(origin, number, index, nodeid, pid)
  local key = key_of(nodeid, pid)
  local entry = self.entries[key]
  if entry and entry.origin == origin and number <= entry.number then return false end
  self.entries[key] = { origin = origin, number = number, index = index }
  if not entry then
    self.count = self.count + 1
    if self.count > MAX then forget_oldest(self) end
  end
  return true
end

--- The number of the last command of an origin that was applied; 0 if none.
---@param origin integer
---@param nodeid integer
---@param pid integer
---@return integer
function methods:last(origin, nodeid, pid)
  local entry = self.entries[key_of(nodeid, pid)]
  return entry and entry.origin == origin and entry.number or 0
end

---@return string
function methods:pack()
  local parts = {}
  for i, key in ipairs(by_index(self)) do
    local entry = self.entries[key]
    parts[i] = ENTRY:pack(key >> 32, key & 0xffffffff, entry.origin, entry.number, entry.index)
  end
  return string.pack("<I4", #parts) .. table.concat(parts)
end

--- Raises where the bytes are too few.
---@param bytes string
---@param at integer
---@return corolua.replica.Sessions, integer at
function sessions.unpack(bytes, at)
  local self = sessions.new()
  self.count, at = string.unpack("<I4", bytes, at)
  for _ = 1, self.count do
    local nodeid, pid, origin, number, index
    nodeid, pid, origin, number, index, at = ENTRY:unpack(bytes, at)
    self.entries[key_of(nodeid, pid)] = { origin = origin, number = number, index = index }
  end
  return self, at
end

return sessions
