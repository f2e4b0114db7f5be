--- The words of `corolua lab`: options of the command, options of the lab, and
--- the script with its arguments.

local lab_options = require("corolua.lab.options")
local lists = require("corolua.base.lists")
local names = require("corolua.base.names")

---@class corolua.lab.Words
---@field lab table options of `lab.start`
---@field actions string[] options of corolua, for every node
---@field script string? "-" is standard input
---@field args string[] of the script
---@field shell integer? the node
---@field stdin integer? the node
---@field fail_fast boolean?
---@field time_limit number? in seconds
---@field help boolean?

local lab_command_line = {}

lab_command_line.help = [[
usage: corolua lab [-n N] [options] script.lua [args]
       corolua lab [-n N] [options] --shell [i]
Starts a private cluster, and runs the script on every node as a process of its
own; each line that it prints begins with its node, and so does a line that says
how it ended, if that was not well. On a terminal, `2 hello` types hello on node
2, and Ctrl-D ends the input of all. With --shell it opens $SHELL on node i (1
unless told), where corosync's own tools, and corolua, see that node.

  -n N, --nodes N        how many nodes, 1 to 64; default 3
  -e CHUNK, -l MOD       as of corolua, on every node; the script may be left out
  --fail-fast            stop all as soon as one fails
  --time-limit SECONDS   stop all after that time
  --stdin N              the input is for node N alone
  --transport NAME       udpu (default where corosync has it) or knet
  --links N              links of knet, 1 or 2
  --crypto               encrypt (knet)
  --token MS             token timeout; also --join, --merge, --consensus,
                         --token-coefficient, --token-retransmits-before-loss-const
                         and for knet --knet-ping-interval, --knet-ping-timeout,
                         --knet-pong-count
  --port N               corosync's port
  --network NAME         switch (default) or bridge
  --votes N              votes of each node
  --expected-votes N     expected votes
  --two-node, --wait-for-all, --last-man-standing, --auto-tie-breaker
                         as in votequorum(5); also --last-man-standing-window MS
  --provider NAME        corosync_votequorum (default) or none
  --debug                let corosync log at debug level
  --seed N               for what the switch draws
  --pcap FILE            record what crossed the switch
  --log-dir DIR          write the daemons' logs there
  --keep DIR             copy the lab's files there at the end
  --trace FILE           write down what daemons and members do, for corolua check;
                         each script writes a file beside it
  --timeout SECONDS      how long the cluster may take to form; default 30
  -                      run standard input as the script
  --                     end of the options
  -h, --help             print this text

The exit status is that of the first script that failed, else 0; 1 when the
cluster cannot start, 2 for bad usage, 124 after the time limit. Ctrl-C stops the
script on all nodes.
]]

local NUMBER, TEXT, FLAG = "number", "text", "flag"

local LONG = {
  nodes = NUMBER, transport = TEXT, links = NUMBER, crypto = FLAG, token = NUMBER,
  join = NUMBER, merge = NUMBER, consensus = NUMBER, port = NUMBER, network = TEXT,
  votes = NUMBER, ["expected-votes"] = NUMBER, ["two-node"] = FLAG, ["wait-for-all"] = FLAG,
  provider = TEXT,
  ["last-man-standing"] = FLAG, ["last-man-standing-window"] = NUMBER, debug = FLAG,
  ["token-coefficient"] = NUMBER, ["token-retransmits-before-loss-const"] = NUMBER,
  ["knet-ping-interval"] = NUMBER, ["knet-ping-timeout"] = NUMBER, ["knet-pong-count"] = NUMBER,
  ["auto-tie-breaker"] = FLAG, seed = NUMBER, pcap = TEXT,
  ["log-dir"] = TEXT, keep = TEXT, trace = TEXT, timeout = NUMBER, shell = "shell", help = "help",
  ["fail-fast"] = FLAG, ["time-limit"] = NUMBER, stdin = NUMBER,
}

-- Those of the command itself; all others are the lab's.
local OWN = { fail_fast = true, time_limit = true, stdin = true }

local function bad(...) error({ usage = string.format(...) }, 0) end

