-- Every call of libcpg once, in the order in which a program comes to need them.
local lab = require("corolua.lab")

local cluster <close> = assert(lab.start({ nodes = 2 }))

local function list(members)
  local names = {}
  for i, one in ipairs(members) do
    names[i] = one.member and ("%s %s"):format(one.member, one.reason) or tostring(one)
  end
  return "{ " .. table.concat(names, ", ") .. " }"
end

local function show(call, ...) print(call, ...) end

-- cpg_initialize: a connection to the daemon of node 1. The callbacks only run in dispatch.
local handle = assert(cluster[1]:thin("cpg", {
  deliver = function(_, group, payload, from)
    print("    deliver", group, tostring(from), payload)
  end,
  confchg = function(_, _, members, left, joined)
    print("    confchg", "members " .. list(members), "left " .. list(left),
      "joined " .. list(joined))
  end,
  totem_confchg = function(_, _, nodeids)
    print("    totem_confchg", "nodes " .. table.concat(nodeids, " "))
  end,
}, { deliver_initial_totem_conf = true }))
show("initialize", handle:state())
show("local_get", handle:local_get())
show("max_atomic_msgsize_get", handle:max_atomic_msgsize_get())

show("join", handle:join("tea"))
show("dispatch", handle:dispatch("one"))
show("dispatch", handle:dispatch("one"))

local other = assert(cluster[2]:thin("cpg"))
assert(other:join("tea"))
show("dispatch", handle:dispatch("one"))

show("mcast_joined", handle:mcast_joined("the kettle is on"))
show("dispatch", handle:dispatch("one"))
show("membership_get", list(handle:membership_get()))
for entry in handle:iterate("all") do show("iterate", entry.group, tostring(entry.member)) end
show("flow_control_state_get", handle:flow_control_state_get())
show("fd_get", math.type(handle:fd_get()))

assert(other:leave())
show("dispatch", handle:dispatch("one"))
show("leave", handle:leave())
show("mcast_joined", handle:mcast_joined("one more thing"))
show("dispatch", handle:dispatch("one"))
show("join", pcall(handle.join, handle, "tea"))
show("finalize", handle:finalize())
show("mcast_joined", pcall(handle.mcast_joined, handle, "hello?"))
