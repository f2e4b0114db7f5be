--- The command `corolua draw`: a picture of a run, from its trace.

local command_line = require("corolua.cli.command_line")
local draw = require("corolua.draw")

local command = {}

local HELP = [[
usage: corolua draw FILE... [-o PATH] [--order] [--from S] [--to S] [--title T]
Draws a run from its trace: who said what, who heard it, in which ring, under
which quorum, what was broken when, and where a promise failed. Several files
are those of one run, and merged.

  -o, --output PATH   a page (PATH ends in .html) or a still picture (.svg);
                      without it, text for the terminal
  --order             the total order to the right instead of time
  --from S, --to S    show these seconds; a page still has all of the run
  --title T           instead of the name of the script
  -h, --help          print this text

The exit status is 0 when it was drawn, whatever the verdict on the run, and 64
for bad usage or a file that cannot be read or written.
]]

local USAGE = 64

local function as_it_is(text) return text end

local function seconds(text, name)
  local value = tonumber(text)
  if not value or not (value >= 0 and value < math.huge) then
    command_line.bad("%s must be seconds from 0 on, got '%s'", name, text)
  end
  return value
end

local OPTIONS = {
  fields = {
    ["-o"] = "output", ["--output"] = "output", ["--order"] = "order", ["--from"] = "from",
    ["--to"] = "to", ["--title"] = "title", ["--help"] = "help", ["-h"] = "help",
  },
  parse = { output = as_it_is, title = as_it_is, from = seconds, to = seconds },
  put = function(parsed, field, value) parsed[field] = value end,
}

local MAKERS = { html = draw.html, htm = draw.html, svg = draw.svg }

local function check(parsed)
  if parsed.help then return parsed end
  if parsed.from and parsed.to and parsed.from >= parsed.to then
    command_line.bad("--to must be more than --from")
  end
  local ending = parsed.output and (parsed.output:match("%.(%w+)$") or ""):lower()
  parsed.make = ending and MAKERS[ending] or not ending and draw.ladder
  if not parsed.make then
    command_line.bad("-o must end in .html or .svg, got '%s'", parsed.output)
  end
  return parsed
end

local function parse(words) return check(command_line.read_traces(words, OPTIONS)) end

local function complain(text)
  io.stderr:write("corolua draw: ", text, "\n")
  return USAGE
end

local function run(parsed)
  local picture, why = parsed.make(parsed.files, {
    title = parsed.title, order = parsed.order, from = parsed.from, to = parsed.to,
    colour = not parsed.output and command_line.is_coloured(),
  })
  if not picture then return complain(why) end
  if not parsed.output then
    io.stdout:write(picture)
    return 0
  end
  local ok, problem = command_line.write_file(parsed.output, picture)
  return ok and 0 or complain(problem)
end

--- The command.
---@param ... string
---@return integer status
function command.main(...)
  return command_line.carry_out({
    name = "corolua draw", help = HELP, parse = parse, run = run, bad_usage = USAGE,
  }, { ... })
end

return command
