-- Not sanitized: Lua alone.
package.path = "bench/?.lua;" .. package.path -- luacheck: ignore 122

local replica_history = require("bench.replica_history")

-- What bench/replica_soak.lua would find, of histories made up here.
describe("bench.replica_history", function()
  local history

  -- A write and a read of it, one after the other.
  before_each(function()
    history = replica_history.new("test")
    history:take("c", "a", "w", "k", "a", "1")
    history:take("r", "a", "2", "a")
    history:take("c", "b", "r", "k", "-", "3")
    history:take("r", "b", "4", "a")
  end)

  local function notes(...)
    history:check({ ... })
    return history.notes
  end

  it("finds nothing wrong where nothing is", function()
    history:take("c", "c", "w", "k", "c", "5")
    history:take("f", "c", "ERR_TIMEOUT")
    assert.same({}, notes({ "a", "b" }, { "a" }, { "a", "b", "c" }))
    assert.same({ 3, 2, 1 }, { history.called, history.acked, history.failed })
  end)

  local WRONG = {
    { "no prefix", { { "a", "b" }, { "b" } }, "node 2 has b at 1, another a" },
    { "a loss", { { "a" } }, "b was acknowledged at 4.000 and is not there" },
    { "a repetition", { { "a", "b", "a" } }, "a is there at 1 and at 3" },
    { "what nobody sent", { { "a", "b", "z" } }, "z at 3 was never submitted" },
  }
  for _, case in ipairs(WRONG) do
    it("finds " .. case[1], function()
      assert.same({ "test: " .. case[3] }, notes(table.unpack(case[2])))
    end)
  end

  it("finds a stale read", function()
    history:take("c", "c", "r", "k", "-", "5")
    history:take("r", "c", "6", "none")
    local found = notes({ "a", "b", "c" })
    assert.equal(1, #found)
    assert.matches("register k is not linearizable; read of c, 5.0+ to 6.0+, does not", found[1])
  end)

  it("finds a wrong answer to a write", function()
    history:take("c", "c", "w", "k", "c", "5")
    history:take("r", "c", "6", "a")
    assert.same({ "test: write c was answered a" }, notes({ "a", "b", "c" }))
  end)
end)
