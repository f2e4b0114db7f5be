--- The command `corolua lab`: a script on every node of a private cluster, or a
--- shell on one of them.

local lab = require("corolua.lab")
local lfs = require("lfs")
local loop = require("corolua.loop")
local place = require("corolua.lab.place")
local programs = require("corolua.lab.programs")
local scheduler = require("corolua.scheduler")
local sys = require("corolua.sys")
local terminal = require("corolua.lab.terminal")
local words = require("corolua.lab.words")

local command = {}

-- So long scripts have to leave their groups after Ctrl-C.
local STOP_GRACE = 6

local function complain(text) io.stderr:write("corolua lab: ", text, "\n") end

-- One script; `crew` counts those that run, and keeps the first bad status.
local function start_script(crew, node, line)
  local script, why = node:run(table.unpack(line))
  if not script then return nil, why end
  local mark = terminal.mark(node.nodeid, crew.is_coloured)
  crew.running[script] = true
  function script.on.line(text)
    io.stdout:write(mark, text, "\n")
    io.stdout:flush()
  end
  function script.on.exit(status)
    crew.running[script] = nil
    if status ~= 0 and not crew.status then crew.status = status end
    if not next(crew.running) and crew.wake then crew.wake(true) end
  end
  return true
end

local function wait_crew(crew, timeout, options)
  if not next(crew.running) then return true end
  return scheduler.await(function(resume)
    crew.wake = resume
    return function() crew.wake = nil end
  end, timeout, options)
end

-- After Ctrl-C the scripts are asked to stop, and waited for, though not for
-- ever.
local function stop_crew(crew)
  for running in pairs(crew.running) do running:kill("TERM") end
  wait_crew(crew, STOP_GRACE, { interruptible = false })
end

local function run_scripts(cluster, parsed)
  local crew = { running = {}, is_coloured = terminal.is_coloured() }
  local line = table.move(parsed.args, 1, #parsed.args, 2, { parsed.script })
  for _, node in ipairs(cluster) do
    local ok, why = start_script(crew, node, line)
    if not ok then
      complain(why)
      crew.status = crew.status or 1
    end
  end
  local _, _, code = wait_crew(crew)
  if code == "ERR_INTERRUPT" then stop_crew(crew) end
  return crew.status or 0
end

-- The line that enters a node from another terminal. Root needs no user
-- namespace to get there.
local function entrance(node)
  local user = place.is_user() and " -U --preserve-credentials" or ""
  return ("nsenter -t %d%s -m -n -r"):format(node.daemon.pid, user)
end

local function tell_entrances(cluster, id)
  print(("A shell on node %d of %d; corosync's own tools see it there. From other terminals:")
    :format(id, #cluster))
  for _, node in ipairs(cluster) do
    print(("  node %d: %s"):format(node.nodeid, entrance(node)))
  end
end

local function start_shell(node, has_terminal)
  return sys.spawn({ os.getenv("SHELL") or "/bin/sh" }, {
    net = node.space, inherit = true, guard = place.guard,
    placement = has_terminal and "terminal" or "group", env = programs.environment(),
  })
end

local function await_child(pid)
  return scheduler.await(function(resume)
    local watch = loop.child(pid, resume)
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
  place.guard:forget(pid)
  if kind == "exit" then return status end
  return kind == "signal" and 128 + status or 0
end

local function start_lab(parsed)
  local cluster, why = lab.start(parsed.lab)
  if not cluster then complain(why) end
  return cluster
end

local function run(parsed)
  if parsed.script and lfs.attributes(parsed.script, "mode") ~= "file" then
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
  local ok, parsed = pcall(words.parse, { ... })
  if not ok then
    if type(parsed) ~= "table" or not parsed.usage then error(parsed, 0) end
    complain(parsed.usage .. "; see corolua lab --help")
    return 2
  end
  if parsed.help then
    io.stdout:write(words.help)
    return 0
  end
  return run(parsed)
end

return command
