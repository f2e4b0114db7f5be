--- The form that messages of a group take on the wire: each one a CPG message,
--- or packed in frames. What sends and what reads is made for each connection.

local lists = require("corolua.base.lists")
local packed = require("corolua.group.packed")
local packing = require("corolua.packing")
local window = require("corolua.group.window")

local form = {}

-- What the library sends as one message.
local ATOMIC = 1047552

--- The fields of a group that follow from its form.
---@param options corolua.GroupOptions as checked
---@return { is_packed: boolean, max_message: integer, longest: integer, hint: string }
function form.of(options)
  if not options.packed then
    return { is_packed = false, max_message = 0, longest = ATOMIC,
      hint = " (packed groups may send more: see fragment)" }
  end
  local max_message = options.fragment and options.max_message or 0
  return { is_packed = true, max_message = max_message,
    longest = math.max(packed.longest(), max_message),
    hint = options.fragment and " (see max_message)" or " (see fragment)" }
end

--- The send window of a connection, which is empty.
---@param room corolua.Group
---@return corolua.group.Window
function form.window(room)
  local function refused()
    if room.refusal then return room.refusal[1], room.refusal[2] end
  end
  return (room.is_packed and packed or window).new(room.window_size, refused)
end

--- What reads the frames of a connection; false where messages come as they are.
---@param room corolua.Group
---@return userdata|false
function form.unpacker(room)
  return room.is_packed and packing.unpacker({ max_message = room.max_message })
end

local NOBODY = {}

-- How many members are remembered that are not there.
local PARKED_MAX = 1024

-- What is known of the member stays, for when it comes back; but of those that
-- have been away for longest not for ever, as each process is another member.
local function park(life, view, member)
  life.unpacker:park(member)
  local parked = life.parked
  lists.remove(parked, member)
  parked[#parked + 1] = member
  if #parked <= PARKED_MAX then return end
  local oldest = table.remove(parked, 1)
  if not lists.contains(view.members, oldest) then life.unpacker:forget(oldest) end
end

--- The members that left are forgotten, and all others that are gone put aside.
--- A process may live of which the daemon says "procdown": where a member was
--- not named to it at a merge, it takes it for gone, drops its messages, and
--- names it again in a later ring.
---@param life corolua.group.Life
---@param view corolua.View
function form.follow(life, view)
  if not life.unpacker then return end
  for _, change in ipairs(view.left) do
    if change.reason == "leave" then
      life.unpacker:forget(change.member)
      lists.remove(life.parked, change.member)
    else
      park(life, view, change.member)
    end
  end
  for _, member in ipairs(view.hidden and view.members or NOBODY) do
    if lists.contains(view.hidden, member.nodeid) then life.unpacker:park(member) end
  end
end

--- What is sent from here on is sent in this ring.
---@param life corolua.group.Life
---@param ring { nodeid: integer, seq: integer }
function form.set_ring(life, ring)
  if life.unpacker and life.window.handle then life.window:set_ring(ring) end
end

--- The messages as the script sent them.
---@param room corolua.Group
---@param list { payload: string, sent: boolean }[]
---@return { payload: any, sent: boolean }[] list
function form.decode(room, list)
  if room.codec then
    for _, entry in ipairs(list) do entry.payload = room.codec.decode(entry.payload) end
  end
  return list
end

return form
