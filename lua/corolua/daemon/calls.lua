--- The calls of the thin modules that wait for the daemon, made by
--- `corolua.worker` so that only the task that asks for one waits.

local scheduler = require("corolua.task.scheduler")
local worker = require("corolua.worker")

local calls = {}

local watch -- of the descriptor that tells of calls that are over

local function hand_over(done, ...)
  if not done then return false end
  done(...)
  return true
end

local function collect()
  while hand_over(worker.take()) do end
end

-- It keeps no program running: who waits for a call does so by its timeout.
local function follow()
  if watch then return end
  watch = assert(scheduler.readable(worker.fd(), collect))
  watch:unref()
end

--- Makes the call and waits for it. After a timeout the connection is lost to
--- the caller: it is finalized as soon as the daemon answers.
---@param handle userdata of a thin module; closed while the call runs
---@param call "initialize"|"join"|"leave"|"trackstart"|"getinfo"|"join_counts"
---@param network userdata? the network namespace to make it in
---@param timeout number in seconds
---@param ... any the arguments of the call
---@return any ... what the call returned, or nil, message, code
function calls.call(handle, call, network, timeout, ...)
  follow()
  local arguments = table.pack(...)
  return scheduler.await(function(resume)
    local running, message, code =
      worker.start(handle, call, network, resume, table.unpack(arguments, 1, arguments.n))
    if not running then
      resume(nil, message, code)
      return nil
    end
    return function() running:abandon() end
  end, timeout)
end

local function nothing() end

--- Finalizes a handle, and waits for that no longer than the timeout; without
--- one not at all. Harmless for a handle that is closed.
---@param handle userdata
---@param timeout number?
function calls.finalize(handle, timeout)
  if not worker.is_open(handle) then return end
  if timeout then
    calls.call(handle, "finalize", nil, timeout)
  else
    local running = worker.start(handle, "finalize", nil, nothing)
    if running then running:abandon() end
  end
end

return calls
