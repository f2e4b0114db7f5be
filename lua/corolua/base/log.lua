--- The log of the program: lines of corolua, of the libraries under it, and of
--- the script. `--log-level` and `--log-target` say which, and where to.

local inspect = require("corolua.base.inspect")
local names = require("corolua.base.names")

local log = {}

local RANKS = {
  emerg = 0, alert = 1, crit = 2, error = 3, warning = 4, notice = 5, info = 6, debug = 7,
  trace = 8,
}

-- libqb cuts lines at 512 bytes, with what it puts before them.
local LINE_MAX = 440

--- Where the log goes, false where nobody asked for one.
---@type "stderr"|"syslog"|false
log.target = false

local most = RANKS.warning

--- Opens the log of the program, which stock lua5.4 does not have.
---@param level string "emerg" to "trace": lines of this level and above
---@param target "stderr"|"syslog"
function log.open(level, target)
  require("corolua.host").log_open(level, target)
  most, log.target = RANKS[level], target
end

local function put(level, line)
  if log.target then return require("corolua.host").log(level, line) end
  io.stderr:write("corolua: ", level, ": ", line, "\n")
end

local function escaped(byte) return ("\\x%02x"):format(byte:byte()) end

-- What a peer sent must not move a cursor, nor end a line of its own accord.
local function put_line(level, line)
  line = line:gsub("[%z\1-\8\11-\31\127]", escaped)
  while #line > LINE_MAX do
    local head = inspect.cut(line, LINE_MAX)
    put(level, head)
    line = "…" .. line:sub(#head + 1)
  end
  put(level, line)
end

--- Writes a text line by line, if the level is to be logged. Lines that are too
--- long go on in a next one that begins with `…`.
---@param level string
---@param text string
function log.write(level, text)
  if RANKS[level] > most then return end
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do put_line(level, line) end
end

local function text_of(what, format, count, ...)
  if type(format) ~= "string" then
    if count == 0 then return inspect.text(format) end
    error(("log.%s: the format must be a string, got %s"):format(what, inspect.line(format, 8)), 3)
  end
  if count == 0 then return format end
  local ok, text = pcall(string.format, format, ...)
  if ok then return text end
  error(("log.%s: %s"):format(what, (text:gsub(" to '[^']*'", "", 1))), 3)
end

local function writer(what, level)
  return function(format, ...)
    if RANKS[level] > most then return end
    log.write(level, text_of(what, format, select("#", ...), ...))
  end
end

--- What scripts log by: each takes a text, or a format of string.format with its
--- arguments, or one value that `corolua.inspect` shows. What is below the level
--- of the log costs no formatting. Without `--log-level` and `--log-target`,
--- warnings and errors go to standard error.
---@class corolua.Log
---@field debug fun(format: any, ...: any)
---@field info fun(format: any, ...: any)
---@field warn fun(format: any, ...: any)
---@field error fun(format: any, ...: any)
log.levels = {
  debug = writer("debug", "debug"), info = writer("info", "info"),
  warn = writer("warn", "warning"), error = writer("error", "error"),
}

local known = { debug = true, info = true, warn = true, error = true }

setmetatable(log.levels, { __index = function(_, name)
  names.check(name, known, "level of the log", 2)
end })

return log
