-- Not sanitized: Lua above groups, whose specs reach the same C.
-- What rpc, elections, replicas and journals have in common, held for each alike.
local corolua = require("corolua")
local election = require("corolua.election")
local journal = require("corolua.journal")
local journals = require("spec.support.journals")
local lab = require("corolua.lab")
local replica = require("corolua.replica")
local rpc = require("corolua.rpc")
local support = require("spec.support")

local raises = support.raises

local function with(options, key, value)
  local copy = { [key] = value }
  for name, one in pairs(options or {}) do copy[name] = one end
  return copy
end

-- Each is opened by a name and a table of options.
local KINDS = {
  {
    name = "rpc", noun = "an rpc", event = "raised", method = "call",
    open = function(name, options) return rpc.open(name, {}, options) end,
    wrong = { { "call_timeout", -1 }, { "codec", "xml" }, { "max_running", 0 } },
  },
  {
    name = "election", noun = "an election", event = "elected", method = "line",
    open = function(name, options) return election.open(name, options) end,
    wrong = { { "lease", 0 } },
  },
  {
    name = "replica", noun = "a replica", event = "synced", method = "submit",
    open = function(name, options)
      if type(options or {}) ~= "table" then return replica.open(name, options) end
      return replica.open(name, with(options, "apply", function() return true end))
    end,
    form = { packed = true, fragment = true },
    wrong = { { "snapshot", 7 }, { "dir", 7 }, { "durable", "x" }, { "retry", -1 } },
  },
  {
    name = "journal", noun = "a journal", event = "written", method = "append",
    open = function(name, options) return journal.open(name, options) end,
    wrong = { { "retry", -1 } },
  },
}

local OF_GROUPS = { { "timeout", -1 }, { "group", 7 }, { "node", 7 } }

-- Plain: no functions, and no tables with methods of ours.
local function assert_plain(value, path)
  if type(value) == "table" then
    local name = (getmetatable(value) or {}).__name
    assert(not name, ("%s is a %s"):format(path, name))
    for key, one in pairs(value) do assert_plain(one, path .. "." .. tostring(key)) end
  else
    assert(type(value) ~= "function", path .. " is a function")
  end
end

describe("the shape of services:", function()
  local cluster, folder

  setup(function()
    cluster = assert(lab.start({ nodes = 2 }))
    folder = journals.folder()
  end)
  teardown(function()
    cluster:close()
    journals.remove(folder)
  end)

  for _, kind in ipairs(KINDS) do
    local is_journal = kind.name == "journal"

    local function open(options)
      local name = is_journal and folder or "shape"
      if not is_journal then options = with(options, "node", cluster[1]) end
      return assert(kind.open(name, options))
    end

    describe(kind.name, function()
      it("is closed once, and says the same again", function()
        local one = open()
        assert.same({ true, n = 1 }, table.pack(one:close()))
        assert.same({ true, n = 1 }, table.pack(one:close()))
        assert.is_truthy(({ left = true, closed = true })[one:status().state])
      end)

      it("is closed by <close>", function()
        local outer
        do
          local one <close> = open()
          outer = one
        end
        assert.is_truthy(({ left = true, closed = true })[outer:status().state])
        open():close() -- nobody has its name, or its folder
      end)

      it("tells status and stats as plain values that print readably", function()
        local one <close> = open()
        for _, told in ipairs({ one:status(), one:stats() }) do
          assert_plain(told, kind.name)
          assert.matches("^{.*}$", tostring(told))
          assert.equal(corolua.inspect(told), tostring(told))
        end
        for _, count in pairs(one:stats()) do assert.equal("integer", math.type(count)) end
        assert.is_string(one:status().state)
        assert.matches("^" .. kind.name .. " '.*'$", tostring(one))
      end)

      it("says what was meant by a slip in a name", function()
        local one <close> = open()
        local has = kind.noun .. " has no "
        raises(has .. "'stat', did you mean 'stats'%?$", function() return one.stat end)
        raises(has .. "'colour': a script's own fields", function() one.colour = 1 end)
        raises(has .. ("'on_%s': its handler is set as object%%.on%%.%s = function$")
          :format(kind.event, kind.event), function() one["on_" .. kind.event] = print end)
        raises("unknown event 'x'", function() one.on.x = print end)
        raises(("'on' is no function: set object%%.on%%.%s = function$"):format(kind.event),
          function() one:on(kind.event, print) end)
        assert.is_nil(one[1])
        for _, method in ipairs({ kind.method, "status", "stats", "close" }) do
          raises(("%s: call it with a colon, on %s: object:%s"):format(method, kind.noun, method),
            function() one[method]() end)
        end
      end)

      it("refuses bad options in the order of its list", function()
        local all, wrong = {}, { table.unpack(kind.wrong) }
        if not is_journal then table.move(OF_GROUPS, 1, 3, #wrong + 1, wrong) end
        for _, one in ipairs(wrong) do all[one[1]] = one[2] end
        for _, one in ipairs(wrong) do
          raises(("%s%%.open: option '%s' must be "):format(kind.name, one[1]), function()
            return (kind.open("shape", all))
          end)
          all[one[1]] = nil
        end
        raises(kind.name .. "%.open: unknown option 'x'", function()
          return (kind.open("shape", { x = 1 }))
        end)
        raises(kind.name .. "%.open: a table of options was expected, got 7", function()
          return (kind.open("shape", 7))
        end)
      end)

      if is_journal then return end

      it("opens by a name on a node, with further options of its group", function()
        local one <close> = open({ group = { window = 8 } })
        assert.equal("shape", one.group.name)
        assert.equal(8, one.group.window_size)
        assert.equal(1, one.group.me.nodeid)
        assert.equal(one.group.view.ring, one:status().ring or one.group.view.ring)
        raises("group: unknown option 'windov'", function()
          return (kind.open("shape", { group = { windov = 8 } }))
        end)
        raises("option 'group'%.codec must be \"string\", got \"json\"", function()
          return (kind.open("shape", { group = { codec = "json" } }))
        end)
      end)

      it("takes a group that was not joined, and says all that is wrong with one", function()
        local made = cluster[2]:group("shape", kind.form)
        local one <close> = assert(kind.open(made))
        assert.equal(made, one.group)
        raises("must not have been joined before, must have no handler of 'down'", function()
          return (kind.open(made))
        end)
        raises("group 'x' must have codec = \"string\"", function()
          return (kind.open(cluster[2]:group("x", with(kind.form, "codec", "json"))))
        end)
        raises(kind.name .. "%.open: group 'x' goes without the option 'node'$", function()
          return (kind.open(cluster[2]:group("x", kind.form), { node = cluster[2] }))
        end)
        raises("%.open: a group or its name was expected, got number", function()
          return (kind.open(7))
        end)
      end)

      it("joins within its timeout, or says why not", function()
        assert(cluster[2]:pause())
        local one, message, code = kind.open("shape", { node = cluster[2], timeout = 0.1 })
        assert(cluster[2]:resume())
        assert.is_nil(one)
        assert.equal("timed out after 0.1 s", message)
        assert.equal("ERR_TIMEOUT", code)
      end)
    end)
  end
end)

describe("corolua", function()
  it("says what was meant by a slip in a name", function()
    raises("corolua has no 'slepp', did you mean 'sleep'%?$", function() corolua.slepp(1) end)
    raises("corolua has no 'on_error': its handler is set as object%.on%.error = function$",
      function() corolua.on_error = print end)
    raises("'on' is no function: set object%.on%.quorum = function$",
      function() corolua:on("quorum", print) end)
  end)
end)
