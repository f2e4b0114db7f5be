-- A replica in a process of its own, on whose disk calls may be made to fail:
-- support/replica_client.lua <group> <folder> <durable> <task> [number]
-- The state is the list of all commands.
local corolua = require("corolua")
local replica = require("corolua.replica")

local group, folder, durable, task, count = table.unpack(arg)
io.stdout:setvbuf("no")

local one = assert(replica.open(group, {
  dir = folder, durable = durable, retry = 0.2,
  apply = function(state, command)
    table.insert(state, command)
    return #state
  end,
}))

function one.on.failed(_, code) print("failed", code) end

local tasks = {}

-- Submits without end, and prints what was acknowledged.
function tasks.submit()
  for n = 1, math.huge do
    local command = ("%d.%d.%d"):format(one.group.me.nodeid, one.group.me.pid, n)
    if one:submit(command) then print("ok", command) end
  end
end

-- Lets the disk be full, and goes on.
function tasks.fill()
  assert(one:submit("before"))
  local file = assert(io.open(os.getenv("DISK"), "w"))
  assert(file:write("pwrite=28"))
  file:close()
  print("submit", (select(3, one:submit("full"))))
  print("status", one:status().state)
  print("again", (select(3, one:submit("later"))))
  print("read", one:read(function(state) return #state end))
end

-- Waits until there are so many commands, and stays.
function tasks.wait()
  assert(corolua.wait(function()
    return one:read(function(state) return #state end) >= tonumber(count)
  end, 20))
  print("there")
end

tasks[task]()
