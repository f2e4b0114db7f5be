---@meta corolua.limit

--- How handlers that run as tasks come under the limit of their CPU time.
local limit = {}

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

return limit
