-- Not sanitized: Lua alone.
local linearizable = require("corolua.check.linearizable")
local support = require("spec.support")

local model = linearizable.register(0)

-- "w1 0-2" writes 1 from 0 to 2, "r1 1-3" reads it; "w1 0-" has not returned.
local function history(text)
  local list = {}
  for kind, value, start, stop in text:gmatch("([rw])(%d+) (%d+)%-(%d*)") do
    table.insert(list, {
      kind = kind == "r" and "read" or "write", value = tonumber(value),
      start = tonumber(start), stop = tonumber(stop),
    })
  end
  return list
end

-- Whether there is an order, tried one after the other: what is left may come
-- next if nothing else that is left has returned before its call.
local function brute_force(list, state, done, left)
  if left == 0 then return true end
  for i, operation in ipairs(list) do
    local may_be_next = not done[i]
    for j, other in ipairs(list) do
      if not done[j] and j ~= i and (other.stop or math.huge) < operation.start then
        may_be_next = false
      end
    end
    if may_be_next then
      local fits, after = model.step(state, operation)
      if fits then
        done[i] = true
        local found = brute_force(list, after, done, left - (operation.stop and 1 or 0))
        done[i] = nil
        if found then return true end
      end
    end
  end
  return false
end

local function count_returned(list)
  local count = 0
  for _, operation in ipairs(list) do
    if operation.stop then count = count + 1 end
  end
  return count
end

local function random_history(size)
  local list = {}
  for i = 1, size do
    local start = math.random(0, 10)
    list[i] = {
      kind = math.random(2) == 1 and "read" or "write", value = math.random(0, 3),
      start = start, stop = math.random(5) > 1 and start + math.random(0, 6) or nil,
    }
  end
  return list
end

-- What clients of a register see, whose operations happen one at a time, at a
-- moment between call and return.
local function simulate(size, clients)
  local moments, list = {}, {}
  local free = {}
  for client = 1, clients do free[client] = 0 end
  for i = 1, size do
    local client = math.random(clients)
    local start = free[client] + math.random()
    local at = start + math.random()
    local stop = at + math.random()
    free[client] = stop
    list[i] = { kind = math.random(2) == 1 and "read" or "write", value = i, start = start,
      stop = stop, at = at }
    moments[i] = list[i]
  end
  table.sort(moments, function(one, other) return one.at < other.at end)
  local state = 0
  for _, operation in ipairs(moments) do
    if operation.kind == "write" then state = operation.value else operation.value = state end
  end
  return list, moments
end

