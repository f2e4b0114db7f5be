local corolua = require("corolua")
local describe_value = require("corolua.base.describe")
local lab = require("corolua.lab")
local shown = require("corolua.base.shown")
local support = require("spec.support")

local inspect = corolua.inspect

local function named(name, fields)
  return setmetatable(fields or {}, { __tostring = function() return name end })
end

local function here() end

local TEXTS = {
  { "a string in quotes, on one line", "a\nb\t\"é\"\0\27[1m", [["a\nb\9\"é\"\0\27[1m"]] },
  { "a string that is not UTF-8 by its bytes", "a\xff\xc3", [["a\xff\xc3"]] },
  { "an integer", 7, "7" },
  { "a float that is whole", 7.0, "7.0" },
  { "true", true, "true" },
  { "a function of C", print, "function (C)" },
  { "a function by its place", here, "function (spec/inspect_spec.lua:13)" },
  { "a coroutine", coroutine.create(print), "thread" },
  { "a file", io.stdout, "file" },
  { "an empty table", {}, "{}" },
  { "an array in its order", { "b", "a", { 3 } }, '{ "b", "a", { 3 } }' },
  { "fields by their keys: numbers, names, others",
    { "x", [true] = 5, b = 3, a = 2, ["a b"] = 4, [-1] = 0, [2.5] = 1 },
    '{ "x", [-1] = 0, [2.5] = 1, a = 2, ["a b"] = 4, b = 3, [true] = 5 }' },
  { "an array with a hole", { 1, nil, 3 }, "{ 1, [3] = 3 }" },
  { "keys that are objects in the order of their numbers",
    { [named("1/10")] = "b", [named("2/1")] = "c", [named("1/9")] = "a" },
    '{ [1/9] = "a", [1/10] = "b", [2/1] = "c" }' },
  { "keys that look alike by their values",
    { [named("x")] = 2, [named("x")] = 1, [named("x")] = 3 }, "{ [x] = 1, [x] = 2, [x] = 3 }" },
  { "what does not fit a line over several",
    { long = ("x"):rep(40), short = { 1, 2 }, longer = { a = ("y"):rep(80), b = 2 } },
    ('{\n  long = "%s",\n  longer = {\n    a = "%s",\n    b = 2\n  },\n  short = { 1, 2 }\n}')
      :format(("x"):rep(40), ("y"):rep(80)) },
  { "what has a __tostring by that", { named("spoken", { 1 }) }, "{ spoken }" },
  { "a table whose __tostring fails by its fields",
    setmetatable({ 1 }, { __tostring = function() error("no") end }), "{ 1 }" },
  { "a table whose __tostring gives no string by its fields",
    setmetatable({ 1 }, { __tostring = function() return {} end }), "{ 1 }" },
  { "a class of the script with its name",
    setmetatable({ x = 1 }, { __name = "point" }), "point { x = 1 }" },
  { "an object of corolua by its kind", corolua.condition(), "<corolua.condition>" },
  { "a group by its name", corolua.group("demo"), "group 'demo'" },
  { "a table that calls functions for its fields without calling them",
    setmetatable({ 1 }, { __index = error, __len = error, __pairs = error }), "{ 1 }" },
}

