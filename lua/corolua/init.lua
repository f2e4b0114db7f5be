--- corolua: groups, quorum and tasks; what scripts use every day.

local condition = require("corolua.task.condition")
local failures = require("corolua.task.failures")
local group = require("corolua.group")
local guard = require("corolua.base.guard")
local handlers = require("corolua.base.handlers")
local inspect = require("corolua.base.inspect")
local log = require("corolua.base.log")
local quorum = require("corolua.daemon.quorum")
local scheduler = require("corolua.task.scheduler")

---@class corolua.Handlers of what concerns the whole program
---@field quorum? fun(state: corolua.QuorumState) the program's own node, without a group; it keeps
--- the program running as a timer does
---@field error? fun(message: string, source: any, event: string): boolean? an error in a handler, a
--- timer or a task, whoever's it is; true goes on. It must not wait

---@class corolua
---@field on corolua.Handlers
---@field log corolua.Log what scripts log by
local corolua = {
  spawn = scheduler.spawn,
  sleep = scheduler.sleep,
  after = scheduler.after,
  every = scheduler.every,
  now = scheduler.now,
  wait = scheduler.wait,
  condition = condition.new,
  stop = scheduler.stop,
  run = scheduler.run,
  inspect = inspect.text,
  log = log.levels,
}

--- A closed process group on the program's own node, not joined yet.
---@param name string 1 to 127 bytes, without NUL
---@param options corolua.GroupOptions?
---@return corolua.Group
function corolua.group(name, options)
  local made = group.new(quorum.HERE, name, options, 2)
  return made -- no tail call: it would hide the caller's line
end

--- The quorum state of the program's own node, now. Codes: "ERR_LIBRARY",
--- "ERR_ACCESS", "ERR_TIMEOUT", "ERR_INTERRUPT".
---@param timeout number? in seconds, 30 unless told
---@return corolua.QuorumState? state, string? message, string? code
function corolua.quorum(timeout) return quorum.now(quorum.HERE, timeout) end

--- Runs a program to its end while all else goes on.
---@param program string looked for in the PATH unless it has a slash
---@param args (string|number)[]? none unless told; no shell reads them
---@param options corolua.ExecOptions?
---@return corolua.ExecResult? result
---@return string? message
---@return string? code "ENOENT", "EACCES", "ERR_TIMEOUT", "ERR_TOO_BIG" (the output) or
--- "ERR_INTERRUPT"
function corolua.exec(program, args, options)
  return require("corolua.task.exec")(program, args, options) -- few scripts need it
end

local setters = {
  quorum = quorum.set_handler,
  error = function(handler) failures.handler = handler or false end,
}

corolua.on = handlers.new({ "error", "quorum" }, function(kind, handler)
  setters[kind](handler)
end)

-- A slip in a name is not silent here either.
local corolua_mt, known = { __index = {} }, {}
for name in pairs(corolua) do known[#known + 1] = name end
guard.names(corolua_mt, "corolua", { always = known, events = { "quorum", "error" } })

return setmetatable(corolua, corolua_mt)
