--- The options of the command line, in the manner of standalone `lua`: a letter
--- may be followed by its argument, `-` is standard input, `--` ends them, and
--- the first word that is none is the script.

local names = require("corolua.base.names")

local command_line = {}

command_line.help = [==[
usage: corolua [options] [script [args]]
       corolua lab [-n N] [options] script [args]    (see corolua lab --help)
       corolua check FILE... [options]               (see corolua check --help)
       corolua draw FILE... [options]                (see corolua draw --help)
       corolua doctor
       corolua help [command]
Runs a Lua script as a member of a corosync cluster; `lab` runs it on every node
of a private cluster, `check` judges the trace of a run, `draw` makes a picture
of it, `doctor` says whether this machine can have a private cluster.

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
  check = "corolua.cli.check", doctor = "corolua.cli.doctor", draw = "corolua.cli.draw",
  help = "corolua.cli.help", lab = "corolua.cli.lab",
}

local LEVELS = {
  emerg = true, alert = true, crit = true, error = true, warning = true,
  notice = true, info = true, debug = true, trace = true,
}

local SIZE_MAX = 1 << 60
local UNITS = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30 }

--- Raises the sentence of a bad word.
---@param ... any as string.format takes it
function command_line.bad(...) error({ usage = string.format(...) }, 0) end

local bad = command_line.bad

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

-- The name of the option in a word, and what stands in the word behind it.
local function split(word)
  if word:sub(1, 2) ~= "--" then
    return word:sub(1, 2), #word > 2 and word:sub(3) or nil
  end
  local name, value = word:match("^(%-%-[^=]*)=(.*)$")
  return name or word, value
end

local function unknown(word, name, known)
  if name:sub(1, 2) ~= "--" then bad("unknown option '%s'", word) end
  local long = {}
  for key in pairs(known) do long[key:match("^%-%-(.+)") or 1] = true end
  bad("unknown option '%s'%s", name, names.hint(name:sub(3), long, "--"))
end

-- How many words it took.
local function read_option(words, i, known, parsed)
  local name, value = split(words[i])
  local field, count = known.fields[name], 1
  local parse = known.parse[field]
  if not field or value and not parse and name:sub(1, 2) ~= "--" then
    unknown(words[i], name, known.fields)
  elseif value and not parse then
    bad("'%s' takes no argument", name)
  elseif parse and not value then
    value, count = words[i + 1], 2
    local optional = known.optional and known.optional[field]
    if optional and not (value and value:find(optional)) then
      value, count = nil, 1
    elseif not value then
      bad("'%s' needs an argument", name)
    end
  end
  if parse then value = parse(value, name) else value = true end
  known.put(parsed, field, value)
  return count
end

---@class corolua.cli.Options
---@field fields table<string, string> what options are called inside: "--help" and "-h" are "help"
---@field parse table<string, fun(text: string?, name: string): any> those with an argument
---@field optional table<string, string>? patterns of arguments that may be left out
---@field put fun(parsed: table, field: string, value: any) notes one

--- Reads the options that words begin with. Bad ones raise a table with the
--- sentence in `usage`.
---@param words string[]
---@param known corolua.cli.Options
---@param parsed table what `put` is given
---@param i integer where they begin
---@return integer # the index of the first word behind them
function command_line.read(words, known, parsed, i)
  while words[i] and words[i]:sub(1, 1) == "-" and words[i] ~= "-" do
    if words[i] == "--" then return i + 1 end
    i = i + read_option(words, i, known, parsed)
  end
  return i
end

--- Reads the words of a command that takes traces: options may stand between them.
---@param words string[]
---@param known corolua.cli.Options
---@return table parsed with `files`
function command_line.read_traces(words, known)
  local parsed, i = { files = {} }, 1
  repeat
    i = command_line.read(words, known, parsed, i)
    local last = words[i - 1] == "--" and #words or math.min(i, #words)
    table.move(words, i, last, #parsed.files + 1, parsed.files)
    i = last + 1
  until i > #words
  if #parsed.files == 0 and not parsed.help then
    command_line.bad("it needs the file of a trace")
  end
  return parsed
end

---@class corolua.cli.Command
---@field name string "corolua lab"
---@field help string what `--help` prints
---@field parse fun(words: string[]): table raises a table with a sentence in `usage`
---@field run fun(parsed: table, words: string[]): integer the exit status
---@field bad_usage integer? the exit status after bad words; 2 unless told

--- Carries out a command: prints its help, or what is wrong with its words, or runs it.
---@param command corolua.cli.Command
---@param words string[]
---@return integer status
function command_line.carry_out(command, words)
  local ok, parsed = pcall(command.parse, words)
  if not ok then
    if type(parsed) ~= "table" or not parsed.usage then error(parsed, 0) end
    io.stderr:write(("%s: %s; see %s --help\n"):format(command.name, parsed.usage, command.name))
    return command.bad_usage or 2
  elseif parsed.help then
    io.stdout:write(command.help)
    return 0
  end
  return command.run(parsed, words)
end

--- Whether output is to be coloured: on a terminal, unless NO_COLOR says no.
---@return boolean
function command_line.is_coloured()
  local forbidden = os.getenv("NO_COLOR")
  if forbidden and forbidden ~= "" then return false end
  return os.getenv("TERM") ~= "dumb" and require("corolua.sys").is_terminal(1)
end

--- Writes a file that a command was asked for.
---@param path string
---@param text string
---@return true? written, string? why
function command_line.write_file(path, text)
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local is_written, problem = file:write(text)
  local is_closed, other = file:close()
  if not (is_written and is_closed) then return nil, ("%s: %s"):format(path, problem or other) end
  return true
end

local function as_it_is(text) return text end

local OPTIONS = {
  fields = {
    ["--memory-limit"] = "memory_limit", ["--handler-limit"] = "handler_limit",
    ["--log-level"] = "log_level", ["--log-target"] = "log_target",
    ["--no-strict"] = "no_strict", ["--help"] = "help", ["-h"] = "help",
    ["--version"] = "version", ["-v"] = "version", ["-E"] = "no_environment",
    ["-i"] = "interactive", ["-W"] = "W", ["-e"] = "e", ["-l"] = "l",
  },
  parse = {
    memory_limit = parse_size, handler_limit = parse_seconds, log_level = parse_level,
    log_target = parse_target, e = as_it_is, l = as_it_is,
  },
}

-- Those of one letter inside are done in their order.
function OPTIONS.put(parsed, field, value)
  if #field > 1 then
    parsed[field] = value
  else
    table.insert(parsed.actions, { kind = field, text = value })
  end
end

--- Reads the options. Bad ones raise a table with the sentence in `usage`.
---@param words string[]
---@return table # by name, with `actions` in order, and `script`, the index of the script
function command_line.parse(words)
  local parsed = { actions = {}, handler_limit = 1 }
  local i = command_line.read(words, OPTIONS, parsed, 1)
  parsed.script = words[i] and i or nil
  if parsed.log_target then parsed.log_level = parsed.log_level or "notice" end
  parsed.log_target = parsed.log_target or "stderr"
  return parsed
end

return command_line
