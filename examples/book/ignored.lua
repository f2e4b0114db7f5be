-- CPG goes on without quorum: both sides of a cut count on, and part for good.
local corolua = require("corolua")
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))

-- A sum on each node, in a group that asks for quorum or that ignores it.
local function open(quorum)
  local sums, rooms = { 0, 0, 0 }, assert(cluster:groups("sum " .. quorum, { quorum = quorum }))
  for node, room in ipairs(rooms) do
    function room.on.message(payload) sums[node] = sums[node] + tonumber(payload) end
  end
  return { name = quorum, sums = sums, rooms = rooms }
end

local groups = { open("ignore"), open("required") }

local function members(...)
  for node, count in ipairs({ ... }) do
    for _, group in ipairs(groups) do assert(group.rooms[node]:wait_members(count, 10)) end
  end
end

-- A node adds to both sums; whoever is with it hears that.
local function add(node, amount, listeners)
  for _, group in ipairs(groups) do
    local before = table.move(group.sums, 1, 3, 1, {})
    local sent, why = group.rooms[node]:send(tostring(amount))
    print(("  node %d adds %3d, quorum = %-8s  %s"):format(node, amount, group.name,
      sent and "done" or "refused: " .. why))
    assert(not sent or corolua.wait(function()
      for _, listener in ipairs(listeners) do
        if group.sums[listener] ~= before[listener] + amount then return false end
      end
      return true
    end, 10))
  end
end

local function show()
  for _, group in ipairs(groups) do
    print(("  sums, quorum = %-8s  node 1: %d, node 2: %d, node 3: %d"):format(group.name,
      table.unpack(group.sums)))
  end
end

print("whole")
add(1, 1, { 1, 2, 3 })
show()

assert(cluster:partition({ { 1, 2 }, { 3 } }))
assert(cluster:settle())
members(2, 2, 1)
print("cut into 1 2 and 3")
add(1, 10, { 1, 2 })
add(3, 100, { 3 })
show()

assert(cluster:heal())
assert(cluster:settle())
members(3, 3, 3)
print("healed")
add(2, 1000, { 1, 2, 3 })
show()
