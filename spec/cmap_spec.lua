local cmap = require("corosync.cmap")
local lab = require("corolua.lab")
local support = require("spec.support")
local thin = require("spec.support.thin")

describe("corosync.cmap", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 1 })) end)
  teardown(function() cluster:close() end)

  local function open(map)
    return assert(cluster[1]:enter(function()
      return cmap.initialize(map)
    end))
  end

  local calls = {
    set = { "spec.x", 1, "int8" }, get = { "spec.x" }, delete = { "spec.x" }, inc = { "spec.x" },
    dec = { "spec.x" }, iterate = { "spec." }, track_add = { "spec.", { "add" }, print },
    track_delete = { 1 },
  }
  local values = {
    int8 = { -128, 0, 127 },
    uint8 = { 0, 255 },
    int16 = { -32768, 32767 },
    uint16 = { 0, 65535 },
    int32 = { -2147483648, 2147483647 },
    uint32 = { 0, 4294967295 },
    int64 = { math.mininteger, math.maxinteger },
    uint64 = { 0, math.maxinteger, -1 },
    float = { 0.5, -1.25, math.huge },
    double = { 0.1, -1e300, math.huge },
    string = { "", "größe ∑", ("x"):rep(16383) },
    binary = { "", "a\0b", ("\0"):rep(16384) },
  }
  for type, list in pairs(values) do
    if type ~= "binary" then
      calls["set_" .. type] = { "spec.x", list[1] }
      calls["get_" .. type] = { "spec.x" }
    end
  end

  thin.behaves(function() return cluster end, {
    name = "corosync.cmap",
    initialize = "cmap_initialize_map",
    open = function(handler)
      local handle, message, code = cmap.initialize()
      if not handle then return nil, message, code end
      assert(handle:track_add("spec.", { "add", "delete", "modify", "prefix" }, handler))
      return handle
    end,
    provoke = function(handle)
      assert(handle:set("spec.event", 0, "uint8"))
      for _ = 1, 3 do assert(handle:inc("spec.event")) end
    end,
    calls = calls,
  })

  describe("bad arguments", function()
    local key = "key must have 3 to 255 bytes"
    local names = '"add", "delete", "modify", "prefix"'
    thin.refuses(open, {
      { "get", { "ab" }, key .. ", got 2" },
      { "get", { ("x"):rep(256) }, key .. ", got 256" },
      { "get", { "a\0bc" }, "key must not contain a NUL byte" },
      { "get", {}, "key must be a string, got no value" },
      { "set", { "abc", 1 }, 'type must be one of "int8", .*"binary", got no value' },
      { "set", { "abc", 1, "int" }, "type must be one of .*, got int" },
      { "set", { "abc", "1", "int8" }, "value must be an integer of %-128 to 127, got 1" },
      { "set", { "abc", 1.5, "int8" }, "value must be an integer of .*, got 1.5" },
      { "set", { "abc", "x", "float" }, "value must be a number, got string" },
      { "set", { "abc", 1e300, "float" }, "value does not fit into a float" },
      { "set", { "abc", nil, "double", n = 3 }, "value must be a number, got nil" },
      { "set", { "abc", 1, "string" }, "value must be a string, got number" },
      { "set", { "abc", "a\0b", "string" }, "value must not contain a NUL byte" },
      { "set", { "abc", ("x"):rep(16384), "string" }, "value must have 0 to 16383 bytes" },
      { "set", { "abc", ("x"):rep(16385), "binary" }, "value must have at most 16384 bytes" },
      { "set_uint8", { "abc", 256 }, "value must be an integer of 0 to 255, got 256" },
      { "iterate", { 5 }, "prefix must be a string, got number" },
      { "track_add", { "abc", "add", print }, "table expected, got string" },
      { "track_add", { "abc", {}, print }, '"add", "delete" or "modify" expected' },
      { "track_add", { "abc", { "prefix" }, print }, '"add", "delete" or "modify" expected' },
      { "track_add", { "abc", { "ad" }, print }, "change must be one of " .. names .. ", got ad" },
      { "track_add", { "abc", { "add" } }, "function expected, got no value" },
      { "track_delete", { "x" }, "track must be an integer" },
    })

    local beyond = {
      int8 = { -129, 128 }, uint8 = { -1, 256 }, int16 = { -32769, 32768 },
      uint16 = { -1, 65536 }, int32 = { -2147483649, 2147483648 }, uint32 = { -1, 4294967296 },
    }
    for type, list in pairs(beyond) do
      it("raise: what does not fit into " .. type, function()
        local handle <close> = open()
        for _, value in ipairs(list) do
          local shown = tostring(value):gsub("-", "%%-")
          support.raises("value must be an integer of .*, got " .. shown, function()
            handle:set("spec.beyond", value, type)
          end)
        end
      end)
    end

    it("raise: an unknown map", function()
      support.raises('map must be one of "icmap", "stats", got other', function()
        cmap.initialize("other")
      end)
    end)
  end)

  describe(":set and :get", function()
    for type, list in pairs(values) do
      it("keep every value of " .. type, function()
        local handle <close> = open()
        for _, value in ipairs(list) do
          assert(handle:set("spec." .. type, value, type))
          local got, got_type = handle:get("spec." .. type)
          assert.is_true(got == value)
          assert.same(type, got_type)
        end
      end)
    end

    for type, list in pairs(values) do
      if type ~= "binary" then
        it("have a name of their own for " .. type, function()
          local handle <close> = open()
          for _, value in ipairs(list) do
            assert.is_true(handle["set_" .. type](handle, "spec.typed", value))
            assert.same({ value }, { handle["get_" .. type](handle, "spec.typed") })
          end
          assert(handle:set("spec.typed", "x", "binary"))
          assert.same({ nil, "cmap_get_" .. type .. ": corosync refuses the parameter",
            "ERR_INVALID_PARAM" }, { handle["get_" .. type](handle, "spec.typed") })
        end)
      end
    end

    it("keep a number that a float cannot hold as the nearest one", function()
      local handle <close> = open()
      assert(handle:set("spec.near", 0.1, "float"))
      assert.is_true(math.abs(handle:get("spec.near") - 0.1) < 1e-8)
    end)

    it("change the type of a key", function()
      local handle <close> = open()
      assert(handle:set("spec.changed", 5, "uint32"))
      assert(handle:set("spec.changed", "five", "string"))
      assert.same({ "five", "string" }, { handle:get("spec.changed") })
    end)

    it("say ERR_NOT_EXIST, ERR_ACCESS and ERR_NAME_TOO_LONG", function()
      local handle <close> = open()
      assert.same({ nil, "cmap_get: does not exist", "ERR_NOT_EXIST" }, { handle:get("spec.no") })
      assert.same("ERR_NAME_TOO_LONG", (select(3, handle:set("bad key", 1, "int8"))))
      assert.same("ERR_ACCESS", (select(3, handle:set("totem.version", 1, "uint32"))))
      local stats <close> = open("stats")
      assert.same("ERR_ACCESS", (select(3, stats:set("spec.x", 1, "int8"))))
    end)

    it("see what a tool of corosync sees", function()
      local handle <close> = open()
      assert(handle:set("spec.tool", 7, "uint16"))
      assert.matches("^spec.tool %(u16%) = 7\n", cluster[1]:tool("corosync-cmapctl", "-g",
        "spec.tool").output)
    end)
  end)

  describe(":delete", function()
    it("removes a key, once", function()
      local handle <close> = open()
      assert(handle:set("spec.gone", 1, "int8"))
      assert.is_true(handle:delete("spec.gone"))
      assert.same("ERR_NOT_EXIST", (select(3, handle:delete("spec.gone"))))
    end)
  end)

  describe(":inc and :dec", function()
    it("count an integer up and down, around its ends", function()
      local handle <close> = open()
      assert(handle:set("spec.count", 255, "uint8"))
      assert.is_true(handle:inc("spec.count"))
      assert.same(0, handle:get("spec.count"))
      assert.is_true(handle:dec("spec.count"))
      assert.same(255, handle:get("spec.count"))
    end)

    it("say ERR_INVALID_PARAM for what is no integer", function()
      local handle <close> = open()
      for type, value in pairs({ string = "x", double = 1.5, float = 1, binary = "b" }) do
        assert(handle:set("spec.no_count", value, type))
        assert.same("ERR_INVALID_PARAM", (select(3, handle:inc("spec.no_count"))))
        assert.same("ERR_INVALID_PARAM", (select(3, handle:dec("spec.no_count"))))
      end
    end)
  end)

  describe(":iterate", function()
    it("lists the keys of a prefix with their types, as they were at the call", function()
      local handle <close> = open()
      assert(handle:set("list.a", 1, "int8"))
      assert(handle:set("list.b", "x", "string"))
      assert(handle:set("lister", 1, "int8"))
      local found = {}
      for key, type in handle:iterate("list.") do
        found[key] = type
        handle:delete("list.b")
        handle:set("list.c", 1, "int8")
      end
      assert.same({ ["list.a"] = "int8", ["list.b"] = "string" }, found)
    end)

    it("lists all keys without a prefix, and none for an unknown one", function()
      local handle <close> = open()
      local found = {}
      for key in handle:iterate() do found[key] = true end
      assert.is_true(found["totem.cluster_name"] and found["quorum.provider"])
      for key in handle:iterate("nothing.here") do error(key) end
    end)

    it("lists the map of statistics", function()
      local stats <close> = open("stats")
      local count = 0
      for key, type in stats:iterate("stats.srp.") do
        count = count + 1
        assert.same(type, select(2, stats:get(key)))
      end
      assert.is_true(count > 10)
    end)
  end)

  describe(":track_add", function()
    local function list(events)
      return function(_, change, key, new, old, type)
        table.insert(events, { change, key, new, old, type, n = 5 })
      end
    end

    it("tells of adds, changes and deletes, in order, with new and old", function()
      local events = {}
      local handle <close> = open()
      assert.same("integer", math.type(handle:track_add("trace.", { "add", "delete", "modify",
        "prefix" }, list(events))))
      assert(handle:set("trace.a", 1, "int8"))
      assert(handle:set("trace.a", 2, "int8"))
      assert(handle:set("trace.a", 2, "int8"))
      assert(handle:set("trace.a", "x\0", "binary"))
      assert(handle:delete("trace.a"))
      support.dispatch_until(handle, function() return #events == 4 end)
      assert.same({
        { "add", "trace.a", 1, nil, "int8", n = 5 },
        { "modify", "trace.a", 2, 1, "int8", n = 5 },
        { "modify", "trace.a", "x\0", 2, "binary", n = 5 },
        { "delete", "trace.a", nil, "x\0", "binary", n = 5 },
      }, events)
    end)

    it("tells of one key alone without prefix, and of the listed changes alone", function()
      local events = {}
      local handle <close> = open()
      assert(handle:track_add("trace.one", { "add" }, list(events)))
      assert(handle:set("trace.one.more", 1, "int8"))
      assert(handle:set("trace.one", 1, "int8"))
      assert(handle:set("trace.one", 2, "int8"))
      assert(handle:set("trace.one", 3, "int8"))
      support.dispatch_until(handle, function() return #events == 1 end)
      assert.same({ true, false }, { handle:dispatch("all") })
      assert.same({ { "add", "trace.one", 1, nil, "int8", n = 5 } }, events)
    end)

    it("tells of every key without one", function()
      local events = {}
      local handle <close> = open()
      assert(handle:track_add(nil, { "add", "prefix" }, list(events)))
      assert(handle:set("another.key", 1, "int8"))
      support.dispatch_until(handle, function() return #events >= 1 end)
      assert.same("another.key", events[1][2])
    end)

    it("gives each track to its own handler", function()
      local first, second = {}, {}
      local handle <close> = open()
      assert(handle:track_add("trace.both", { "add" }, list(first)))
      assert(handle:track_add("trace.", { "add", "prefix" }, list(second)))
      assert(handle:set("trace.both", 1, "int8"))
      assert(handle:set("trace.second", 1, "int8"))
      support.dispatch_until(handle, function() return #second == 2 end)
      assert.same(1, #first)
    end)

    it("tells of what other handles and programs do", function()
      local events = {}
      local handle <close> = open()
      assert(handle:track_add("trace.other", { "add" }, list(events)))
      assert.same(0, cluster[1]:tool("corosync-cmapctl", "-s", "trace.other", "str", "hi").status)
      support.dispatch_until(handle, function() return #events == 1 end)
      assert.same({ "add", "trace.other", "hi", nil, "string", n = 5 }, events[1])
    end)

    it("tells of connections in the map of statistics", function()
      local events = {}
      local stats <close> = open("stats")
      assert(stats:track_add("stats.ipcs.", { "add", "delete", "prefix" }, list(events)))
      local other <close> = open()
      support.dispatch_until(stats, function() return #events >= 1 end)
      assert.same("add", events[1][1])
      assert.is_nil(events[1][4])
      assert.is_truthy(other)
    end)
  end)

  describe(":track_delete", function()
    it("says ERR_BAD_HANDLE for a track that is none", function()
      local handle <close> = open()
      local track = assert(handle:track_add("trace.", { "add" }, print))
      assert.is_true(handle:track_delete(track))
      assert.same("ERR_BAD_HANDLE", (select(3, handle:track_delete(track))))
    end)

    it("drops what the daemon has sent and was not read", function()
      local handle <close> = open()
      local track = assert(handle:track_add("drop.", { "add", "prefix" }, error))
      local kept = {}
      assert(handle:track_add("drop.b", { "add" }, function(_, _, key) table.insert(kept, key) end))
      assert(handle:set("drop.a", 1, "int8"))
      assert(handle:set("drop.b", 1, "int8"))
      assert(handle:track_delete(track))
      assert.is_true(handle:dispatch("one"))
      assert.same({ "drop.b" }, kept)
    end)

    it("drops what was read and not handled", function()
      local handle <close> = open()
      local count = 0
      local track
      track = assert(handle:track_add("late.", { "add", "prefix" }, function()
        count = count + 1
        assert(handle:track_delete(track))
      end))
      assert(handle:set("late.a", 1, "int8"))
      assert(handle:set("late.b", 1, "int8"))
      support.dispatch_until(handle, function() return count == 1 end)
      assert.same({ true, false }, { handle:dispatch("all") })
      assert.same({ 1, 0 }, { count, handle:pending() })
    end)
  end)
end)
