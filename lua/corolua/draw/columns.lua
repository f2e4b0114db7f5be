--- The total order as columns: one for each message that was delivered, and one for
--- each ring, where it was formed. What a member read earlier stands further left,
--- whatever the clock says; what no member tells apart stands as it was read.

local columns = {}

---@class corolua.draw.Columns
---@field order integer[] messages, from left to right
---@field ring_of table<string, integer> the column of each ring, by group and ring
---@field of table<integer, integer> the column of each message
---@field count integer

--- The name of a ring as a group saw it.
---@param life corolua.check.Life
---@param epoch corolua.check.PastEpoch
---@return string
function columns.ring_key(life, epoch) return life.g .. " " .. tostring(epoch.ring) end

local function add_before(state, item, earlier)
  local known = state.before[item]
  if not known then
    state.before[item] = earlier
  elseif type(known) == "table" then
    if known[#known] ~= earlier then known[#known + 1] = earlier end
  elseif known ~= earlier then
    state.before[item] = { known, earlier }
  end
end

local function see(state, item, t)
  local first = state.first[item]
  if not first then
    state.items[#state.items + 1] = item
    state.first[item] = t
  elseif t < first then
    state.first[item] = t
  end
end

local function ring_item(state, key)
  local item = state.ring_items[key]
  if not item then
    state.last_item = state.last_item + 1
    item = state.last_item
    state.ring_items[key], state.ring_keys[item] = item, key
  end
  return item
end

local function add_life(state, life, times)
  local last
  for _, epoch in ipairs(life.epochs) do
    local ring = ring_item(state, columns.ring_key(life, epoch))
    see(state, ring, times[epoch.ref] or 0)
    if last and last ~= ring then add_before(state, ring, last) end
    last = ring
    for i = 1, epoch.count do
      local id = epoch[i]
      see(state, id, times[epoch.refs[i]] or 0)
      if last ~= id then add_before(state, id, last) end
      last = id
    end
  end
end

-- Puts an item behind all that has to stand before it; where those go round in a
-- circle, it is cut.
local function put(state, item)
  local stack, is_open, is_put = { item }, state.is_open, state.is_put
  while #stack > 0 do
    local top = stack[#stack]
    if is_put[top] then
      stack[#stack] = nil
    elseif is_open[top] then
      stack[#stack] = nil
      is_put[top] = true
      state.put[#state.put + 1] = top
    else
      is_open[top] = true
      local before = state.before[top]
      if type(before) == "table" then
        for i = #before, 1, -1 do
          if not is_open[before[i]] then stack[#stack + 1] = before[i] end
        end
      elseif before and not is_open[before] then
        stack[#stack + 1] = before
      end
    end
  end
end

--- The columns of a run.
---@param past corolua.check.Past
---@param times table<integer, integer>
---@return corolua.draw.Columns
function columns.of(past, times)
  local state = { before = {}, first = {}, items = {}, ring_items = {}, ring_keys = {},
    last_item = past.count, is_open = {}, is_put = {}, put = {} }
  for _, life in ipairs(past.lives) do
    if life.me then add_life(state, life, times) end
  end
  local first = state.first
  table.sort(state.items, function(a, b)
    if first[a] ~= first[b] then return first[a] < first[b] end
    return a < b
  end)
  for _, item in ipairs(state.items) do
    if not state.is_put[item] then put(state, item) end
  end
  local found = { order = {}, ring_of = {}, of = {}, count = #state.put }
  for column, item in ipairs(state.put) do
    local key = state.ring_keys[item]
    if key then
      found.ring_of[key] = column
    else
      found.order[#found.order + 1] = item
      found.of[item] = column
    end
  end
  return found
end

return columns
