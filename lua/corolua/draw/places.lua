--- Where things stand on either axis: what has a time and no column stands between
--- the columns that were seen before and after it.

local places = {}

-- When each column was seen first, made to rise from left to right.
local function column_times(drawn)
  local times = {}
  local function see(column, t)
    if not times[column] or t < times[column] then times[column] = t end
  end
  for _, lane in ipairs(drawn.lanes) do
    for i, index in ipairs(lane.m) do see(drawn.messages[index].column, lane.t[i]) end
  end
  for _, band in ipairs(drawn.bands) do
    local column = math.tointeger(band.x)
    if column then see(column, band.t) end
  end
  local last = 0
  for column = 1, drawn.columns do
    last = math.max(last, times[column] or 0)
    times[column] = last
  end
  return times
end

---@class corolua.draw.Places
---@field times integer[] when each column was seen, rising
---@field is_order boolean
---@field from number the window, on the axis
---@field to number
local methods = {}
local places_mt = { __index = methods }

-- The first column that was seen at a time or later.
local function first_since(times, count, t)
  local low, high = 1, count + 1
  while low < high do
    local middle = (low + high) // 2
    if times[middle] < t then low = middle + 1 else high = middle end
  end
  return low
end

--- Where what happened at a time stands between columns.
---@param t integer
---@return number
function methods:column_at(t) return first_since(self.times, self.count, t) - 0.5 end

--- Where it stands on the axis.
---@param t integer
---@return number
function methods:at(t) return self.is_order and self:column_at(t) or t end

--- Whether a place is in the window.
---@param place number
---@return boolean
function methods:has(place) return place >= self.from and place <= self.to end

--- The places of a run in a window of time.
---@param drawn corolua.draw.Model
---@param options corolua.draw.Options
---@return corolua.draw.Places
function places.of(drawn, options)
  local self = setmetatable({ times = column_times(drawn), count = drawn.columns,
    is_order = options.order == true }, places_mt)
  local last = self.is_order and drawn.columns + 1 or math.max(drawn.stop, 1)
  self.from = options.from and self:at(options.from * 1e6) or 0
  self.to = options.to and self:at(options.to * 1e6) or last
  if self.to <= self.from then self.to = self.from + 1 end
  return self
end

return places
