---@meta corolua.loop
--- The event loop of libqb, under the tasks: functions that are called, on the
--- main coroutine, when something happens. They must not wait.

---@class corolua.loop
---@field versions { libqb: string, lua: string } libqb as it is installed, "2.0.6", and what the
--- module was built with, "Lua 5.4.4"
local loop = {}

--- Something watched. While it is active it is called and keeps the program
--- running, whether anybody refers to it or not.
---@class corolua.Watch
local watch = {}

--- Its function is not called any more; may be repeated.
---@return nil
function watch:cancel() end

--- It does not keep the program running.
---@return corolua.Watch
function watch:unref() end

--- It keeps the program running again.
---@return corolua.Watch
function watch:ref() end

--- Watches a descriptor. It is called again and again while there is something,
--- with "r", "w", "h" for the other end being gone, or several of them.
---@param fd integer
---@param direction "r"|"w"|"rw"
---@param fn fun(events: string)
---@return corolua.Watch? watch
---@return string? message
---@return string? code "EEXIST" if it is watched already, "EPERM" for files, "EBADF"
function loop.fd(fd, direction, fn) end

--- Calls the function once, never early.
---@param seconds number
---@param fn fun()
---@return corolua.Watch
function loop.timer(seconds, fn) end

--- Calls the function at every such signal, outside of the signal handler.
---@param signum integer
---@param fn fun(signum: integer)
---@return corolua.Watch? watch
---@return string? message
---@return string? code
function loop.signal(signum, fn) end

--- Calls the function once when a child process has ended, and reaps it.
--- "unknown" says that somebody else has reaped it.
---@param pid integer
---@param fn fun(how: "exit"|"signal"|"unknown", status: integer?)
---@return corolua.Watch? watch
---@return string? message
---@return string? code "ECHILD" if it is no child of ours
function loop.child(pid, fn) end

--- Runs until stop, or an error in a function, which it raises.
---@return nil
function loop.run() end

--- Has run return after the event at hand; before run, at once. A child made by
--- fork ends instead, with the problem as its last words.
---@param problem string?
---@return nil
function loop.stop(problem) end

--- Seconds of a clock that never goes back.
---@return number
function loop.now() end

--- Seconds since 1970, by a clock that people set.
---@return number
function loop.clock() end

--- How many active watches keep the program running.
---@return integer
function loop.pending() end

--- Has the function called after every event; the scheduler's place.
---@param fn fun()
---@return nil
function loop.after_each(fn) end

return loop
