-- A member in a process of its own, which does what the messages of its group
-- say: support/member.lua <group>
local cpg = require("corosync.cpg")
local sys = require("corolua.sys")

local group = ...

local ACTIONS = {
  leave = function(handle) assert(handle:leave()) end,
  finalize = function(handle) assert(handle:finalize()) end,
  exit = function(handle)
    assert(handle:mcast_joined("last words"))
    sys.kill(sys.id().pid, "KILL") -- os.exit would leave first
  end,
}

local handle = assert(cpg.initialize({
  deliver = function(handle, _, payload)
    if ACTIONS[payload] then ACTIONS[payload](handle) end
  end,
}))
assert(handle:join(group))
handle:dispatch("blocking")
