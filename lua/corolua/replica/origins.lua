--- The number of the last command that was applied, by the replica it came from.
--- It is part of the state: it goes with every snapshot, and what is forgotten
--- of it depends on nothing but the log.

local origins = {}

---@class corolua.replica.Origins
---@field numbers table<integer, integer>
local methods = {}
local origins_mt = { __index = methods }

-- A replica gets a new origin whenever it is opened.
local KEPT, MAX = 256, 512

local ENTRY = "<i8I8I8"

---@return corolua.replica.Origins
function origins.new()
  return setmetatable({ numbers = {}, indices = {}, count = 0 }, origins_mt)
end

local function forget_oldest(self)
  local list = {}
  for origin in pairs(self.numbers) do list[#list + 1] = origin end
  table.sort(list, function(a, b) return self.indices[a] > self.indices[b] end)
  for i = KEPT + 1, #list do
    self.numbers[list[i]], self.indices[list[i]] = nil, nil
  end
  self.count = KEPT
end

--- Takes note of a command; false if it, or a later one of that origin, has been
--- applied already.
---@param origin integer
---@param number integer
---@param index integer of its record
---@return boolean
function methods:note(origin, number, index)
  local before = self.numbers[origin]
  if before and number <= before then return false end
  self.numbers[origin], self.indices[origin] = number, index
  if not before then
    self.count = self.count + 1
    if self.count > MAX then forget_oldest(self) end
  end
  return true
end

--- The number of the last command of an origin that was applied; 0 if none.
---@param origin integer
---@return integer
function methods:last(origin) return self.numbers[origin] or 0 end

---@return string
function methods:pack()
  local parts = {}
  for origin, number in pairs(self.numbers) do
    parts[#parts + 1] = string.pack(ENTRY, origin, number, self.indices[origin])
  end
  return string.pack("<I4", #parts) .. table.concat(parts)
end

---@param bytes string
---@param at integer
---@return corolua.replica.Origins, integer at
function origins.unpack(bytes, at)
  local self = origins.new()
  self.count, at = string.unpack("<I4", bytes, at)
  for _ = 1, self.count do
    local origin, number, index
    origin, number, index, at = string.unpack(ENTRY, bytes, at)
    self.numbers[origin], self.indices[origin] = number, index
  end
  return self, at
end

return origins
