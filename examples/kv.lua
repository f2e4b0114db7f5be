-- A key-value store that survives kill -9: the second life finds what the first one stored.
local corolua = require("corolua")
local replica = require("corolua.replica")

local folder, life = arg[1], arg[2]
if not life then -- each life is a process of its own
  folder = os.tmpname()
  os.remove(folder)
  local run = ("'%s' '%s' '%s' "):format(arg[-1], arg[0], folder)
  print("the first life was killed", not os.execute(run .. "first"))
  assert(os.execute(run .. "second"))
  return os.execute("rm -r " .. folder)
end

local store <close> = assert(replica.open("kv", {
  dir = folder, durable = "all", codec = "json",
  apply = function(state, command)
    state[command.key] = command.value
    return true
  end,
}))
local me, nodes = store.room.me, #assert(corolua.quorum()).nodes

-- Waits until each node has such a key; what these are.
local function values_of(kind)
  local function collect(state)
    local values = {}
    for node = 1, nodes do table.insert(values, state[kind .. node]) end
    return #values == nodes and values or nil
  end
  return assert(corolua.wait(function() return store:read(collect) end, 20))
end

if life == "first" then
  local value = "stored by " .. tostring(me)
  assert(store:submit({ key = "value of node " .. me.nodeid, value = value }))
  corolua.spawn(store.submit, store, { key = "safe " .. me.nodeid, value = true })
  values_of("safe ") -- now every node has got its answer
  os.execute("kill -9 $PPID") -- this process
end
for node, value in ipairs(values_of("value of node ")) do print("node " .. node, value) end
