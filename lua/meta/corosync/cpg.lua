---@meta corosync.cpg

--- Closed process groups. The functions of corosync/cpg.h by their names
--- without cpg_.
local cpg = {}

---@class corosync.cpg.Change
---@field member corosync.Member
---@field reason "join"|"leave"|"nodedown"|"nodeup"|"procdown"|"undefined"

---@class corosync.cpg.Callbacks
---@field deliver? fun(handle: corosync.cpg.Handle, group: string, payload: string, from: corosync.Member)
---@field confchg? fun(handle: corosync.cpg.Handle, group: string, members: corosync.Member[], left: corosync.cpg.Change[], joined: corosync.cpg.Change[])
---@field totem_confchg? fun(handle: corosync.cpg.Handle, ring: corosync.Ring, nodeids: integer[])

---@class corosync.cpg.Options
---@field deliver_initial_totem_conf? boolean the ring, right after the own JOIN

---@class corosync.cpg.Entry
---@field group string
---@field member? corosync.Member none for "name_only"

--- For one group and one life.
---@class corosync.cpg.Handle: corosync.Handle
local Handle = {}

--- Connects to the local daemon (cpg_model_initialize, model v1).
---@param callbacks? corosync.cpg.Callbacks
---@param options? corosync.cpg.Options
---@return corosync.cpg.Handle|nil handle
---@return string|nil message
---@return string|nil code "ERR_LIBRARY" without a daemon, "ERR_ACCESS" without permission
function cpg.initialize(callbacks, options) end

--- The handle of initialize, still closed: corolua.worker connects it.
---@private
---@param callbacks? corosync.cpg.Callbacks
---@param options? { deliver_initial_totem_conf: boolean? }
---@return corosync.cpg.Handle handle
function cpg.prepare(callbacks, options) end

--- The member object of a process, whether or not it is in a group: the very one
--- that events and lists have for it.
---@param nodeid integer 1 to 4294967295
---@param pid integer 1 to 4294967295
---@return corosync.Member
function cpg.member(nodeid, pid) end

--- Whether a value is a member object.
---@param value any
---@return boolean
function cpg.is_member(value) end

--- Joins a group; a handle joins once in its life, a second time raises.
---@param group string 1 to 127 bytes, no NUL
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_EXIST": this process is in the group by another handle
function Handle:join(group) end

--- Leaves the joined group. Events go on until the own LEAVE was dispatched.
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST": not joined
function Handle:leave() end

--- Sends a string, or an array of strings as one message, to all members, the
--- sender included. true says that the daemon will see it.
---@param payload string|string[]
---@param guarantee? "unordered"|"fifo"|"agreed"|"safe" corosync gives "agreed" in any case
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_TRY_AGAIN": send later; "ERR_NOT_EXIST": not joined
function Handle:mcast_joined(payload, guarantee) end

--- The members of a group as the daemon knows them now; of the joined group
--- where none is named.
---@param group? string
---@return corosync.Member[]|nil members
---@return string|nil message
---@return string|nil code
function Handle:membership_get(group) end

---@return integer|nil nodeid
---@return string|nil message
---@return string|nil code
function Handle:local_get() end

--- The largest payload that is one message on the wire, in bytes. A larger one
--- goes in fragments, and is lost with "ERR_INTERRUPT" if members change.
---@return integer|nil bytes
---@return string|nil message
---@return string|nil code
function Handle:max_atomic_msgsize_get() end

--- Corosync always says "disabled".
---@return "disabled"|"enabled"|nil state
---@return string|nil message
---@return string|nil code
function Handle:flow_control_state_get() end

--- What groups there are and who is in them, as one snapshot of the daemon.
---@param kind "all"|"one_group"|"name_only"
---@param group? string for "one_group"
---@return (fun(): corosync.cpg.Entry?)|nil iterator
---@return string|nil message
---@return string|nil code
function Handle:iterate(kind, group) end

--- Where the handle stands in its life; "left" once the own LEAVE was read.
---@return "new"|"joined"|"leaving"|"left" state
function Handle:state() end

return cpg
