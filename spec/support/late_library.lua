-- A child made by fork that has a worker connect a library which its parent had not
-- loaded: argument 1 is the folder of forking.so. It prints how the child ended.
local forking = assert(package.loadlib(arg[1] .. "/forking.so", "luaopen_forking"))()

local pid = forking.fork()
if pid > 0 then
  print(forking.wait(pid))
  return
end
local quorum = require("corosync.quorum")
local worker = require("corolua.worker")

local function take()
  local done, type, why = worker.take()
  if not done then return take() end
  return type, why
end

local handle = quorum.prepare({})
assert(worker.start(handle, "initialize", nil, print))
assert(take())
assert(handle:getquorate())
assert(handle:finalize())
forking.exit(3)
