--- The words of `corolua lab`: options of the command, options of the lab, and
--- the script with its arguments.

local command_line = require("corolua.cli.command_line")
local lab_options = require("corolua.lab.options")
local lists = require("corolua.base.lists")

---@class corolua.cli.LabCommandLine
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

local bad = command_line.bad

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

local function number_of(text, name)
  local value = math.tointeger(tonumber(text)) or tonumber(text)
  if not value then bad("'%s' takes a number, got '%s'", name, text) end
  return value
end

local function text_of(text) return text end
local function node_of(text, name) return text and number_of(text, name) or 1 end

-- Those of the command itself; all others are the lab's.
local OWN = { fail_fast = true, time_limit = true, stdin = true, shell = true, help = true }

local OPTIONS = {
  fields = { ["-h"] = "help", ["-n"] = "nodes", ["-e"] = "-e", ["-l"] = "-l" },
  parse = { ["-e"] = text_of, ["-l"] = text_of },
  optional = { shell = "^%d+$" },
}

local function add(options, parse)
  for name in options:gmatch("%S+") do
    local field = name:gsub("%-", "_")
    OPTIONS.fields["--" .. name], OPTIONS.parse[field] = field, parse
  end
end

add("nodes links token join merge consensus port votes expected-votes time-limit stdin seed "
  .. "last-man-standing-window token-coefficient token-retransmits-before-loss-const "
  .. "knet-ping-interval knet-ping-timeout knet-pong-count timeout", number_of)
add("transport network provider pcap log-dir keep trace", text_of)
add("crypto two-node wait-for-all last-man-standing debug auto-tie-breaker fail-fast help")
add("shell", node_of)

function OPTIONS.put(parsed, field, value)
  if field:sub(1, 1) == "-" then return lists.append(parsed.actions, { field, value }) end
  local options = OWN[field] and parsed or parsed.lab
  options[field] = value
end

-- The lab checks its own options.
local function check_lab(parsed)
  local ok, why = pcall(lab_options.check, parsed.lab, 1)
  if not ok then bad("%s", (why:gsub("^[^:]+:%d+: ", ""):gsub("^lab%.start: ", ""))) end
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
---@return corolua.cli.LabCommandLine
function lab_command_line.parse(list)
  local parsed = { lab = {}, actions = {} }
  local first = command_line.read(list, OPTIONS, parsed, 1)
  parsed.script = list[first]
  parsed.args = table.move(list, first + 1, #list, 1, {})
  if parsed.help then return parsed end
  check_lab(parsed)
  check_sense(parsed)
  return parsed
end

return lab_command_line
