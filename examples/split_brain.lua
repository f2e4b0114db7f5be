-- A partition: what each side sees, what may be sent, and what a heal brings back.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms, received = {}, { {}, {}, {} }

for node = 1, 3 do
  rooms[node] = cluster[node]:group("room")
  rooms[node].on.message = function(payload) table.insert(received[node], payload) end
  assert(rooms[node]:join())
end

local function nodes_of(room)
  local nodes = {}
  for _, member in ipairs(room.members) do table.insert(nodes, member.nodeid) end
  return table.concat(nodes, " ")
end

local function show(title)
  print(title)
  for node, room in ipairs(rooms) do
    local quorum = cluster[node]:quorum().quorate and "quorate" or "no quorum"
    print(("  node %d: members %-5s  %-9s  heard: %s"):format(node, nodes_of(room), quorum,
      table.concat(received[node], ", ")))
  end
end

local function wait_members(counts)
  assert(corolua.wait(function()
    for node, count in ipairs(counts) do
      if #rooms[node].members ~= count then return false end
    end
    return true
  end, 10))
end

local function say(node, text)
  local sent, why = rooms[node]:send(text)
  if not sent then print(("  node %d may not send: %s"):format(node, why)) end
end

local function wait_heard(node, text)
  assert(corolua.wait(function() return received[node][#received[node]] == text end, 10))
end

wait_members({ 3, 3, 3 })
say(1, "hello")
for node = 1, 3 do wait_heard(node, "hello") end
show("whole")

assert(cluster:partition({ { 1, 2 }, { 3 } }))
assert(cluster:settle())
wait_members({ 2, 2, 1 })
say(1, "we are two")
say(3, "am I alone?")
for node = 1, 2 do wait_heard(node, "we are two") end
show("cut into 1, 2 and 3")

assert(cluster:heal())
assert(cluster:settle())
wait_members({ 3, 3, 3 })
say(3, "back again")
for node = 1, 3 do wait_heard(node, "back again") end
show("healed: what was said meanwhile does not reach the other side")
