-- corolua.deadlines: many deadlines under one timer.
local corolua = require("corolua")
local deadlines = require("corolua.task.deadlines")

local comes = require("spec.support").comes

describe("corolua.task.deadlines", function()
  it("expires each entry once, in order, and none that was removed", function()
    local seed = os.time()
    print("seed", seed)
    math.randomseed(seed)
    local expired, entries = {}, {}
    local waits = deadlines.new(function(entry)
      assert.is_true(entry.due <= corolua.now())
      table.insert(expired, entry)
    end)
    for i = 1, 5000 do
      local entry = { place = false, due = corolua.now() + math.random() * 0.3 }
      waits:add(entry, entry.due)
      entries[i] = entry
      local other = entries[math.random(i)]
      if math.random() < 0.7 and other.place then
        waits:remove(other)
        waits:remove(other)
        other.is_removed = true
      end
    end
    local left = 0
    for _, entry in ipairs(entries) do
      if not entry.is_removed then left = left + 1 end
    end
    comes(function() return #expired == left end)
    for i, entry in ipairs(expired) do
      assert.is_nil(entry.is_removed)
      -- What was late when it was added comes late.
      assert.is_true(i == 1 or entry.due >= expired[i - 1].due - 0.1)
    end
  end)

  it("keeps nothing of what was removed, and little room for it", function()
    local waits = deadlines.new(function() end)
    local kept = setmetatable({}, { __mode = "k" })
    for _ = 1, 10000 do
      local entry = { place = false }
      kept[entry] = true
      waits:add(entry, corolua.now() + 1000)
      waits:remove(entry)
    end
    collectgarbage()
    assert.is_nil(next(kept))
    assert.is_true(waits.size < 200)
  end)

  it("may be added to while it expires", function()
    local got = {}
    local waits
    waits = deadlines.new(function(entry)
      table.insert(got, entry.n)
      if entry.n < 3 then waits:add({ place = false, n = entry.n + 1 }, corolua.now()) end
    end)
    waits:add({ place = false, n = 1 }, corolua.now())
    comes(function() return #got == 3 end)
    assert.same({ 1, 2, 3 }, got)
  end)
end)
