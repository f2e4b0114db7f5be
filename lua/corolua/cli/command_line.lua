--- The options of the command line, in the manner of standalone `lua`: a letter
--- may be followed by its argument, `-` is standard input, `--` ends them, and
--- the first word that is none is the script.

local names = require("corolua.base.names")

local command_line = {}

command_line.help = [==[
usage: corolua [options] [script [args]]
       corolua lab [-n N] [options] script [args]    (see corolua lab --help)
       corolua check FILE... [options]               (see corolua check --help)
       corolua doctor
       corolua help [command]
Runs a Lua script as a member of a corosync cluster; `lab` runs it on every node
of a private cluster, `check` judges the trace of a run, `doctor` says whether
this machine can have a private cluster.

  -e CHUNK               run the text CHUNK
  -l MOD, -l NAME=MOD    require the library MOD into the global MOD or NAME
  -v, --version          print the version
  -W                     turn warnings on
  -E                     ignore the environment (LUA_INIT, LUA_PATH, LUA_CPATH)
  -i                     interactive mode (comes in a later version)
  -                      run standard input as the script
  --                     end of the options
  --memory-limit SIZE    bound the memory of Lua: bytes, or with K, M, G
  --handler-limit SECONDS
                         CPU time of a handler between two waits; default 1,
                         0 is off
  --log-level LEVEL      log events of this level and above: emerg, alert, crit,
                         error, warning, notice, info, debug, trace
  --log-target TARGET    stderr (default) or syslog; without a level, notice.
                         Without both, only what a script logs: its warnings
                         and errors, to stderr
  --no-strict            let undeclared globals be nil
  -h, --help             print this text

An error ends with a traceback of the script's own functions; with
COROLUA_TRACEBACK=full in the environment, of all of them.

The exit status is 0, also after a first SIGINT or SIGTERM; 1 after an error; 2
for bad usage; n after os.exit(n); 128 + n after a second signal n.
]==]

--- The modules of the commands. A script of such a name is ./lab.
command_line.commands = {
  check = "corolua.cli.check", doctor = "corolua.cli.doctor", help = "corolua.cli.help",
  lab = "corolua.cli.lab",
}

local LEVELS = {
  emerg = true, alert = true, crit = true, error = true, warning = true,
  notice = true, info = true, debug = true, trace = true,
}

local SIZE_MAX = 1 << 60
local UNITS = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30 }

local function bad(...) error({ usage = string.format(...) }, 0) end

local function parse_size(text)
  local digits, unit = text:match("^(%d+)([KMG]?)$")
  local number = digits and math.tointeger(tonumber(digits))
  if not number or number > SIZE_MAX // UNITS[unit] then
    bad("--memory-limit must be bytes, or with K, M, G, got '%s'", text)
  end
  return number * UNITS[unit]
end

local function parse_seconds(text)
  local seconds = tonumber(text)
  if not seconds or not (seconds >= 0 and seconds <= 1e6) then
    bad("--handler-limit must be seconds of 0 to 1000000, got '%s'", text)
  end
  return seconds
end

local function parse_level(text)
  if LEVELS[text] then return text end
  bad("--log-level '%s' is not known%s", text, names.hint(text, LEVELS))
end

local function parse_target(text)
  if text == "stderr" or text == "syslog" then return text end
  bad("--log-target must be stderr or syslog, got '%s'", text)
end

-- Options with an argument; those without have `true`.
local LONG = {
  ["memory-limit"] = { "memory_limit", parse_size },
  ["handler-limit"] = { "handler_limit", parse_seconds },
  ["log-level"] = { "log_level", parse_level },
  ["log-target"] = { "log_target", parse_target },
  ["no-strict"] = { "no_strict" },
  ["help"] = { "help" },
  ["version"] = { "version" },
}

local FLAGS = { v = "version", h = "help", E = "no_environment", i = "interactive" }

local function parse_long(parsed, word, argument)
  local name, value = word:match("^%-%-([^=]*)=?(.*)$")
  local option = LONG[name]
  if not option then
    bad("unknown option '--%s'%s", name, names.hint(name, LONG, "--"))
  end
  local has_value = word:find("=", 1, true) ~= nil
  local field, parse = option[1], option[2]
  if not parse then
    if has_value then bad("'--%s' takes no argument", name) end
    parsed[field] = true
    return 1
  end
  value = has_value and value or argument
  if not value then bad("'--%s' needs an argument", name) end
  parsed[field] = parse(value)
  return has_value and 1 or 2
end

local function parse_short(parsed, word, argument)
  local letter, value = word:sub(2, 2), word:sub(3)
  if FLAGS[letter] and value == "" then
    parsed[FLAGS[letter]] = true
    return 1
  elseif word == "-W" then
    table.insert(parsed.actions, { kind = "W" })
    return 1
  elseif letter ~= "e" and letter ~= "l" then
    bad("unknown option '%s'", word)
  end
  local text = value ~= "" and value or argument
  if not text then bad("'-%s' needs an argument", letter) end
  table.insert(parsed.actions, { kind = letter, text = text })
  return value ~= "" and 1 or 2
end

--- Reads the options. Bad ones raise a table with the sentence in `usage`.
---@param words string[]
---@return table # by name, with `actions` in order, and `script`, the index of the script
function command_line.parse(words)
  local parsed = { actions = {}, handler_limit = 1 }
  local i = 1
  while i <= #words do
    local word = words[i]
    if word:sub(1, 1) ~= "-" or word == "-" then break end
    if word == "--" then
      i = i + 1
      break
    end
    local parse = word:sub(1, 2) == "--" and parse_long or parse_short
    i = i + parse(parsed, word, words[i + 1])
  end
  parsed.script = words[i] and i or nil
  if parsed.log_target then parsed.log_level = parsed.log_level or "notice" end
  parsed.log_target = parsed.log_target or "stderr"
  return parsed
end

return command_line
