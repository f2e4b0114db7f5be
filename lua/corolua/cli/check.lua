--- The command `corolua check`: judges the trace of a run.

local check = require("corolua.check")
local names = require("corolua.base.names")
local report = require("corolua.check.report")

local command = {}

local HELP = [[
usage: corolua check FILE... [--strict] [--json] [--junit PATH] [--slice PATH]
Judges the trace of a run: one sentence, the lines that show what was broken, and
what corosync is known to lose. Several files are those of one run, and merged.

  --strict       corosync's two known losses are violations
  --json         print the verdict as JSON
  --junit PATH   write it there as JUnit's XML, a test for each property
  --slice PATH   write the smallest trace there that still shows the findings
  -h, --help     print this text

The exit status is 0 when all was kept, 1 when something was violated, 2 when the
run proves nothing (no fault in force, no view changed, a trace that is not
whole), and 64 for bad usage or a file that cannot be read.
]]

local STATUS = { kept = 0, violated = 1, inconclusive = 2 }
local USAGE = 64

local FLAGS = { strict = true, json = true, help = true }
local PATHS = { junit = true, slice = true }

local function bad(...) error({ usage = string.format(...) }, 0) end

local function unknown(name)
  local known = {}
  for key in pairs(FLAGS) do known[key] = true end
  for key in pairs(PATHS) do known[key] = true end
  bad("unknown option '--%s'%s", name, names.hint(name, known, "--"))
end

-- Reads a long option, and returns how many words it took.
local function parse_long(parsed, word, argument)
  local name, inline = word:match("^%-%-([^=]*)=(.*)$")
  name = name or word:sub(3)
  if FLAGS[name] then
    if inline then bad("'--%s' takes no argument", name) end
    parsed[name] = true
    return 1
  end
  if not PATHS[name] then unknown(name) end
  parsed[name] = inline or argument
  if not parsed[name] then bad("'--%s' needs a path", name) end
  return inline and 1 or 2
end

local function parse(words)
  local parsed, i, is_over = { files = {} }, 1, false
  while i <= #words do
    local word = words[i]
    if is_over or word:sub(1, 1) ~= "-" then
      table.insert(parsed.files, word)
      i = i + 1
    elseif word == "--" then
      is_over, i = true, i + 1
    elseif word == "-h" then
      parsed.help, i = true, i + 1
    elseif word:sub(1, 2) == "--" then
      i = i + parse_long(parsed, word, words[i + 1])
    else
      bad("unknown option '%s'", word)
    end
  end
  if #parsed.files == 0 and not parsed.help then bad("it needs the file of a trace") end
  return parsed
end

local function complain(text)
  io.stderr:write("corolua check: ", text, "\n")
  return USAGE
end

local function write_file(path, text)
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local is_written, problem = file:write(text)
  local is_closed, other = file:close()
  if not (is_written and is_closed) then return nil, ("%s: %s"):format(path, problem or other) end
  return true
end

local function run(parsed)
  local words = table.move(parsed.files, 1, #parsed.files, 1, {})
  table.insert(words, { strict = parsed.strict, slice = parsed.slice })
  local verdict, why = check.file(table.unpack(words))
  if not verdict then return complain(why) end
  if parsed.junit then
    local ok, problem = write_file(parsed.junit, report.junit(verdict))
    if not ok then return complain(problem) end
  end
  io.stdout:write(parsed.json and report.json(verdict) or report.text(verdict))
  return STATUS[verdict.status]
end

--- The command.
---@param ... string
---@return integer status
function command.main(...)
  local ok, parsed = pcall(parse, { ... })
  if not ok then
    if type(parsed) ~= "table" or not parsed.usage then error(parsed, 0) end
    return complain(parsed.usage .. "; see corolua check --help")
  end
  if parsed.help then
    io.stdout:write(HELP)
    return 0
  end
  return run(parsed)
end

return command
