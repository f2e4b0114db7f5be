-- One mechanism for all options: the order, the sentences, and whose line they
-- are at.
local args = require("corolua.base.args")
local support = require("spec.support")

local SPEC = {
  { "size", args.integer(1, 8), 4 },
  { "mode", args.one_of("fast", "safe"), "safe" },
  { "name", args.string, needed = true },
  { "pause", args.seconds() },
}

-- As a function of ours that a script calls.
local function open(given)
  local checked = args.check(given, SPEC, "thing.open", 2)
  return checked
end

local function close(given)
  local timeout = args.timeout(given, 5, "close", 2)
  return timeout
end

local function literal(text) return (text:gsub("%W", "%%%0")) end

describe("corolua.base.args", function()
  it("gives the options with their defaults in a table of its own", function()
    local given = { name = "a", size = 8 }
    local checked = open(given)
    assert.same({ size = 8, mode = "safe", name = "a" }, checked)
    assert.same({ name = "a", size = 8 }, given)
  end)

  for sentence, given in pairs({
    ["thing.open: a table of options was expected, got \"x\""] = { "x" },
    ["thing.open: unknown option 'nam', did you mean 'name'?"] = { { nam = "a" } },
    ["thing.open: unknown option '1'"] = { { "a", name = "a" } },
    ["thing.open: option 'name' must be a string, got nil"] = {},
    ["thing.open: option 'size' must be an integer of 1 to 8, got \"4\" (a string)"] =
      { { name = "a", size = "4" } },
    ["thing.open: option 'mode' must be one of \"fast\", \"safe\", got \"saef\", "
      .. "did you mean 'safe'?"] = { { name = "a", mode = "saef" } },
    ["thing.open: option 'pause' must be a number of seconds, 0 or more, got -1"] =
      { { name = "a", pause = -1 } },
    ["thing.open: option 'name' must be a string, got a function"] = { { name = print } },
  }) do
    it("raises at the caller's line: " .. sentence, function()
      support.raises(literal(sentence) .. "$", function() open(given[1]) end)
    end)
  end

  it("tells what is wrong in the order of the list, unknown options first", function()
    support.raises("option 'size'", function() open({ pause = "x", mode = 1, size = 0 }) end)
    support.raises("option 'mode'", function() open({ pause = "x", mode = 1 }) end)
    for _ = 1, 20 do
      support.raises("unknown option 'a'", function() open({ zz = 1, b = 1, size = 0, a = 1 }) end)
    end
  end)

  it("takes the timeout of a call, which knows no other option", function()
    assert.equal(5, close())
    assert.equal(5, close({}))
    assert.equal(0, close({ timeout = 0 }))
    support.raises("close: unknown option 'timout', did you mean 'timeout'%?",
      function() close({ timout = 1 }) end)
    support.raises("close: unknown option 'to'", function() close({ timeout = 1, to = 2 }) end)
    support.raises("close: option 'timeout' must be a number of seconds, 0 or more, got %-?nan",
      function() close({ timeout = -(0 / 0) }) end)
    support.raises("close: a table of options was expected, got 3", function() close(3) end)
  end)

  describe("kinds", function()
    local function expected(kind, value) return (select(2, kind(value))) end

    it("say what they expect", function()
      for text, kind in pairs({
        ["an integer of 1 or more"] = args.integer(1), ["an integer"] = args.integer(),
        ["a number of seconds, 0 to 9"] = args.seconds(9),
        ["a number of seconds above 0"] = args.time, ["a boolean"] = args.boolean,
        ["a function"] = args.callable, ["the path of a folder"] = args.folder,
        ["{ 1, 2 }"] = args.table("{ 1, 2 }"),
      }) do
        assert.is_falsy((kind("a\0b")))
        assert.equal(text, expected(kind, "a\0b"))
      end
    end)

    it("take what they are for", function()
      assert.truthy(args.integer(1)(math.maxinteger))
      assert.falsy(args.integer(1)(1.0))
      assert.truthy(args.seconds()(math.huge))
      assert.falsy(args.time(math.huge))
      assert.falsy(args.time(0))
      assert.truthy(args.callable(setmetatable({}, { __call = print })))
      assert.truthy(args.folder("a/b"))
      assert.falsy(args.folder(""))
    end)
  end)
end)
