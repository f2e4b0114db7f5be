-- What may happen to the bytes of a file that were written once: damages by name,
-- each a function of the bytes and of what stood at the same place at other times.
local damage = {}

local BLOCK = 4096

local function random_bytes(length)
  local list = {}
  for i = 1, length do list[i] = string.char(math.random(0, 255)) end
  return table.concat(list)
end

-- Lengths of all sizes are alike often.
local function length_up_to(most)
  return math.max(1, math.min(most, 1 << math.random(0, 14)) - math.random(0, 1))
end

local function put(bytes, offset, piece)
  return bytes:sub(1, offset) .. piece .. bytes:sub(offset + #piece + 1)
end

-- An offset, at the start of a block in every second case, and a length that fits.
local function stretch(bytes)
  local offset = math.random(0, #bytes - 1)
  if math.random(2) == 1 then offset = offset - offset % BLOCK end
  return offset, math.min(length_up_to(#bytes), #bytes - offset)
end

damage.kinds = {}

--- Bits of a byte.
function damage.kinds.flip(bytes)
  local offset = math.random(0, #bytes - 1)
  return put(bytes, offset, string.char(bytes:byte(offset + 1) ~ math.random(1, 255)))
end

function damage.kinds.remove(bytes)
  local offset, length = stretch(bytes)
  if math.random(2) == 1 then length = 1 end
  return bytes:sub(1, offset) .. bytes:sub(offset + length + 1)
end

function damage.kinds.insert(bytes)
  local offset, length = stretch(bytes)
  if math.random(2) == 1 then length = 1 end
  return bytes:sub(1, offset) .. random_bytes(length) .. bytes:sub(offset + 1)
end

function damage.kinds.cut(bytes) return bytes:sub(1, math.random(0, #bytes - 1)) end

--- At the end of a frame.
function damage.kinds.cut_at_border(bytes, given)
  local borders = given.borders
  return bytes:sub(1, borders[math.random(#borders)])
end

function damage.kinds.lengthen(bytes)
  local length = length_up_to(2 * BLOCK)
  return bytes .. (math.random(2) == 1 and random_bytes(length) or ("\0"):rep(length))
end

function damage.kinds.zero(bytes)
  local offset, length = stretch(bytes)
  return put(bytes, offset, ("\0"):rep(length))
end

function damage.kinds.scribble(bytes)
  local offset, length = stretch(bytes)
  return put(bytes, offset, random_bytes(length))
end

function damage.kinds.swap(bytes)
  local size = BLOCK >> math.random(0, 3)
  local one, other = math.random(0, (#bytes - 1) // size), math.random(0, (#bytes - 1) // size)
  local first, second = math.min(one, other) * size, math.max(one, other) * size
  local front, back = bytes:sub(first + 1, first + size), bytes:sub(second + 1, second + size)
  if first == second then return bytes end
  return bytes:sub(1, first) .. back .. bytes:sub(first + size + 1, second) .. front
    .. bytes:sub(second + size + 1)
end

function damage.kinds.copy(bytes)
  local offset, length = stretch(bytes)
  local from = math.random(0, #bytes - length)
  return put(bytes, offset, bytes:sub(from + 1, from + length))
end

--- A block as it was before, in this file or in one that had its place.
function damage.kinds.put_back(bytes, given)
  local before = given.before[math.random(#given.before)]
  local offset = math.random(0, (math.min(#before, #bytes) - 1) // BLOCK) * BLOCK
  return put(bytes, offset, before:sub(offset + 1, math.min(offset + BLOCK, #bytes)))
end

damage.names = {}
for name in pairs(damage.kinds) do table.insert(damage.names, name) end
table.sort(damage.names)

return damage
