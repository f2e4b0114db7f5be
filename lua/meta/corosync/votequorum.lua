---@meta corosync.votequorum

--- Votes, what is expected of them, and the quorum device. The functions of
--- corosync/votequorum.h by their names without votequorum_.
local votequorum = {}

---@alias corosync.votequorum.State "member"|"dead"|"leaving"

---@class corosync.votequorum.Node
---@field nodeid integer
---@field state corosync.votequorum.State

---@class corosync.votequorum.Callbacks
---@field quorum? fun(handle: corosync.votequorum.Handle, quorate: boolean, nodes: corosync.votequorum.Node[])
---@field nodelist? fun(handle: corosync.votequorum.Handle, ring: corosync.Ring, nodeids: integer[])
---@field expectedvotes? fun(handle: corosync.votequorum.Handle, expected: integer)
---@field qdevice_extra_info? fun(handle: corosync.votequorum.Handle, nodeid: integer, info: string) newer corosync

--- The first six are the configuration of this node, whatever node was asked
--- for; those of the device belong to the node.
---@class corosync.votequorum.Flags
---@field two_node boolean
---@field quorate boolean
---@field wait_for_all boolean configured, which does not say that it waits
---@field last_man_standing boolean
---@field auto_tie_breaker boolean
---@field allow_downscale boolean
---@field qdevice_registered boolean
---@field qdevice_alive boolean
---@field qdevice_cast_vote boolean
---@field qdevice_master_wins boolean
---@field qdevice_has_extra_info? boolean newer corosync

---@class corosync.votequorum.Info
---@field node_id integer
---@field node_state corosync.votequorum.State
---@field node_votes integer
---@field node_expected_votes integer
---@field highest_expected integer
---@field total_votes integer
---@field quorum integer votes that are needed; flags.quorate is the answer
---@field flags corosync.votequorum.Flags
---@field qdevice_votes integer
---@field qdevice_name string empty where there is none

---@class corosync.votequorum.Handle: corosync.Handle
local Handle = {}

--- Connects to the local daemon. No callback is called before trackstart.
---@param callbacks? corosync.votequorum.Callbacks
---@return corosync.votequorum.Handle|nil handle
---@return string|nil message
---@return string|nil code
function votequorum.initialize(callbacks) end

--- The handle of initialize, still closed: corolua.worker connects it.
---@private
---@param callbacks? corosync.votequorum.Callbacks
---@return corosync.votequorum.Handle handle
function votequorum.prepare(callbacks) end

---@param nodeid integer 0 is this node
---@return corosync.votequorum.Info|nil info
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST": the daemon has never seen the node
function Handle:getinfo(nodeid) end

--- Changes the votes of a node until its daemon restarts.
---@param nodeid integer from 1 on
---@param votes integer 0 to 255
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_NAME_NOT_FOUND": unknown node; "ERR_INVALID_PARAM": too few for quorum
function Handle:setvotes(nodeid, votes) end

--- Changes expected_votes on all current members.
---@param votes integer 1 to 255
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_INVALID_PARAM": fewer than there are, or quorum were lost
function Handle:setexpected(votes) end

---@param flags corosync.TrackFlags
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_EXIST": the handle tracks already
function Handle:trackstart(flags) end

---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST": the handle does not track
function Handle:trackstop() end

---@param name string 1 to 254 bytes
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_EXIST": one of another name is registered
function Handle:qdevice_register(name) end

---@param name string
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:qdevice_unregister(name) end

---@param old string
---@param new string
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:qdevice_update(old, new) end

--- Says that the registered device is alive and whether it votes.
---@param name string
---@param cast_vote boolean
---@param ring corosync.Ring of the last nodelist event
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_MESSAGE_ERROR": another ring; "ERR_NOT_EXIST": not registered
function Handle:qdevice_poll(name, cast_vote, ring) end

---@param name string
---@param allow boolean
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:qdevice_master_wins(name, allow) end

--- Newer corosync.
---@param nodeid integer
---@return string|nil info
---@return string|nil message
---@return string|nil code
function Handle:get_qdevice_extra_info(nodeid) end

--- Newer corosync.
---@param info string up to 4096 bytes
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:set_qdevice_extra_info(info) end

return votequorum