-- What a check raises, without the place in our source.
local function complaint(check, ...)
  local ok, why = pcall(check, ...)
  if ok then return nil end
  return (tostring(why):gsub("^[^:]+:%d+: ", ""))
end

local function check_known(name)
  local why = complaint(names.check_keys, { [name] = true }, LONG, "option", 1)
  if why then bad("%s", (why:gsub("'([^']+)'", "'--%1'"))) end
end

local function number_of(name, text)
  local value = math.tointeger(tonumber(text)) or tonumber(text)
  if not value then bad("'--%s' takes a number, got '%s'", name, tostring(text)) end
  return value
end

local function argument(list, i, name, inline)
  if inline then return inline, i end
  if list[i + 1] == nil then bad("'%s' needs an argument", name) end
  return list[i + 1], i + 1
end

local function read_shell(parsed, list, i, inline)
  local text = inline or (list[i + 1] or ""):match("^%d+$")
  parsed.shell = text and number_of("shell", text) or 1
  return text and not inline and i + 1 or i
end

local function read_long(parsed, list, i)
  local name, inline = list[i]:match("^%-%-([^=]+)=(.*)$")
  name = name or list[i]:sub(3)
  check_known(name)
  local kind = LONG[name]
  if kind == "help" then parsed.help = true return i end
  if kind == "shell" then return read_shell(parsed, list, i, inline) end
  local key = name:gsub("%-", "_")
  local options = OWN[key] and parsed or parsed.lab
  if kind == FLAG then
    if inline then bad("'--%s' takes no argument", name) end
    options[key] = true
    return i
  end
  local text
  text, i = argument(list, i, "--" .. name, inline)
  options[key] = kind == NUMBER and number_of(name, text) or text
  return i
end

local function read_short(parsed, list, i)
  local letter, inline = list[i]:match("^%-([nelh])(.*)$")
  if not letter then bad("unknown option '%s'", list[i]) end
  if letter == "h" then parsed.help = true return i end
  if inline == "" then inline = nil end
  local text
  text, i = argument(list, i, "-" .. letter, inline)
  if letter == "n" then
    parsed.lab.nodes = number_of("nodes", text)
  else
    lists.append(parsed.actions, { "-" .. letter, text })
  end
  return i
end

local function read_options(parsed, list)
  local i = 1
  while list[i] and list[i]:sub(1, 1) == "-" and list[i] ~= "-" do
    if list[i] == "--" then return i + 1 end
    local read = list[i]:sub(1, 2) == "--" and read_long or read_short
    i = read(parsed, list, i) + 1
  end
  return i
end

-- The lab checks its own options.
local function check_lab(parsed)
  local why = complaint(lab_options.check, parsed.lab, 1)
  if why then bad("%s", why) end
end

local function check_node(parsed, id)
  local nodes = parsed.lab.nodes or 3
  if id and (math.type(id) ~= "integer" or id < 1 or id > nodes) then
    bad("there is no node %s; there are nodes 1 to %d", id, nodes)
  end
end

local function check_sense(parsed)
  local runs = parsed.script or parsed.actions[1]
  if not parsed.shell and not runs then bad("no script given") end
  if parsed.shell and runs then bad("--shell takes no script") end
  if parsed.stdin and parsed.script == "-" then bad("--stdin: the input is the script itself") end
  check_node(parsed, parsed.shell)
  check_node(parsed, parsed.stdin)
  local limit = parsed.time_limit
  if limit and not (limit > 0 and limit < math.huge) then
    bad("'--time-limit' takes seconds above 0, got %s", limit)
  end
end

--- Reads the words. Bad ones raise a table with the sentence in `usage`.
---@param list string[]
---@return corolua.lab.Words
function lab_command_line.parse(list)
  local parsed = { lab = {}, actions = {} }
  local first = read_options(parsed, list)
  parsed.script = list[first]
  parsed.args = table.move(list, first + 1, #list, 1, {})
  if parsed.help then return parsed end
  check_lab(parsed)
  check_sense(parsed)
  return parsed
end

return lab_command_line
