--- The form that messages of a group take on the wire: each one a CPG message,
--- or packed in frames. What reads is made anew for each join.

local packed = require("corolua.group.packed")
local packing = require("corolua.packing")
local window = require("corolua.group.window")

local form = {}

-- What the library sends as one message.
local ATOMIC = 1047552

--- Gives a group what its form needs.
---@param room table the group
---@param options corolua.GroupOptions as checked
function form.init(room, options)
  local function refused()
    if room.refusal then return room.refusal[1], room.refusal[2] end
  end
  room.is_packed = options.packed
  if options.packed then
    room.window = packed.new(options.window, refused)
    room.max_message = options.fragment and options.max_message or 0
    room.longest = math.max(room.window.longest, room.max_message)
    room.hint = options.fragment and " (see max_message)" or " (see fragment)"
  else
    room.window = window.new(options.window, refused)
    room.longest = ATOMIC
    room.hint = " (packed groups may send more: see fragment)"
  end
end

--- What a group remembers of the frames of others begins anew.
---@param room table
function form.begin(room)
  if room.is_packed then
    room.unpacker = packing.unpacker({ max_message = room.max_message })
  end
end

--- The members that left are forgotten, and those out of reach put aside.
---@param room table
---@param view corolua.View
function form.follow(room, view)
  if not room.is_packed then return end
  for _, change in ipairs(view.left) do
    if change.reason == "nodedown" then
      room.unpacker:park(change.member)
    else
      room.unpacker:forget(change.member)
    end
  end
end

--- What is sent from here on is sent in this ring.
---@param room table
---@param ring { nodeid: integer, seq: integer }
function form.set_ring(room, ring)
  if room.is_packed then room.window:set_ring(ring) end
end

--- The messages that were accepted and not read back, as the script sent them.
---@param room table
---@return { payload: any, sent: boolean }[]
function form.unconfirmed(room)
  local list = room.window:abandon()
  if room.codec then
    for _, entry in ipairs(list) do entry.payload = room.codec.decode(entry.payload) end
  end
  return list
end

return form
