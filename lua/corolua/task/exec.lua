--- corolua.exec: a program that runs to its end while everything else goes on.

local args = require("corolua.base.args")
local lists = require("corolua.base.lists")
local process = require("corolua.task.process")
local scheduler = require("corolua.task.scheduler")
local shown = require("corolua.base.shown")

---@class corolua.ExecOptions
---@field timeout number? in seconds; none unless told
---@field input string? what it reads; nothing unless told
---@field env table<string, string|number|false>? variables beside or in place of ours; false
--- takes one away
---@field cwd string? the folder that it runs in; ours unless told
---@field max_output integer? bytes; 8 MiB unless told

---@class corolua.ExecResult
---@field status integer its exit status, 128 + n after a signal n
---@field output string what it wrote to its output and its errors, as it came
---@field signal integer? that ended it

local MAX_OUTPUT = 8 << 20

local SPEC = {
  { "timeout", args.seconds() },
  { "input", args.string },
  { "env", args.table("a table of values by name") },
  { "cwd", args.string },
  { "max_output", args.integer(0), MAX_OUTPUT },
}

local is_array = args.table("an array of strings")

-- What goes to the system as a string of C.
local function check_text(value, what, level)
  local text = type(value) == "number" and tostring(value) or value
  args.value(text, args.string, "exec", what, level + 1)
  if text:find("\0", 1, true) then
    error(("exec: %s must have no NUL byte, got %s"):format(what, shown.value(text)), level + 1)
  end
  return text
end

local function check_command(program, list, level)
  args.value(program, args.string, "exec", "the program", level + 1)
  check_text(program, "the program", level + 1)
  if program == "" then error("exec: the program must have a name, got \"\"", level + 1) end
  if list ~= nil then args.value(list, is_array, "exec", "the arguments", level + 1) end
  local command = { program }
  for i = 1, list and #list or 0 do
    command[i + 1] = check_text(list[i], "argument " .. i, level + 1)
  end
  return command
end

local function check_name(name, level)
  if type(name) == "string" and name ~= "" and not name:find("[=\0]") then return end
  error(("exec: a variable of env must have a name without '=', got %s"):format(shown.value(name)),
    level + 1)
end

local function variables(env, level)
  local list = {}
  for i, name in ipairs(lists.keys(env)) do
    check_name(name, level + 1)
    local text = env[name]
    list[i] = text and name .. "=" .. check_text(text, "env." .. name, level + 1) or name
  end
  return list
end

local function check_options(given, level)
  local options = args.check(given, SPEC, "exec", level + 1)
  if options.env then options.env = variables(options.env, level + 1) end
  if options.cwd then check_text(options.cwd, "cwd", level + 1) end
  return options
end

--- Runs a program to its end, and waits for it as a task waits: all else goes
--- on. No shell stands between: the arguments are what the program gets. It is
--- looked for in the PATH unless its name has a slash, and runs in a process
--- group of its own, without a terminal. What it started ends with it, and all
--- of it ends with our program, however that ends; only what makes a session of
--- its own (setsid) lives on.
---
--- A program that has not ended by the timeout, that writes more than
--- `max_output` or whose caller is interrupted is killed (SIGKILL), and so is
--- what it started; what it wrote is lost.
---@param program string
---@param arguments (string|number)[]? none unless told
---@param options corolua.ExecOptions?
---@return corolua.ExecResult? result
---@return string? message
---@return string? code "ENOENT" (no such program, or no such folder), "EACCES"
--- (not executable), "ERR_TIMEOUT", "ERR_TOO_BIG" (the output), "ERR_INTERRUPT",
--- or the errno of what the system refused
local function exec(program, arguments, options)
  local command = check_command(program, arguments, 2)
  local checked = check_options(options, 2)
  scheduler.check_wait("exec")
  local result, why, code = process.run(command, checked)
  if result then return result end
  return nil, why, code
end

return exec
