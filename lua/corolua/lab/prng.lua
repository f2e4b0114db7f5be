--- Random numbers that depend on their seed alone: the same on every machine,
--- and untouched by what else draws in the program.

local scheduler = require("corolua.task.scheduler")

---@class corolua.lab.Prng
---@field state integer
local methods = {}
local prng_mt = { __name = "corolua.lab.prng", __index = methods }

local prng = {}

---@param seed integer
---@return corolua.lab.Prng
function prng.new(seed) return setmetatable({ state = seed }, prng_mt) end

--- A seed that nobody chose.
---@return integer
function prng.any_seed() return scheduler.nonce() & 0xffffffff end

-- The generator known as splitmix64; Lua's integers wrap as it wants.
local function next_integer(self)
  self.state = self.state + 0x9e3779b97f4a7c15
  local z = self.state
  z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
  z = (z ~ (z >> 27)) * 0x94d049bb133111eb
  return z ~ (z >> 31)
end

--- A number of 0 to 1, 1 left out.
---@return number
function methods:unit() return (next_integer(self) >> 11) * 2.0 ^ -53 end

--- A number between two others, to three decimals.
---@param low number
---@param high number
---@return number
function methods:between(low, high)
  return math.floor((low + (high - low) * self:unit()) * 1000 + 0.5) / 1000
end

--- An integer of low to high.
---@param low integer
---@param high integer
---@return integer
function methods:integer(low, high)
  return low + math.floor(self:unit() * (high - low + 1))
end

--- An element of an array.
function methods:one_of(list) return list[self:integer(1, #list)] end

--- True so often.
---@param probability number
---@return boolean
function methods:chance(probability) return self:unit() < probability end

--- A copy of the array in an order that was drawn.
---@param list any[]
---@return any[]
function methods:shuffled(list)
  local copy = table.move(list, 1, #list, 1, {})
  for i = #copy, 2, -1 do
    local j = self:integer(1, i)
    copy[i], copy[j] = copy[j], copy[i]
  end
  return copy
end

--- One of an array of { weight =, … }, drawn by weight.
---@param list { weight: number }[]
---@return table
function methods:by_weight(list)
  local sum = 0
  for _, entry in ipairs(list) do sum = sum + entry.weight end
  local left = self:unit() * sum
  for _, entry in ipairs(list) do
    left = left - entry.weight
    if left < 0 then return entry end
  end
  return list[#list]
end

return prng
