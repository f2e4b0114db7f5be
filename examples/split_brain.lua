-- A partition: what each side sees, what may be sent, and what a heal brings back.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms = assert(cluster:groups("room"))

local function say(from, text, hearers)
  local sent, why = rooms[from]:send(text)
  print(("node %d says %s: %s"):format(from, text, sent and "sent" or why))
  for _, node in ipairs(hearers) do print("  node " .. node, (rooms[node]:next("message", 10))) end
end

say(1, "hello", { 1, 2, 3 })
assert(cluster:partition({ { 1, 2 }, { 3 } }))
assert(cluster:settle())
print(cluster)
for node, count in ipairs({ 2, 2, 1 }) do assert(rooms[node]:wait_members(count, 10)) end
say(1, "we are two", { 1, 2 })
say(3, "am I alone?", {})
assert(cluster:heal())
assert(cluster:settle())
print(cluster)
for _, room in ipairs(rooms) do assert(room:wait_members(3, 10)) end
say(3, "back again", { 1, 2, 3 }) -- what was said meanwhile does not reach node 3
