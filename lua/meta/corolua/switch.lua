---@meta corolua.switch
--- A switch between the cables of a lab's nodes, as a process of its own. Each
--- direction between two nodes is a cell that a script sets faults on.

local switch = {}

---@class corolua.switch.Port
---@field name string an interface of the current network namespace
---@field node? integer who is behind it, 1 to 64; its place in the list if not given
---@field link? integer 0 to 7, 0 if not given; frames never cross from link to link

---@class corolua.switch.Options
---@field ports (string|corolua.switch.Port)[]
---@field seed? integer of all decisions; 0 if not given
---@field pcap? string a file for every frame that is forwarded
---@field ring_bytes? integer memory of all receive rings, 64 MiB if not given

--- What is not given is off. Probabilities are 0 to 1.
---@class corolua.switch.Faults
---@field block? boolean drops every frame, those that wait to be sent included
---@field loss? number probability
---@field duplicate? number probability of a second copy
---@field reorder? number probability that a frame is held back 1 to 10 ms more
---@field corrupt? number probability that a bit of the UDP payload is flipped
---@field repair? boolean makes the checksum of corrupted frames right
---@field delay? number seconds, up to 3600
---@field jitter? number seconds: up to that much more delay
---@field rate? number bits per second, 0 for no limit

--- At any time offered + duplicated is the sum of forwarded, blocked, lost,
--- discarded, overflow, refused and queued.
---@class corolua.switch.Cell
---@field offered integer frames that came for this cell
---@field forwarded integer handed to the cable
---@field blocked integer dropped by a cut, those that waited included
---@field lost integer dropped by the fault loss
---@field duplicated integer second copies
---@field reordered integer held back behind later frames
---@field corrupted integer damaged
---@field discarded integer damaged and dropped, having no UDP checksum to be found by
---@field delayed integer went through the delay queue
---@field overflow integer dropped, the delay queue being full
---@field refused integer not taken by the kernel, as for an interface that is down
---@field queued integer in the delay queue now

---@class corolua.switch.PortCounters
---@field received integer
---@field dropped integer by the kernel, the receive ring being full
---@field oversized integer longer than a slot of the ring, and not kept
---@field unwanted integer for the very node they came from
---@field overrun integer not taken by the far end of the cable
---@field slots integer of the receive ring, fewer where the kernel had no memory

---@class corolua.switch.Counters
---@field [integer] table<integer, corolua.switch.Cell> by from and to
---@field ports table<string, corolua.switch.PortCounters>
---@field captured integer frames in the pcap file
---@field uncaptured integer frames the file had no room for

---@class corolua.switch.Switch
local methods = {}

--- Starts a switch in the current network namespace. Returns before its rings
--- are made, about 20 ms later; every request waits for them. The switch dies
--- with the thread that starts it.
---@param options corolua.switch.Options
---@return corolua.switch.Switch? switch
---@return string? message
---@return string? code "EPERM" without CAP_NET_RAW, "ENODEV" without that interface
function switch.start(options) end

--- Waits until the switch forwards.
---@return true? ready
---@return string? message
---@return string? code "EPIPE" if the switch has ended, "ETIMEDOUT" after 5 s
function methods:ready() end

--- Sets the faults of one direction, which are in force when this returns.
---@param from integer node
---@param to integer node
---@param faults? corolua.switch.Faults
---@param link? integer all links if not given
---@return true? done
---@return string? message
---@return string? code as of ready
function methods:set(from, to, faults, link) end

--- Sets the faults of several directions in one step: no frame sees a part.
---@param entries { [1]: integer, [2]: integer, [3]?: corolua.switch.Faults, [4]?: integer }[]
---@return true? done
---@return string? message
---@return string? code as of ready
function methods:apply(entries) end

--- Ends all faults.
---@return true? done
---@return string? message
---@return string? code as of ready
function methods:clear() end

--- The counters, of all links together or of one.
---@param link? integer
---@return corolua.switch.Counters? counters
---@return string? message
---@return string? code as of ready
function methods:counters(link) end

--- The process.
---@return integer
function methods:pid() end

--- A descriptor that is readable once the switch has ended.
---@return integer
function methods:fd() end

---@return boolean
function methods:alive() end

--- Ends the switch, and completes the pcap file. May be called again; `<close>`
--- and the collector call it too.
function methods:close() end

return switch
