-- Not sanitized: Lua alone.
local total_order = require("corolua.check.total_order")

describe("corolua.check.total_order", function()
  local function misordered(one, other)
    return total_order.misordered((total_order.places(one)), other)
  end

  it("finds nothing where what is common comes in one order", function()
    assert.equal(0, misordered({ "a", "b", "c" }, { "a", "b", "c" }))
    assert.equal(0, misordered({ "a", "b", "c" }, { "a", "x", "c", "y" }))
    assert.equal(0, misordered({ "a" }, {}))
  end)

  it("counts what comes too late, also with others between", function()
    assert.equal(1, misordered({ "a", "b" }, { "b", "a" }))
    assert.equal(1, misordered({ "a", "b" }, { "b", "x", "a" }))
    assert.equal(2, misordered({ "a", "b", "c" }, { "c", "b", "a" }))
  end)

  it("counts what comes twice", function()
    local places, twice = total_order.places({ "a", "b", "a" })
    assert.same({ 2, 1 }, { places.b, twice })
    assert.equal(0, select(2, total_order.places({ "a", "b" })))
  end)
end)
