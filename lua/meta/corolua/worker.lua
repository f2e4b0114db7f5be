---@meta corolua.worker

--- The calls of the libraries that wait for the daemon, each made by a thread of
--- its own. A handle is closed while a call of it runs, connects once in its
--- life, and makes one call at a time.
local worker = {}

---@class corolua.worker.Call
local Call = {}

--- Makes the call of that name; `done` comes back from take, once it is over.
---@param handle corosync.Handle
---@param call "initialize"|"join"|"leave"|"trackstart"|"getinfo"|"join_counts"|"finalize"
---@param network userdata? descriptor of the network namespace to make it in
---@param done function
---@param ... any the arguments of the call
---@return corolua.worker.Call|nil call
---@return string|nil message
---@return string|nil code
function worker.start(handle, call, network, done, ...) end

--- The next call that is over: its `done` and what it returned; or nothing. A
--- handle that was finalized meanwhile gives "ERR_BAD_HANDLE", and its connection
--- is finalized; without memory for what the call returned it is "ERR_NO_MEMORY".
---@return function|nil done
---@return any ...
function worker.take() end

--- The descriptor that is readable once a call is over.
---@return integer
function worker.fd() end

--- Whether the handle has a connection, and no call of it runs.
---@param handle corosync.Handle
---@return boolean
function worker.is_open(handle) end

--- Nobody waits for it any more: its handle is closed for good, and the
--- connection is finalized once the daemon has answered. Harmless when repeated.
---@return nil
function Call:abandon() end

return worker
