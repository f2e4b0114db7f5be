local fifo = require("corolua.base.fifo")

describe("corolua.base.fifo", function()
  it("gives in the order it was given, and nil where nothing waits", function()
    local queue, given, taken = fifo.new(), 0, 0
    for round = 1, 50 do
      for _ = 1, round % 7 do
        given = given + 1
        queue:add(given)
      end
      for _ = 1, round % 5 do
        local expected = taken < given and taken + 1 or nil
        assert.equal(expected, queue:peek())
        assert.equal(expected, queue:take())
        taken = expected or taken
      end
      assert.equal(given - taken, queue:count())
    end
    assert.is_true(given > taken)
  end)

  it("keeps nothing that was taken", function()
    local queue, weak = fifo.new(), setmetatable({}, { __mode = "v" })
    for i = 1, 3 do
      weak[i] = { i }
      queue:add(weak[i])
    end
    for _ = 1, 2 do queue:take() end
    collectgarbage()
    assert.same({ nil, nil, { 3 } }, { weak[1], weak[2], weak[3] })
  end)
end)
