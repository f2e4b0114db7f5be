--- The command `corolua check`: judges the trace of a run.

local check = require("corolua.check")
local command_line = require("corolua.cli.command_line")
local lists = require("corolua.base.lists")
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

local function path_of(text) return text end

local OPTIONS = {
  fields = {
    ["--strict"] = "strict", ["--json"] = "json", ["--junit"] = "junit", ["--slice"] = "slice",
    ["--help"] = "help", ["-h"] = "help",
  },
  parse = { junit = path_of, slice = path_of },
  put = function(parsed, field, value) parsed[field] = value end,
}

local function parse(words)
  local parsed = command_line.read_traces(words, OPTIONS)
  for _, field in ipairs({ "junit", "slice" }) do
    if lists.contains(parsed.files, parsed[field]) then
      command_line.bad("'--%s' must be another file than the trace", field)
    end
  end
  return parsed
end

local function complain(text)
  io.stderr:write("corolua check: ", text, "\n")
  return USAGE
end

local function run(parsed)
  local words = table.move(parsed.files, 1, #parsed.files, 1, {})
  table.insert(words, { strict = parsed.strict, slice = parsed.slice })
  local verdict, why = check.file(table.unpack(words))
  if not verdict then return complain(why) end
  if parsed.junit then
    local ok, problem = command_line.write_file(parsed.junit, report.junit(verdict))
    if not ok then return complain(problem) end
  end
  io.stdout:write(parsed.json and report.json(verdict) or report.text(verdict))
  return STATUS[verdict.status]
end

--- The command.
---@param ... string
---@return integer status
function command.main(...)
  return command_line.carry_out({
    name = "corolua check", help = HELP, parse = parse, run = run, bad_usage = USAGE,
  }, { ... })
end

return command
