--- The form that messages take on the wire: each one a CPG message, or, in packed
--- groups, many as one frame, flushed at the end of every turn of the loop; a
--- message too long for one goes as several. The window of a packed group counts
--- frames. What sends and what reads is made for each connection, and numbers
--- begin anew with it.

local lists = require("corolua.base.lists")
local packing = require("corolua.packing")
local scheduler = require("corolua.task.scheduler")
local window = require("corolua.group.window")

---@class corolua.group.PackedWindow: corolua.group.Window
local methods = setmetatable({}, { __index = window.methods })
local packed_mt = { __name = "corolua.group.packed", __index = methods }

local packed = {}

local base = window.methods

local function new_window(size, refused)
  local self = window.init(setmetatable({}, packed_mt), size, refused)
  self.packer = packing.packer({ life = scheduler.nonce() & 0xffffffff })
  self.add, self.longest = self.packer.add, self.packer:longest()
  self.whole = {} -- by index of a fragment: its message at the last, false before
  self.is_part_back = false -- fragments before the first have come back
  self.ring, self.stream, self.is_flushing = false, false, false
  self.flush_turn = function()
    self.is_flushing = false
    if self.handle then self:flush() end
  end
  return self
end

--- What is sent from here on is sent in this ring.
---@param ring corosync.Ring
function methods:set_ring(ring)
  if self.ring and self.packer:pending() > 0 then self:push_frame() end
  self.ring = ring
end

--- Sends the frame as it is.
function methods:push_frame()
  local frame = self.packer:flush(self.ring.nodeid, self.ring.seq)
  if frame then self:push(frame) end
end

--- Sends the frame if the window has room; else the next message that comes
--- back does.
function methods:flush()
  local count, bytes = self.packer:pending()
  if count > 0 and self:has_room(bytes) then self:push_frame() end
end

-- Sends fragments as far as the window has room.
local function feed(self)
  local stream = self.stream
  while stream and self:has_room(stream.size) do
    local frame = stream.frames()
    if not frame then
      if self.first <= self.last then
        self.whole[self.last] = stream.payload
      else
        self.is_part_back = false
      end
      self.stream = false
      return
    end
    self:push(frame)
    self.whole[self.last] = false
  end
end

local FULL = "the send window is full"
local FRAGMENT = 65536

local function accept_long(self, payload)
  if not self:has_room(FRAGMENT) then return nil, FULL, "ERR_TRY_AGAIN" end
  self:push_frame()
  local ring = self.ring
  local frames = self.packer:split(payload, ring.nodeid, ring.seq)
  self.stream = { frames = frames, payload = payload, size = FRAGMENT }
  feed(self)
  return true
end

--- Takes a message if there is room for it in the frame or in the window.
---@param payload string
---@return true? accepted, string? message, string? code "ERR_TRY_AGAIN" if full
function methods:accept(payload)
  if self.stream then return nil, FULL, "ERR_TRY_AGAIN" end
  if #payload > self.longest then return accept_long(self, payload) end
  if not self.packer:add(payload) then
    local _, bytes = self.packer:pending()
    if not self:has_room(bytes) then return nil, FULL, "ERR_TRY_AGAIN" end
    self:push_frame()
    self.packer:add(payload)
  end
  if not self.is_flushing then
    self.is_flushing = true
    scheduler.at_turn_end(self.flush_turn)
  end
  return true
end

--- Sends a message if nobody waits and there is room for it; the usual case, in
--- which the frame takes one more, in one piece: it is the path of every message.
---@param payload string
---@return true? accepted, string? message, string? code "ERR_TRY_AGAIN" if full
function methods:offer(payload)
  if self.is_flushing and not self.has_waiters and not self.stream
    and #payload <= self.longest and self.add(self.packer, payload) then
    return true
  end
  return base.offer(self, payload)
end

-- The first frame that was sent has been read back.
local function confirm_first(self)
  local index = self.first
  if index > self.last then return end
  self.is_part_back = self.whole[index] == false
  self.whole[index] = nil
  base.confirm(self, 1)
  if self.stream then
    feed(self)
    if not self.stream then self:serve() end
  elseif not self.is_flushing then
    self:flush()
  end
end

--- So many frames, the first that were sent, have been read back.
---@param count integer
function methods:confirm(count)
  for _ = 1, count do confirm_first(self) end
