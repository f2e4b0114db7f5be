---@meta corolua.host
--- What the command line needs of the program. Stock lua5.4 does not have it.

---@class corolua.host
---@field version string
local host = {}

--- LUA_INIT, LUA_PATH and LUA_CPATH do not count from here on.
---@return nil
function host.ignore_environment() end

--- The open handles of the thin modules, in no order.
---@return table[]
function host.handles() end

--- Ends a child made by fork at once, with nothing left or closed that is its
--- parent's; does nothing elsewhere.
---@param status integer
---@return nil
function host.end_if_forked(status) end

--- Whether standard input is a terminal.
---@return boolean
function host.is_terminal() end

--- Bounds the memory of the Lua state.
---@param bytes integer 0 is no bound
---@return nil
function host.set_memory_limit(bytes) end

--- Bounds the CPU time of a handler between two waits.
---@param seconds number 0 is no bound
---@return boolean? ok
---@return string? message
---@return string? code
function host.set_handler_limit(seconds) end

--- A descriptor that is readable once a first SIGINT or SIGTERM has come; a
--- second one ends the program at once.
---@return integer? fd
---@return string? message
---@return string? code
function host.watch_signals() end

--- The number of the first signal, or nil.
---@return integer?
function host.signal() end

--- Opens the log of libqb and ours.
---@param level string "emerg" to "trace"
---@param target "stderr"|"syslog"
---@return nil
function host.log_open(level, target) end

--- Writes one line.
---@param level string
---@param text string
---@return nil
function host.log(level, text) end

return host