describe("corolua.base.inspect", function()
  for _, row in ipairs(TEXTS) do
    it("shows " .. row[1], function() assert.equal(row[3], inspect(row[2])) end)
  end

  it("shows nil", function() assert.equal("nil", inspect(nil)) end)

  it("shows a table inside itself as a cycle, and one that is there twice twice", function()
    local shared = { 1 }
    local value = { a = shared, b = shared }
    value.own = { value }
    assert.equal("{ a = { 1 }, b = { 1 }, own = { <cycle> } }", inspect(value))
  end)

  it("goes so deep, and no deeper", function()
    local value = { {}, { { { "deep" } } } }
    assert.equal("{…}", inspect(value, { depth = 0 }))
    assert.equal("{ {}, {…} }", inspect(value, { depth = 1 }))
    assert.equal("{ {}, { {…} } }", inspect(value, { depth = 2 }))
    local tower = "bottom"
    for _ = 1, 100 do tower = { tower } end
    assert.equal(("{ "):rep(6) .. "{…}" .. (" }"):rep(6), inspect(tower))
  end)

  it("shows so many fields in all, and how many more there are", function()
    assert.equal("{ 1, 2, … 3 more }", inspect({ 1, 2, 3, 4, 5 }, { fields = 2 }))
    assert.equal("{ a = { 1, 2 }, … 1 more }", inspect({ a = { 1, 2 }, b = 3 }, { fields = 3 }))
    -- 100 tables of 100 fields that are all the same 100 tables: 10^12 fields.
    local wide = {}
    for _ = 1, 6 do
      local inner = wide
      wide = {}
      for i = 1, 100 do wide[i] = inner end
    end
    assert.is_true(#inspect(wide) < 50000)
  end)

  it("shows so many bytes of a string, and never a part of a character", function()
    assert.equal('"abc"', inspect("abc", { bytes = 3 }))
    assert.equal('"ab"… (3 bytes)', inspect("abc", { bytes = 2 }))
    assert.equal('"a"… (7 bytes)', inspect("aé€z", { bytes = 2 }))
    assert.equal('"aé"… (7 bytes)', inspect("aé€z", { bytes = 5 }))
    assert.equal([["\x80\x80"… (9 bytes)]], inspect(("\x80"):rep(9), { bytes = 2 }))
  end)

  it("gives one text for equal tables, however they were filled", support.draws(function()
    local keys = {}
    for i = 1, 200 do keys[i] = ("k%d"):format(i) end
    local text
    for _ = 1, 20 do
      for i = #keys, 2, -1 do
        local j = math.random(i)
        keys[i], keys[j] = keys[j], keys[i]
      end
      local value = {}
      for _, key in ipairs(keys) do value[key], value[{ key }] = #key, key end
      text = text or inspect(value)
      assert.equal(text, inspect(value))
    end
  end))

  it("refuses options that are none", function()
    support.raises("inspect: unknown option 'dept', did you mean 'depth'%?",
      function() inspect(1, { dept = 1 }) end)
    support.raises("option 'depth' must be an integer of 0 or more, got \"1\"",
      function() inspect(1, { depth = "1" }) end)
    support.raises("option 'bytes' must be an integer of 0 or more, got %-1",
      function() inspect(1, { bytes = -1 }) end)
    support.raises("a table of options was expected, got 2", function() inspect(1, 2) end)
  end)

  it("shows what a cluster tells of, and so does tostring", function()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local room = cluster[1]:group("demo")
    local states = {}
    room.on.quorum = function(state) states[#states + 1] = state end
    assert(room:join())
    support.comes(function() return states[1] end)
    local me, ring = tostring(room.me), room.view.ring
    assert.matches("^1/%d+$", inspect(room.me))
    assert.equal(me, inspect(room.me))
    assert.equal(("%d.%x"):format(ring.nodeid, ring.seq), inspect(ring))
    assert.equal(inspect(ring), tostring(ring))
    local view = inspect(room.view)
    assert.matches("members = { " .. me:gsub("/", "%%/") .. " }", view)
    assert.matches("quorate = true,%s+ring = " .. inspect(ring):gsub("%.", "%%."), view)
    assert.equal(view, tostring(room.view))
    assert.matches("^{%s+changed = true,%s+joined = .*,%s+left = {},%s+nodes = { 1, 2 },%s+"
      .. "quorate = true,%s+ring = %d+%.%x+%s}$", inspect(states[1]))
    assert.equal(inspect(states[1]), tostring(states[1]))
    local now = assert(cluster[2]:quorum())
    assert.matches("^{ joined = .*, left = {}, nodes = { 1, 2 }, quorate = true, ring = "
      .. inspect(now.ring) .. " }$", tostring(now))
    assert.equal(tostring(cluster), inspect(cluster))
    assert.equal("node 1", inspect(cluster[1]))
    local handle = cluster[1]:thin("cpg", {})
    assert.equal("corosync.cpg handle", inspect(handle))
    assert(handle:finalize())
    assert.equal("corosync.cpg handle (closed)", inspect(handle))
  end)
end)

describe("corolua.base.describe", function()
  it("shows an error as people read it", function()
    assert.equal("a\nb", describe_value("a\nb"))
    assert.equal("spoken", describe_value(named("spoken")))
    assert.equal("error object nil", describe_value(nil))
    assert.equal("error object {}", describe_value({}))
    assert.equal('error object { 1, code = 3, why = "so", within = {…} }',
      describe_value({ 1, why = "so", code = 3, within = { 1 } }))
    assert.equal("error object { 1, 2, 3, 4, 5, 6, 7, 8, … 1 more }",
      describe_value({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }))
  end)
end)

describe("corolua.base.shown", function()
  it("shows an argument that is wrong", function()
    assert.equal('"a\\nb"', shown.value("a\nb"))
    assert.equal('"1" (a string)', shown.value("1"))
    assert.equal("nil", shown.value(nil))
    assert.equal("a table", shown.value({}))
    assert.equal("a function", shown.value(print))
    assert.equal("group 'demo'", shown.value(corolua.group("demo")))
    assert.equal("file", shown.value(io.stdout))
  end)
end)