end

--- Frames on their way, and what is not in a frame yet as one.
---@return integer
function methods:count()
  local more = self.stream and 1 or 0
  if self.packer:pending() > 0 then more = more + 1 end
  return base.count(self) + more
end

-- Appends the messages of one frame.
local function append_messages(list, unpacker, frame, sent)
  for _, payload in ipairs(unpacker:read("own", frame) or {}) do
    list[#list + 1] = { payload = payload, sent = sent }
  end
end

--- Empties the window, and returns the messages that were in it, in order. One
--- that goes in fragments was sent where any of them was.
---@return { payload: string, sent: boolean }[]
function methods:abandon()
  local whole, first, stream = self.whole, self.first, self.stream
  local frame = self.ring and self.packer:flush(self.ring.nodeid, self.ring.seq)
  local unpacker, list = packing.unpacker(), {}
  local is_sent = self.is_part_back
  self.whole, self.stream, self.is_part_back = {}, false, false
  for i, entry in ipairs(base.abandon(self)) do
    local message = whole[first + i - 1]
    if message == nil then
      append_messages(list, unpacker, entry.payload, entry.sent)
    else
      is_sent = is_sent or entry.sent
      if message then
        list[#list + 1] = { payload = message, sent = is_sent }
        is_sent = false
      end
    end
  end
  if stream then list[#list + 1] = { payload = stream.payload, sent = is_sent } end
  if frame then append_messages(list, unpacker, frame, false) end
  return list
end

-- What the library sends as one message.
local ATOMIC = 1047552

--- The fields of a group that follow from its form.
---@param options corolua.GroupOptions as checked
---@return { is_packed: boolean, max_message: integer, longest: integer, hint: string }
function packed.shape(options)
  if not options.packed then
    return { is_packed = false, max_message = 0, longest = ATOMIC,
      hint = " (packed groups may send more: see fragment)" }
  end
  local max_message = options.fragment and options.max_message or 0
  return { is_packed = true, max_message = max_message,
    longest = math.max(packing.packer({ life = 0 }):longest(), max_message),
    hint = options.fragment and " (see max_message)" or " (see fragment)" }
end

--- The send window of a connection, which is empty.
---@param room corolua.Group
---@return corolua.group.Window
function packed.window(room)
  local function refused()
    if room.refusal then return room.refusal[1], room.refusal[2] end
  end
  return (room.is_packed and new_window or window.new)(room.window_size, refused)
end

--- What reads the frames of a connection; false where messages come as they are.
---@param room corolua.Group
---@return userdata|false
function packed.unpacker(room)
  return room.is_packed and packing.unpacker({ max_message = room.max_message })
end

-- How many members are remembered that are not there.
local PARKED_MAX = 1024

local NOBODY = {}

-- What is known of the member stays, for when it comes back; but of those that
-- have been away for longest not for ever, as each process is another member.
local function park(connection, view, member)
  connection.unpacker:park(member)
  local parked = connection.parked
  lists.remove(parked, member)
  parked[#parked + 1] = member
  if #parked <= PARKED_MAX then return end
  local oldest = table.remove(parked, 1)
  if not lists.contains(view.members, oldest) then connection.unpacker:forget(oldest) end
end

--- The members that left are forgotten, and all others that are gone put aside.
--- A process may live of which the daemon says "procdown": where a member was
--- not named to it at a merge, it takes it for gone, drops its messages, and
--- names it again in a later ring.
---@param connection corolua.group.Connection
---@param view corolua.View
function packed.follow(connection, view)
  if not connection.unpacker then return end
  for _, change in ipairs(view.left) do
    if change.reason == "leave" then
      connection.unpacker:forget(change.member)
      lists.remove(connection.parked, change.member)
    else
      park(connection, view, change.member)
    end
  end
  for _, member in ipairs(view.hidden and view.members or NOBODY) do
    if lists.contains(view.hidden, member.nodeid) then connection.unpacker:park(member) end
  end
end

--- What is sent from here on is sent in this ring.
---@param connection corolua.group.Connection
---@param ring corosync.Ring
function packed.set_ring(connection, ring)
  if connection.unpacker and connection.window.handle then connection.window:set_ring(ring) end
end

return packed
