--- The command `corolua lab`: a script on every node of a private cluster, or a
--- shell on one of them.

local lab = require("corolua.lab")
local command_line = require("corolua.cli.command_line")
local crew = require("corolua.cli.crew")
local lfs = require("lfs")
local lists = require("corolua.base.lists")
local sandbox = require("corolua.lab.sandbox")
local files = require("corolua.lab.files")
local scheduler = require("corolua.task.scheduler")
local sys = require("corolua.sys")
local typing = require("corolua.cli.typing")
local lab_command_line = require("corolua.cli.lab_command_line")

local command = {}

-- As timeout(1) has it.
local TIMED_OUT = 124

local function complain(text) io.stderr:write("corolua lab: ", text, "\n") end

-- Whether the program could take the name of a script for an option or a command.
local function is_mistakable(script)
  return script ~= "-" and (script:find("^%-") or not script:find("[/.]"))
end

-- What the program on each node is told to run; scripts find it at arg[-1], where
-- nothing has to stand between.
local function words_of(parsed)
  local line = { table.unpack(parsed.actions) }
  if parsed.script and is_mistakable(parsed.script) then line[#line + 1] = "--" end
  line[#line + 1] = parsed.script
  lists.append(line, parsed.args)
  return line
end

-- Whose scripts read what is typed: those of all nodes on a terminal, where that
-- is not given to one alone or is the script itself.
local function input_of(parsed)
  if parsed.script == "-" then return "script" end
  if parsed.stdin then return "one" end
  return sys.is_terminal(0) and "typed" or nil
end

local function begin_input(kind, running, parsed)
  if kind == "script" then
    for _, id in ipairs(lists.keys(running.scripts)) do
      running.scripts[id].input:write(parsed.text)
      running.scripts[id].input:finish()
    end
  elseif kind == "one" then
    local script = running.scripts[parsed.stdin]
    if script then return typing.to_one(script) end
  elseif kind == "typed" then
    return typing.by_node(running.scripts, complain)
  end
  return true
end

-- What cannot be read has ended.
local function end_input(running)
  for _, id in ipairs(lists.keys(running.scripts)) do
    local script = running.scripts[id]
    if script.input then script.input:finish() end
  end
end

local function run_scripts(cluster, parsed)
  local kind = input_of(parsed)
  local running = crew.start(cluster, words_of(parsed), {
    takes_input = function(id) return kind and (kind ~= "one" or id == parsed.stdin) end,
    fail_fast = parsed.fail_fast, complain = complain,
  })
  local reads, problem = begin_input(kind, running, parsed)
  if not reads then
    complain("cannot read the input: " .. problem)
    end_input(running)
  end
  local _, _, code = running:wait(parsed.time_limit)
  running:stop()
  if code ~= "ERR_TIMEOUT" then return running.status or 0 end
  complain(("stopped after %g s (--time-limit)"):format(parsed.time_limit))
  return TIMED_OUT
end

-- The line that enters a node from another terminal. Root needs no user
-- namespace to get there.
local function entrance(node)
  local user = sandbox.is_user() and " -U --preserve-credentials" or ""
  return ("nsenter -t %d%s -m -n -r"):format(node.daemon.pid, user)
end

local function tell_entrances(cluster, id)
  print(("A shell on node %d of %d; corosync's own tools see it there. From other terminals:")
    :format(id, #cluster))
  for _, node in ipairs(cluster) do
    print(("  node %d: %s"):format(node.nodeid, entrance(node)))
  end
end

-- The prompt, and whatever else asks for the host's name, tells the node; where
-- such a name is refused, the prompt alone does.
local NAMED = [[
  if unshare --uts true 2>/dev/null; then
    exec unshare --uts /bin/sh -c 'hostname "$0"; exec "$@"' "$0" "$@"
  fi
  exec "$@"
]]

local function start_shell(node, has_terminal)
  local name, shell = "n" .. node.nodeid, os.getenv("SHELL") or "/bin/sh"
  local env = files.environment((files.corolua() or ""):match("^(.*)/"))
  table.insert(env, "PS1=" .. name .. "$ ")
  return sys.spawn({ "/bin/sh", "-c", NAMED, name, shell }, {
    net = node.space, inherit = true, guard = sandbox.guard,
    placement = has_terminal and "terminal" or "group", env = env,
  })
end

local function await_child(pid)
  return scheduler.await(function(resume)
    local watch = scheduler.child(pid, resume)
    return function() watch:cancel() end
  end)
end

-- The shell has the terminal while it runs, so that Ctrl-C in it is its own;
-- what it leaves behind ends with it.
local function run_shell(cluster, id)
  local has_terminal = sys.is_terminal(0)
  tell_entrances(cluster, id)
  local pid, why = start_shell(cluster[id], has_terminal)
  if not pid then
    complain(why)
    return 1
  end
  local kind, status = await_child(pid)
  if has_terminal then sys.take_terminal() end
  sys.kill_group(pid, kind and "HUP" or "KILL")
  sandbox.guard:forget(pid)
  if kind == "exit" then return status end
  return kind == "signal" and 128 + status or 0
end

local function start_lab(parsed)
  local cluster, why = lab.start(parsed.lab)
  if not cluster then complain(why) end
  return cluster
end

-- Said before anything is started. What comes on standard input is for all nodes.
local function cannot_read(parsed)
  if parsed.script == "-" then
    parsed.text = io.read("a")
    return not parsed.text
  end
  return parsed.script and lfs.attributes(parsed.script, "mode") ~= "file"
end

local function run(parsed)
  if cannot_read(parsed) then
    complain(("cannot read %s"):format(parsed.script))
    return 1
  end
  local cluster <close> = start_lab(parsed)
  if not cluster then return 1 end
  if parsed.shell then return run_shell(cluster, parsed.shell) end
  return run_scripts(cluster, parsed)
end

--- The command; waits until it is done.
---@param ... string its words
---@return integer status
function command.main(...)
  return command_line.carry_out({
    name = "corolua lab", help = lab_command_line.help, parse = lab_command_line.parse, run = run,
  }, { ... })
end

return command
