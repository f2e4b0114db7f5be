-- The four dispatch modes: which of them wait, and how much each of them takes.
local corolua = require("corolua")
local cpg = require("corosync.cpg")

local heard = 0
local handle <close> = assert(cpg.initialize({
  confchg = function() print("  the own join") end,
  deliver = function(handle, _, payload)
    heard = heard + 1
    print("  " .. payload)
    if payload == "end" then handle:finalize() end
  end,
}))

print("one_nonblocking", handle:dispatch("one_nonblocking")) -- never waits
assert(handle:join("dispatch " .. handle:local_get()))
print("one", handle:dispatch("one")) -- waits until there is something
for n = 1, 3 do assert(handle:mcast_joined("message " .. n)) end
print("one", handle:dispatch("one")) -- and takes no more than one
repeat corolua.sleep(0.01) until handle:dispatch("all") and heard == 3 -- what there is
print("all", handle:dispatch("all")) -- nothing more; never waits
assert(handle:mcast_joined("end"))
print("blocking", handle:dispatch("blocking")) -- until the handle is finalized
