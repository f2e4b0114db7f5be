--- Total order: what two members both delivered came in the same order to both,
--- and nothing came twice.

local total_order = {}

--- Where each message stands, and how many stand there twice.
---@param messages any[] in the order of delivery; no two messages are equal
---@return table<any, integer> places
---@return integer twice
function total_order.places(messages)
  local places, twice = {}, 0
  for i, message in ipairs(messages) do
    if places[message] then twice = twice + 1 end
    places[message] = i
  end
  return places, twice
end

--- How many messages come behind one that they come before elsewhere.
---@param places table<any, integer> of one member
---@param messages any[] of another one
---@return integer
function total_order.misordered(places, messages)
  local last, wrong = 0, 0
  for _, message in ipairs(messages) do
    local place = places[message]
    if place and place < last then wrong = wrong + 1 end
    last = place or last
  end
  return wrong
end

return total_order
