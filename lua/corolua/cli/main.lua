--- The command line: `corolua [options] [script [args]]`.

local describe = require("corolua.base.describe")
local host = require("corolua.host")
local shutdown = require("corolua.cli.shutdown")
local log = require("corolua.base.log")
local names = require("corolua.base.names")
local command_line = require("corolua.cli.command_line")
local scheduler = require("corolua.task.scheduler")
local strict = require("corolua.cli.strict")

local function complain(text) io.stderr:write("corolua: ", text, "\n") end

local function print_version()
  print(("corolua %s (%s)"):format(host.version, _VERSION))
end

-- As standalone lua: the script is arg[0], what stands before it is negative.
local function make_arg(program, words, script)
  local arg = {}
  local origin = script or 0
  for i = 1, #words do arg[i - origin] = words[i] end
  arg[-origin] = program
  return arg
end

-- What cannot be loaded has no traceback worth reading.
local function loaded(chunk, problem)
  if chunk then return chunk end
  complain(problem)
  scheduler.exit(1)
end

local function run_library(environment, text)
  local name, module = text:match("^([^=]+)=(.+)$")
  module = module or text
  local value = require(module)
  name = name or module:match("^[^-]*")
  _G[name] = value
  if environment ~= _G then rawset(environment, name, value) end
end

local ACTIONS = {
  e = function(environment, text)
    loaded(load(text, "=(command line)", "t", environment))()
  end,
  l = run_library,
  W = function() warn("@on") end,
}

local function run_lua_init(environment)
  local name = "LUA_INIT_5_4"
  local text = os.getenv(name)
  if not text then
    name = "LUA_INIT"
    text = os.getenv(name)
  end
  if not text then return end
  if text:sub(1, 1) == "@" then
    loaded(loadfile(text:sub(2), "bt", environment))()
  else
    loaded(load(text, "=" .. name, "t", environment))()
  end
end

local function run_stdin(environment, _, arg)
  return loaded(loadfile(nil, "bt", environment))(table.unpack(arg))
end

local function run_command(name, arg)
  local found, command = pcall(require, command_line.commands[name])
  if not found then
    complain(describe(command))
    scheduler.exit(1)
  end
  scheduler.exit(command.main(table.unpack(arg)))
end

-- A word that names no file may be a command that was misspelt.
local function run_word(environment, name, arg)
  local chunk, problem = loadfile(name, "bt", environment)
  if not chunk and problem:find("^cannot open") then
    problem = problem .. names.hint(name, command_line.commands, "corolua ")
  end
  return loaded(chunk, problem)(table.unpack(arg))
end

-- What the main task does, in the order of standalone lua.
local function run_all(parsed, words, arg)
  local environment = parsed.no_strict and _G or strict.environment()
  if not parsed.no_environment then run_lua_init(environment) end
  for _, action in ipairs(parsed.actions) do
    ACTIONS[action.kind](environment, action.text)
  end
  if parsed.script then
    local name = words[parsed.script]
    local is_literal = words[parsed.script - 1] == "--"
    if command_line.commands[name] and not is_literal then return run_command(name, arg) end
    local run = name == "-" and not is_literal and run_stdin or run_word
    run(environment, name, arg)
  elseif #parsed.actions == 0 and not parsed.version then
    run_stdin(environment, nil, arg)
  end
end

-- What is no news where nobody asked for a log.
local function tell_log(level, ...)
  if log.target then log.write(level, string.format(...)) end
end

-- The first SIGINT or SIGTERM is a stop.
local function watch_signals()
  local fd = assert(host.watch_signals())
  local watch
  watch = assert(scheduler.readable(fd, function()
    watch:cancel()
    tell_log("notice", "signal %d: stopping", host.signal())
    scheduler.stop()
  end)):unref()
end

-- The log of a service is read where its standard error is not.
local function tell(level, text)
  complain(text)
  if log.target == "syslog" then log.write(level, text) end
end

-- A script that ends well because nothing ever happened looks like one that did
-- its work.
local function tell_forgotten()
  local group = package.loaded["corolua.group"]
  for _, name in ipairs(group and group.forgotten() or {}) do
    tell("warning", ("group '%s' has handlers and was never joined: see room:join()"):format(name))
  end
end

local function exit_status(code)
  if code == nil or code == true then return 0 end
  if code == false then return 1 end
  local status = math.tointeger(code)
  if not status then
    error(("bad argument #1 to 'exit' (a boolean or an integer was expected, got %s)")
      :format(type(code)), 3)
  end
  return status & 0xff
end

-- A lab that writes a trace asks the programs on its nodes for theirs.
local function begin_trace()
  local begun, problem = require("corolua.trace.session").start_as_told()
  if begun then return scheduler.at_exit(function() begun:close() end, 4) end
  complain(problem)
end

local function prepare(parsed)
  if parsed.no_environment then host.ignore_environment() end
  if parsed.log_level then log.open(parsed.log_level, parsed.log_target) end
  if parsed.memory_limit then host.set_memory_limit(parsed.memory_limit) end
  if parsed.handler_limit > 0 then assert(host.set_handler_limit(parsed.handler_limit)) end
  rawset(os, "exit", function(code)
    local status = exit_status(code)
    host.end_if_forked(status)
    scheduler.exit(status)
  end)
  watch_signals()
  scheduler.at_exit(shutdown, 3) -- after the groups, and the labs
  if not parsed.no_environment and os.getenv("COROLUA_TRACE") then begin_trace() end
end

local function run(parsed, program, words)
  prepare(parsed)
  local arg = make_arg(program, words, parsed.script)
  _G.arg = arg
  tell_log("info", "start of %s", arg[0] or "the command line")
  local ok, problem = pcall(scheduler.run, run_all, parsed, words, arg)
  local status = scheduler.exit_status()
  if not ok and not status then
    tell("error", describe(problem))
    status = 1
  elseif not status then
    tell_forgotten()
  end
  tell_log("info", "end with status %d", status or 0)
  return status or 0
end

-- What ends the program before it has begun: nil if nothing does.
local function answer(parsed, words)
  if parsed.help then
    io.stdout:write(command_line.help)
    return 0
  end
  if parsed.version then print_version() end
  local wants_terminal = not parsed.script and #parsed.actions == 0
    and not parsed.version and host.is_terminal()
  if parsed.interactive or wants_terminal then
    complain("the interactive mode comes in a later version; see corolua --help")
    return 2
  end
  if parsed.version and #parsed.actions == 0 and #words == 1 then return 0 end
end

local function main(program, ...)
  local words = { ... }
  local ok, parsed = pcall(command_line.parse, words)
  if not ok then
    if type(parsed) ~= "table" or not parsed.usage then error(parsed, 0) end
    complain(parsed.usage .. "; see corolua --help")
    return 2
  end
  return answer(parsed, words) or run(parsed, program, words)
end

return main
