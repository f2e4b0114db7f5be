-- Not sanitized: Lua alone.
-- What peers send to services: mutated copies of real messages, and noise.
local support = require("spec.support")

describe("the messages of services", function()
  it("raise for no bytes", function()
    local seed = os.time()
    local ok = os.execute(("%s spec/fuzz/wires.lua 20000 %d"):format(support.program, seed))
    assert.is_true(ok, ("spec/fuzz/wires.lua 20000 %d"):format(seed))
  end)
end)
