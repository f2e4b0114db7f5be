---@meta corosync.cfg

--- The daemon itself: its links, its nodes, its end. The functions of
--- corosync/cfg.h by their names without corosync_cfg_.
local cfg = {}

---@class corosync.cfg.Callbacks
---@field shutdown? fun(handle: corosync.cfg.Handle, flags: "request"|"regardless"|"immediate")

---@class corosync.cfg.Ring
---@field interface string
---@field status string in the words of the daemon

---@class corosync.cfg.Link
---@field link integer 0 to 7
---@field enabled boolean
---@field connected boolean
---@field dynconnected boolean
---@field mtu integer bytes
---@field src_ipaddr string
---@field dst_ipaddr string

---@class corosync.cfg.NodeStatus
---@field nodeid integer
---@field reachable boolean
---@field remote boolean
---@field external boolean
---@field onwire_min integer
---@field onwire_max integer
---@field onwire_ver integer
---@field links corosync.cfg.Link[] the configured ones

---@class corosync.cfg.Handle: corosync.Handle
local Handle = {}

--- Connects to the local daemon.
---@param callbacks? corosync.cfg.Callbacks
---@return corosync.cfg.Handle|nil handle
---@return string|nil message
---@return string|nil code
function cfg.initialize(callbacks) end

---@return corosync.cfg.Ring[]|nil rings
---@return string|nil message
---@return string|nil code
function Handle:ring_status_get() end

--- Whether a node is reached, and by which links. A node that nobody knows is
--- one that is not reached.
---@param nodeid integer
---@return corosync.cfg.NodeStatus|nil status
---@return string|nil message
---@return string|nil code
function Handle:node_status_get(nodeid) end

--- Makes the daemon of a member exit; its log holds the reason.
---@param nodeid integer
---@param reason string up to 255 bytes
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST": no member
function Handle:kill_node(nodeid, reason) end

--- Asks for the event shutdown; such handles must agree to a shutdown.
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:trackstart() end

---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:trackstop() end

--- Ends the daemon of this node. The first two ask all handles that track, and
--- block until they have answered or cfg.shutdown_timeout (5 s) has passed.
---@param flags "request"|"regardless"|"immediate"
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_BUSY": not all have agreed; "ERR_EXIST": asked already
function Handle:try_shutdown(flags) end

---@param reply "yes"|"no"
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:replyto_shutdown(reply) end

---@param nodeid integer 0 is this node
---@return string[]|nil addresses
---@return string|nil message
---@return string|nil code "ERR_NOT_EXIST": unknown node
function Handle:get_node_addrs(nodeid) end

---@return integer|nil nodeid
---@return string|nil message
---@return string|nil code
function Handle:local_get() end

--- Makes all nodes read their corosync.conf again.
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:reload_config() end

---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:reopen_log_files() end

return cfg
