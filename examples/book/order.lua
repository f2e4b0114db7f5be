-- Messages and views come to every member at the same places of one order.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local rooms, logs = {}, {}

for node = 1, 3 do
  local log = {}
  local room = cluster[node]:group("tea")
  rooms[node], logs[node] = room, log
  function room.on.members(view)
    local nodes = {}
    for i, member in ipairs(view.members) do nodes[i] = member.nodeid end
    table.insert(log, "view { " .. table.concat(nodes, " ") .. " }")
  end
  function room.on.message(payload) table.insert(log, payload) end
  assert(room:join())
end
for node = 1, 2 do assert(rooms[node]:wait_members(3, 5)) end

-- All talk at once, and one leaves right behind its own words.
local tasks = {}
for node = 1, 3 do
  tasks[node] = corolua.spawn(function()
    for n = 1, node == 3 and 5 or 20 do assert(rooms[node]:send(node .. "/" .. n)) end
    if node == 3 then assert(rooms[node]:leave()) end
  end)
end
for _, task in ipairs(tasks) do task:wait() end
assert(corolua.wait(function()
  return #rooms[1].members == 2 and #logs[1] == 49 and #logs[2] == #logs[1] - 1
end, 10))

-- From where all three are there, until the third one leaves.
local function since_all(log)
  for i, line in ipairs(log) do
    if line == "view { 1 2 3 }" then return table.concat(log, ", ", i) end
  end
end

local first, second, third = since_all(logs[1]), since_all(logs[2]), since_all(logs[3])
print("node 1 and node 2 saw the same, in the same order:", first == second)
print("node 3 saw the same until it left:", first:sub(1, #third) == third)
for _, part in ipairs({ "view { 1 2 3 }", "3/1", "3/5", "view { 1 2 }" }) do
  print(part, first:find(part, 1, true) and "in the order" or "missing")
end
print("3/5 came before the view without node 3:",
  first:find("3/5", 1, true) < first:find("view { 1 2 }", 1, true))
