--- The words of `corolua lab`: options of the command, options of the lab, and
--- the script with its arguments.

local lab_options = require("corolua.lab.options")
local names = require("corolua.names")

local words = {}

words.help = [[
usage: corolua lab [-n N] [options] script.lua [args]
       corolua lab [-n N] [options] --shell [i]
Starts a private cluster, and runs the script on every node as a process of its
own; each line that it prints begins with its node. With --shell it opens $SHELL
on node i (1 unless told), where corosync's own tools see that node.

  -n N, --nodes N        how many nodes, 1 to 64; default 3
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
  --timeout SECONDS      how long the cluster may take to form; default 30
  --                     end of the options
  --help                 print this text

The exit status is that of the first script that failed, else 0; 1 when the
cluster cannot start, 2 for bad usage. Ctrl-C stops the script on all nodes.
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
  ["log-dir"] = TEXT, keep = TEXT, timeout = NUMBER, shell = "shell", help = "help",
}

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
  if list[i + 1] == nil then bad("'--%s' needs an argument", name) end
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
  if kind == FLAG then
    if inline then bad("'--%s' takes no argument", name) end
    parsed.lab[key] = true
    return i
  end
  local text
  text, i = argument(list, i, name, inline)
  parsed.lab[key] = kind == NUMBER and number_of(name, text) or text
  return i
end

local function read_short(parsed, list, i)
  local inline = list[i]:match("^%-n(.*)$")
  if not inline then bad("unknown option '%s'", list[i]) end
  local text
  text, i = argument(list, i, "nodes", inline ~= "" and inline or nil)
  parsed.lab.nodes = number_of("nodes", text)
  return i
end

local function read_options(parsed, list)
  local i = 1
  while list[i] and list[i]:sub(1, 1) == "-" do
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

local function check_sense(parsed)
  if not parsed.shell and not parsed.script then bad("no script given") end
  if parsed.shell and parsed.script then bad("--shell takes no script") end
  local nodes = parsed.lab.nodes or 3
  if parsed.shell and (parsed.shell < 1 or parsed.shell > nodes) then
    bad("there is no node %d; there are nodes 1 to %d", parsed.shell, nodes)
  end
end

--- Reads the words. Bad ones raise a table with the sentence in `usage`.
---@param list string[]
---@return { lab: table, script: string?, args: string[], shell: integer?, help: boolean? }
function words.parse(list)
  local parsed = { lab = {} }
  local first = read_options(parsed, list)
  parsed.script = list[first]
  parsed.args = table.move(list, first + 1, #list, 1, {})
  if parsed.help then return parsed end
  check_lab(parsed)
  check_sense(parsed)
  return parsed
end

return words
