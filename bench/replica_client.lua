-- A process of replica_soak on one node: two replicas, and clients that submit to
-- them until a file tells them to stop. What they do is printed, a line each:
--   c <replica> <id> <w or r> <key> <value> <time>   a command is submitted
--   r <replica> <id> <time> <result>                 it was acknowledged
--   f <replica> <id> <code>                          what became of it is not known
--   s <replica> <state> <index> <open commands>      how things stand
--   x <text>                                         what must not happen
local corolua = require("corolua")
local replica = require("corolua.replica")

local folder, node, life = arg[1], arg[2], arg[3]
local CLIENTS, KEYS = 3, 16
local PAUSE = 0.06 -- seconds at most between two commands of a client
local TIMEOUT = 5
local SNAPSHOT_AFTER = 64 * 1024

math.randomseed(tonumber(arg[4]), tonumber(node) << 16 | tonumber(life))
io.stdout:setvbuf("no")

local function say(...) io.write(table.concat({ ... }, " "), "\n") end

local function exists(name)
  local file <close> = io.open(folder .. "/" .. name)
  return file ~= nil
end

-- The state: every command in order, and registers.
local function apply(state, command)
  local id, kind, key, value = command:match("^(%S+) (%S) (%S+) (%S+)$")
  table.insert(state.log, id)
  if kind == "w" then state.registers[key] = value end
  return state.registers[key] or "none"
end

local function snapshot(state)
  local parts = {}
  for key, value in pairs(state.registers) do table.insert(parts, key .. "=" .. value) end
  return table.concat(parts, " ") .. "\n" .. table.concat(state.log, "\n")
end

local function restore(bytes)
  local state = { log = {}, registers = {} }
  local registers, log = bytes:match("^([^\n]*)\n(.*)$")
  for key, value in registers:gmatch("(%S+)=(%S+)") do state.registers[key] = value end
  for id in log:gmatch("[^\n]+") do table.insert(state.log, id) end
  return state
end

-- The same for equal states, which a snapshot is not.
local function digest(state)
  local names = {}
  for key in pairs(state.registers) do table.insert(names, key) end
  table.sort(names)
  for i, key in ipairs(names) do names[i] = key .. "=" .. state.registers[key] end
  return table.concat(names, " ") .. "\n" .. table.concat(state.log, "\n")
end

-- Until corosync is there and the folder is free.
local function open(durable)
  while true do
    local opened, message, code = replica.open("soak-" .. durable, {
      initial = { log = {}, registers = {} }, apply = apply, snapshot = snapshot,
      restore = restore, digest = digest, snapshot_after = SNAPSHOT_AFTER,
      dir = ("%s/%s"):format(folder, durable), durable = durable,
    })
    if opened then return opened end
    if code ~= "ERR_LIBRARY" and code ~= "ERR_TRY_AGAIN" and code ~= "ERR_TIMEOUT" then
      say("x", "open", code, message)
    end
    corolua.sleep(0.1)
  end
end

local open_commands = { majority = 0, all = 0 }

local function submit(machine, durable, id)
  local kind = math.random(2) == 1 and "w" or "r"
  local key, value = "k" .. math.random(KEYS), kind == "w" and id or "-"
  say("c", durable, id, kind, key, value, corolua.now())
  local result, _, code = machine:submit(table.concat({ id, kind, key, value }, " "),
    { timeout = TIMEOUT })
  if result then
    say("r", durable, id, corolua.now(), result)
  else
    say("f", durable, id, code)
    corolua.sleep(0.1)
  end
end

local function run_client(machine, durable, client)
  open_commands[durable] = open_commands[durable] + 1
  local count = 0
  while not exists("stop") do
    count = count + 1
    submit(machine, durable, ("%s.%s.%s%d.%d"):format(node, life, durable:sub(1, 1), client, count))
    corolua.sleep(math.random() * PAUSE)
  end
  open_commands[durable] = open_commands[durable] - 1
end

local function dump(machine, durable)
  local file <close> = assert(io.open(("%s/%s.sequence"):format(folder, durable), "w"))
  machine:read(function(state) file:write(table.concat(state.log, "\n"), "\n") end)
end

local function tell(machine, durable)
  local status = machine:status()
  say("s", durable, status.state, status.index, open_commands[durable])
end

local function serve(durable)
  local machine = open(durable)
  function machine.on.failed(message, code) say("x", "failed", code, message) end
  function machine.on.diverged(member, index)
    say("x", "diverged", tostring(member), index)
  end
  for client = 1, CLIENTS do corolua.spawn(run_client, machine, durable, client) end
  repeat
    tell(machine, durable)
    corolua.sleep(0.1)
  until exists("dump")
  dump(machine, durable)
  machine:close()
end

local tasks = { corolua.spawn(serve, "majority"), corolua.spawn(serve, "all") }
for _, task in ipairs(tasks) do task:wait() end
