-- A daemon that hangs, and one that dies: what each call returns, and what others see.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 3 }))

local function on_node(node)
  local room = cluster[node]:group("tea", { window = 2, quorum = "ignore" })
  assert(room:join())
  return room
end

local room, other = on_node(1), on_node(2)
local thin = assert(cluster[1]:thin("cpg", { confchg = function() end }))
assert(thin:join("thin"))
assert(thin:dispatch("one"))
local asker = assert(cluster[1]:run("examples/book/asker.lua"))
assert(asker:next(5))

local function members(count)
  assert(other:wait_members(count, 10))
  print("node 2 sees", count .. " members")
end

members(2)
print("-- the daemon of node 1 hangs")
assert(cluster[1]:pause())
print("mcast_joined", thin:mcast_joined("hello"))
print("dispatch", thin:dispatch("one_nonblocking"))
for n = 1, 3 do print("try_send", room:try_send("message " .. n)) end
members(1)

print("-- it goes on")
assert(cluster[1]:resume())
assert(cluster:settle())
members(2)
print("message", (room:next("message", 5)))
print("message", (room:next("message", 5)))
print("dispatch", thin:dispatch("all"))
print("membership_get", asker:next(5):match("^(.-) after"))

print("-- it dies")
assert(cluster[1]:kill())
print("mcast_joined", thin:mcast_joined("hello"))
print("dispatch", thin:dispatch("one_nonblocking"))
print("membership_get", asker:next(5))
local why = assert(room:next("down", 5))
print("down", why.code, #why.unconfirmed .. " messages unknown")
print("try_send", room:try_send("message 4"))
members(1)

print("-- it is started again")
assert(cluster[1]:start())
print("up", room:next("up", 10))
members(2)
print("mcast_joined", thin:mcast_joined("hello"))
print("send", room:send("message 5"))
