-- A member of the rpc group of that name, whose method says that it has begun,
-- and waits.
local corolua = require("corolua")

assert(require("corolua.rpc").open(arg[1], {
  wait = function()
    print("begun")
    corolua.sleep(20)
  end,
}))
