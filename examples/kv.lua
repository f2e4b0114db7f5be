-- A key-value store that survives kill -9: the second life finds what the first one stored.
local corolua = require("corolua")
local replica = require("corolua.replica")

local folder, life = arg[1], arg[2]
if not life then -- each life is a process of its own
  folder = assert(corolua.exec("mktemp", { "-d" })).output:match("%S+")
  local function live(name) return assert(corolua.exec(arg[-1], { arg[0], folder, name })) end
  print("the first life was killed", live("first").signal == 9)
  io.write(live("second").output)
  return assert(corolua.exec("rm", { "-r", folder }))
end
local function put(state, command) state[command.key] = command.value return true end
local options = { dir = folder, durable = "all", codec = "json", apply = put }
local store <close> = assert(replica.open("kv", options))
local me, nodes = store.group.me, #assert(corolua.quorum()).nodes
local function submit(key) return store:submit({ key = key, value = "by " .. tostring(me) }) end
if life == "first" then assert(submit("node " .. me.nodeid)) end
for node = 1, nodes do
  local function look() return store:read(function(kv) return kv["node " .. node] end) end
  print("node " .. node, "stored " .. assert(corolua.wait(look, 20)))
end
if life ~= "first" then return end
submit("seen " .. me.nodeid) -- over once all have it on the disk, or the first of them is killed
os.execute("kill -9 $PPID") -- this process
