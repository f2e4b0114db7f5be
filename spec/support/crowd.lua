-- One of many members: joins a group and stays until it has had so many.
local cpg = require("corosync.cpg")
local group, wanted = arg[1], math.tointeger(arg[2])
local most = 0
local handle = assert(cpg.initialize({
  confchg = function(_, _, members)
    most = math.max(most, #members)
  end,
}))
assert(handle:join(group))
repeat
  assert(handle:dispatch("one"))
until most == wanted
