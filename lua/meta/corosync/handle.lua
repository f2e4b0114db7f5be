---@meta

--- What the handles of all five libraries have in common. A handle that nobody
--- refers to is finalized by the collector. When the daemon dies, every call
--- gives nil, message, "ERR_LIBRARY" at once; calls block while it is stopped.

---@alias corosync.DispatchMode
---| "one" waits for one event
---| "all" takes what is there, at most 256 events or 5 ms
---| "blocking" goes on until finalize, an error or a signal
---| "one_nonblocking" takes one event, or gives "ERR_TRY_AGAIN"

---@class corosync.Handle
local Handle = {}

--- Calls the handlers of what has happened, in order. A handler that raises
--- ends dispatch with its error; the events behind it stay and come first next
--- time. "blocking" and "one" give "ERR_INTERRUPT" on a signal.
---@param mode corosync.DispatchMode
---@return true|nil ok
---@return boolean|string more for "all": whether there may be more; else message
---@return string|nil code
function Handle:dispatch(mode) end

--- How many events were read and not yet handled; the fd does not show them.
---@return integer count
function Handle:pending() end

--- The descriptor that is readable while there is something to dispatch, for
--- poll alone.
---@return integer|nil fd
---@return string|nil message
---@return string|nil code
function Handle:fd_get() end

--- Closes the connection; harmless when repeated. With the daemon gone it
--- counts as done.
---@return true|nil ok
---@return string|nil message
---@return string|nil code
function Handle:finalize() end

--- A process of the cluster: read-only, one object each in a Lua state, so that
--- == and use as a key work; tostring gives "1/4711".
---@class corosync.Member
---@field nodeid integer
---@field pid integer

--- The seq of the rings that a daemon sees only rises while it lives.
---@class corosync.Ring
---@field nodeid integer
---@field seq integer

---@alias corosync.TrackFlags
---| "current" the state now, once
---| "changes" the state now and all later ones
---| "changes_only" all later ones
