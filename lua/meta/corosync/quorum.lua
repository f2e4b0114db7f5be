---@meta corosync.quorum

--- Whether the partition of this node has quorum, and who is in it. The
--- functions of corosync/quorum.h by their names without quorum_.
local quorum = {}

---@class corosync.quorum.Callbacks
---@field quorum? fun(handle: corosync.quorum.Handle, quorate: boolean, ring: corosync.Ring, nodeids: integer[])
---@field nodelist? fun(handle: corosync.quorum.Handle, ring: corosync.Ring, nodeids: integer[], joined: integer[], left: integer[])

---@class corosync.quorum.Handle: corosync.Handle
local Handle = {}

--- Connects to the local daemon (quorum_model_initialize, model v1). "free"
--- says that no quorum provider is configured: all counts as quorate.
---@param callbacks? corosync.quorum.Callbacks
---@return corosync.quorum.Handle|nil handle
---@return "free"|"set"|string|nil kind or message
---@return string|nil code
function quorum.initialize(callbacks) end

--- The handle of initialize, still closed: corolua.worker connects it.
---@private
---@param callbacks? corosync.quorum.Callbacks
---@return corosync.quorum.Handle handle
function quorum.prepare(callbacks) end

--- Whether the partition has quorum now. false is an answer, no failure.
---@return boolean|nil quorate
---@return string|nil message
---@return string|nil code
function Handle:getquorate() end

---@param flags corosync.TrackFlags
---@return true|nil ok
---@return string|nil message
---@return string|nil code "ERR_EXIST": the handle tracks already
function Handle:trackstart(flags) end

---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:trackstop() end

return quorum
