-- What ends and what begins a membership: the views of node 1, and why they came.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local room = cluster[1]:group("tea")

local function names(changes)
  local list = {}
  for i, change in ipairs(changes) do
    list[i] = ("node %d (%s)"):format(change.member.nodeid, change.reason)
  end
  return #list > 0 and table.concat(list, ", ") or "nobody"
end

function room.on.members(view)
  print(("  %d members; came: %s; went: %s"):format(#view.members, names(view.joined),
    names(view.left)))
end

local function members(count) assert(room:wait_members(count, 10)) end

print("join")
assert(room:join())

print("another node joins")
local other = cluster[2]:group("tea")
assert(other:join())
members(2)

print("it leaves")
assert(other:leave())
members(1)

print("a process on node 3 joins, and is killed")
local process = assert(cluster[3]:run("examples/book/sleeper.lua"))
members(2)
assert(process:kill())
members(1)

print("node 2 joins again, and its machine is cut off")
assert(other:join())
members(2)
assert(cluster:isolate(2))
members(1)

print("the cable is mended")
assert(cluster:heal())
members(2)

print("the daemon of node 2 is killed")
assert(cluster[2]:kill())
members(1)
