--- Groups that have handlers and were never joined: nothing will ever call these,
--- which is told when the program ends.

local forgotten = {}

-- By place and name, so that a program which makes many keeps few.
local made = {}

local function key_of(room) return ("%s %s"):format(room.name, room.place.key) end

--- A group has been made.
---@param room corolua.Group
function forgotten.note(room)
  made[key_of(room)] = { name = room.name, handlers = room.handlers }
end

--- A group joins, whether that succeeds or not.
---@param room corolua.Group
function forgotten.clear(room) made[key_of(room)] = nil end

--- The names of those that have handlers, sorted.
---@return string[]
function forgotten.names()
  local names = {}
  for _, entry in pairs(made) do
    if next(entry.handlers) then names[#names + 1] = entry.name end
  end
  table.sort(names)
  return names
end

return forgotten
