-- One of many members: joins a group and stays until a message comes.
local cpg = require("corosync.cpg")
local told = false
local handle = assert(cpg.initialize({
  deliver = function()
    told = true
  end,
}))
assert(handle:join(arg[1]))
repeat
  assert(handle:dispatch("one"))
until told