describe("corolua.check.linearizable", function()
  local GOOD = {
    ["nothing"] = "",
    ["one after the other"] = "w1 0-1, r1 2-3, w2 4-5, r2 6-7",
    ["the initial value"] = "r0 0-1",
    ["a read during a write sees the old value"] = "w1 0-9, r0 1-2, r1 3-4",
    ["a read during two writes sees either"] = "w1 0-5, w2 0-5, r1 6-7",
    ["Herlihy and Wing's overlapping writes"] = "w0 0-10, w1 2-4, r1 5-6, w0 7-12, r0 14-15",
    ["a write that did not return is seen later"] = "w1 0-1, w2 2-, r1 3-4, r2 20-21",
    ["a write that did not return is never seen"] = "w1 0-1, w2 2-, r1 3-4, r1 20-21",
    ["a return and a call at the same moment overlap"] = "w1 0-5, r0 5-6",
    ["a read that did not return says nothing"] = "w1 0-1, r7 2-",
  }
  for name, text in pairs(GOOD) do
    it("accepts: " .. name, function()
      assert.is_true(linearizable.check(history(text), model))
    end)
  end

  local BAD = {
    ["a value that nobody wrote"] = "w1 0-1, r2 2-3",
    ["an old value after the write has returned"] = "w1 0-1, r0 2-3",
    ["an old value after the new one was read"] = "w1 0-9, r1 1-2, r0 3-4",
    ["two readers disagree on the order of two writes"] =
      "w1 0-1, w2 0-1, r1 2-3, r2 4-5, r1 6-7",
    ["a lost write"] = "w1 0-1, w2 2-3, r1 4-5",
    ["a write that did not return is seen, and then undone"] =
      "w1 0-1, w2 2-, r2 3-4, r1 5-6",
    ["a write is seen before it was called"] = "r1 0-1, w1 2-3",
    ["an open write is seen before it was called"] = "r1 0-1, w1 2-",
  }
  for name, text in pairs(BAD) do
    it("refuses: " .. name, function()
      local fits, blocked = linearizable.check(history(text), model)
      assert.is_false(fits)
      assert.is_table(blocked)
    end)
  end

  it("says what a search of all orders says, of random histories", support.draws(function()
    local counts = { [true] = 0, [false] = 0 }
    for _ = 1, 4000 do
      local list = random_history(math.random(1, 7))
      local expected = brute_force(list, 0, {}, count_returned(list))
      assert.equal(expected, (linearizable.check(list, model)))
      counts[expected] = counts[expected] + 1
    end
    assert.is_true(counts[true] > 500 and counts[false] > 500)
  end))

  it("accepts what clients of a register see", support.draws(function()
    for _ = 1, 20 do assert.is_true(linearizable.check(simulate(400, 6), model)) end
  end))

  it("refuses it once one read is stale", support.draws(function()
    local refused = 0
    for _ = 1, 20 do
      local list, moments = simulate(400, 6)
      for i = #moments, 1, -1 do
        local operation = moments[i]
        if operation.kind == "read" and operation.value > 0 then
          operation.value = 0
          break
        end
      end
      if not linearizable.check(list, model) then refused = refused + 1 end
    end
    assert.equal(20, refused)
  end))

  it("says the same when what says nothing is left out", support.draws(function()
    for _ = 1, 200 do
      local list = simulate(7, 3)
      for _, operation in ipairs(list) do
        if math.random(3) == 1 then operation.stop = nil end
        if operation.kind == "read" and math.random(6) == 1 then operation.value = 0 end
      end
      local pruned = linearizable.prune(list)
      assert.equal(linearizable.check(list, model), linearizable.check(pruned, model))
    end
  end))

  -- A set, whose states are tables: what was added is found, and nothing else.
  local set = {
    initial = {},
    step = function(state, operation)
      if operation.kind == "has" then
        return (state[operation.value] == true) == operation.result, state
      end
      local after = { [operation.value] = true }
      for value in pairs(state) do after[value] = true end
      return true, after
    end,
    key = function(state)
      local values = {}
      for value in pairs(state) do table.insert(values, value) end
      table.sort(values)
      return table.concat(values, " ")
    end,
  }

  local function set_history(found)
    return {
      { kind = "add", value = "a", start = 0, stop = 1 },
      { kind = "add", value = "b", start = 0, stop = 5 },
      { kind = "has", value = "b", result = false, start = 2, stop = 3 },
      { kind = "has", value = "a", result = found, start = 2, stop = 3 },
    }
  end

  it("takes a model of one's own, whose states are tables", function()
    assert.is_true(linearizable.check(set_history(true), set))
    local fits, blocked = linearizable.check(set_history(false), set)
    assert.is_false(fits)
    assert.equal("has", blocked.kind)
  end)

  it("tries no state twice that the model's key calls equal", function()
    local steps, list = 0, {}
    local function step(state, operation)
      steps = steps + 1
      return set.step(state, operation)
    end
    for i = 1, 8 do list[i] = { kind = "add", value = tostring(i), start = 0, stop = 1 } end
    list[9] = { kind = "has", value = "9", result = true, start = 2, stop = 3 }
    assert.is_false(linearizable.check(list, { initial = {}, step = step, key = set.key }))
    assert.is_true(steps <= 8 * 2 ^ 8) -- and not one for each of the 8! orders
  end)

  for text, operation in pairs({
    ["no start"] = { kind = "read", stop = 1 },
    ["a stop before the start"] = { kind = "read", start = 2, stop = 1 },
  }) do
    it("blames the caller's line for " .. text, function()
      local ok, message = pcall(function() return (linearizable.check({ operation }, model)) end)
      assert.is_false(ok)
      assert.equal("spec/linearizable_spec.lua", message:match("^[^:]+"))
      assert.matches("operation 1: start must be a number", message, 1, true)
    end)
  end
end)
