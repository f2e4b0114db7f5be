---@meta corolua.limit

--- What interrupts the script's own code: the limit of a handler's CPU time, and
--- a stop. An interruption is never raised in a function of corolua, only once
--- the script's own code runs again.
---@class corolua.limit
---@field STOPPED table what a stop raises
local limit = {}

--- coroutine.resume of a task. No other function resumes it.
---@param task thread
---@param ... any
---@return boolean ok, any ...
function limit.step(task, ...) end

--- coroutine.resume of a task that calls handlers.
---@param task thread
---@param ... any
---@return boolean ok, any ...
function limit.resume(task, ...) end

--- The task goes over to its next handler, with new time.
---@return nil
function limit.next() end

--- xpcall(fn, note, ...); the error of a handler over the limit ends here.
---@param note function
---@param fn function
---@param ... any
---@return boolean ok, any ...
function limit.pcall(note, fn, ...) end

--- Raises `limit.STOPPED` in a task, once, as soon as it runs the script's own
--- code; not where that has happened, or it is excused.
---@param task thread
---@return nil
function limit.interrupt(task) end

--- Calls as pcall does, outside of the task that is given: a stop takes that one
--- for the one that runs. The function cannot yield.
---@param task thread
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function limit.within(task, fn, ...) end

--- The stop does not interrupt this task.
---@param task thread
---@return nil
function limit.excuse(task) end

--- Whether the stop has interrupted a task or is about to, or it is excused.
---@param task thread
---@return boolean
function limit.is_told(task) end

--- A stop begins: the task that runs is interrupted after so many seconds, one
--- that runs a second longer at each instruction. Only the program can do it.
---@param seconds number
---@return nil
function limit.watch_stop(seconds) end

--- How the sources of corolua's own functions begin.
---@param prefix string
---@return nil
function limit.set_own(prefix) end

--- Whether that is a source of corolua.
---@param source string as of debug.getinfo
---@return boolean
function limit.is_own(source) end

return limit
