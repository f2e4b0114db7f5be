---@meta corolua.packing
--- Many small messages as one CPG message, and long messages as several, in the
--- format of docs/wire.md. The group layer packs with it; what a peer sends is
--- told in results and never raises.

local packing = {}

---@class corolua.packing.PackerOptions
---@field max_frame? integer bytes of a frame of several messages, and of a fragment; 64 to max_atomic, 65536 if not given
---@field max_atomic? integer bytes of a frame of one message; 64 to 1047552, which is the default
---@field life integer tells this join from others, 0 to 4294967295: drawn at random

---@class corolua.packing.UnpackerOptions
---@field max_message? integer bytes that fragments may add up to; 0 refuses them, 16777216 if not given

--- A packer for one join of a group.
---@param options corolua.packing.PackerOptions
---@return corolua.packing.Packer packer
function packing.packer(options) end

--- The receiving end for one join of a group.
---@param options? corolua.packing.UnpackerOptions
---@return corolua.packing.Unpacker
function packing.unpacker(options) end

---@class corolua.packing.Packer
local packer = {}

--- Puts a message into the frame. Raises if it is over `packer:longest()`.
---@param payload string
---@return integer|false number of the message; false if the frame is full: flush, then add again
function packer:add(payload) end

--- Takes out the frame; the next one goes on with the next number.
---@param ring_nodeid integer
---@param ring_seq integer of the ring in which the messages are sent
---@return string? frame nil if there is no message
---@return integer? first the number of its first message
---@return integer? count
function packer:flush(ring_nodeid, ring_seq) end

--- A message in fragments. Raises if the packer holds messages: flush first.
--- Nothing else of this packer may be sent between the frames.
---@param payload string 1 byte to 4294967295
---@param ring_nodeid integer
---@param ring_seq integer
---@return fun(): string? frames one frame at each call, nil after the last
---@return integer number of the message
function packer:split(payload, ring_nodeid, ring_seq) end

--- What waits to be flushed.
---@return integer count messages
---@return integer bytes of the frame that they make
function packer:pending() end

--- The longest message that `add` takes.
---@return integer bytes
function packer:longest() end

---@class corolua.packing.Unpacker
local unpacker = {}

--- Reads a frame that a member sent. The first result is the payloads, numbered
--- from `first`; false if there is none yet, since the frame is a fragment (one
--- that has lost its beginning gives nothing else); nil, and why, if the frame
--- is malformed. The ring table is shared by frames sent in one ring.
---@param member any what members are told apart by, but not nil
---@param frame string
---@return string[]|false|nil payloads
---@return integer|string|nil first the number of the first message, or why
---@return { nodeid: integer, seq: integer }? sent_in
---@return integer? gap_first the numbers missing before first, if any
---@return integer? gap_last
function unpacker:read(member, frame) end

--- The member is out of reach: gives up its unfinished message, and keeps its
--- number for when it comes back.
---@param member any
function unpacker:park(member) end

--- The member has left.
---@param member any
function unpacker:forget(member) end

return packing
