--- corolua.exec: a program that runs to its end while everything else goes on.

local checks = require("corolua.task.checks")
local conditions = require("corolua.task.conditions")
local names = require("corolua.base.names")
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

local function bad(level, ...) error(string.format(...), level + 1) end

-- What goes to the system as a string of C.
local function check_text(value, what, level)
  if type(value) ~= "string" then
    bad(level + 1, "exec: %s must be a string, got %s", what, shown(value))
  elseif value:find("\0", 1, true) then
    bad(level + 1, "exec: %s must have no NUL byte, got %s", what, shown(value))
  end
end

local function check_word(value, what, level)
  local text = type(value) == "number" and tostring(value) or value
  check_text(text, what, level + 1)
  return text
end

local function check_command(program, args, level)
  check_text(program, "the program", level + 1)
  if program == "" then bad(level + 1, "exec: the program must have a name, got \"\"") end
  if args ~= nil and type(args) ~= "table" then
    bad(level + 1, "exec: the arguments must be an array of strings, got %s", shown(args))
  end
  local command = { program }
  for i = 1, #(args or {}) do
    command[i + 1] = check_word(args[i], "argument " .. i, level + 1)
  end
  return command
end

local function check_name(name, level)
  if type(name) == "string" and name ~= "" and not name:find("[=\0]") then return end
  bad(level + 1, "exec: a variable of env must have a name without '=', got %s", shown(name))
end

local ORDER = { "timeout", "input", "env", "cwd", "max_output" }
local CHECKS = {}

function CHECKS.timeout(value, level)
  if type(value) == "number" and value >= 0 then return value end
  bad(level + 1, "exec: timeout must be a number of seconds that is not negative, got %s",
    shown(value))
end

function CHECKS.input(value, level)
  if type(value) == "string" then return value end
  bad(level + 1, "exec: input must be a string, got %s", shown(value))
end

function CHECKS.env(value, level)
  if type(value) ~= "table" then
    bad(level + 1, "exec: env must be a table of values by name, got %s", shown(value))
  end
  local list = {}
  for name, text in next, value do
    check_name(name, level + 1)
    list[#list + 1] = text and name .. "=" .. check_word(text, "env." .. name, level + 1) or name
  end
  table.sort(list)
  return list
end

function CHECKS.cwd(value, level)
  check_text(value, "cwd", level + 1)
  return value
end

function CHECKS.max_output(value, level)
  if math.type(value) == "integer" and value >= 0 then return value end
  bad(level + 1, "exec: max_output must be an integer that is not negative, got %s", shown(value))
end

local function check_options(given, level)
  names.check_keys(given, CHECKS, "option", level + 1)
  local options = { max_output = MAX_OUTPUT }
  for _, name in ipairs(ORDER) do
    local value = given and given[name]
    if value ~= nil then options[name] = CHECKS[name](value, level + 1) end
  end
  return options
end

local function check_task()
  if scheduler.can_wait() then return end
  local task = scheduler.current()
  checks.may_wait("exec", task and task.co, conditions.is_asking())
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
---@param args (string|number)[]? none unless told
---@param options corolua.ExecOptions?
---@return corolua.ExecResult? result
---@return string? message
---@return string? code "ENOENT" (no such program, or no such folder), "EACCES"
--- (not executable), "ERR_TIMEOUT", "ERR_TOO_BIG" (the output), "ERR_INTERRUPT",
--- or the errno of what the system refused
local function exec(program, args, options)
  local command = check_command(program, args, 2)
  local checked = check_options(options, 2)
  check_task()
  local result, why, code = process.run(command, checked)
  if result then return result end
  return nil, why, code
end

return exec
