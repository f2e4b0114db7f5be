local lab = require("corolua.lab")
local quorum = require("corosync.quorum")
local support = require("spec.support")
local thin = require("spec.support.thin")

describe("corosync.quorum", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 3 })) end)
  teardown(function() cluster:close() end)

  local function open(node, callbacks)
    return assert(cluster[node]:enter(function()
      return quorum.initialize(callbacks)
    end))
  end

  -- A handle that writes down its events as tables.
  local function watch(node, events)
    return open(node, {
      quorum = function(_, quorate, ring, nodeids)
        table.insert(events, { kind = "quorum", quorate = quorate, ring = ring, nodeids = nodeids })
      end,
      nodelist = function(_, ring, nodeids, joined, left)
        table.insert(events, { kind = "nodelist", ring = ring, nodeids = nodeids,
          joined = joined, left = left })
      end,
    })
  end

  thin.behaves(function() return cluster end, {
    name = "corosync.quorum",
    initialize = "quorum_model_initialize",
    callbacks = { "quorum", "nodelist" },
    open = function(handler)
      return quorum.initialize({ quorum = handler, nodelist = handler })
    end,
    provoke = function(handle)
      assert(handle:trackstart("current"))
      assert(handle:trackstart("current"))
    end,
    calls = { getquorate = {}, trackstart = { "changes" }, trackstop = {} },
  })

  describe("initialize", function()
    it("says whether there is a quorum provider", function()
      local handle, kind = assert(cluster[1]:enter(quorum.initialize))
      assert.same("set", kind)
      handle:finalize()
    end)
  end)

  describe(":getquorate", function()
    it("answers with a boolean", function()
      local handle <close> = open(1)
      assert.is_true(handle:getquorate())
    end)
  end)

  describe(":trackstart", function()
    for _, flags in ipairs({ "current", "changes" }) do
      it("gives a nodelist and then quorum for " .. flags, function()
        local events = {}
        local handle <close> = watch(2, events)
        assert(handle:trackstart(flags))
        support.dispatch_until(handle, function() return #events == 2 end)
        local list, state = events[1], events[2]
        assert.same({ "nodelist", "quorum" }, { list.kind, state.kind })
        assert.same({ 1, 2, 3 }, list.nodeids)
        assert.same({ {}, {} }, { list.joined, list.left })
        assert.same({ true, { 1, 2, 3 } }, { state.quorate, state.nodeids })
        assert.same(list.ring, state.ring)
        assert.same({ "integer", 1 }, { math.type(state.ring.seq), state.ring.nodeid })
      end)
    end

    it("gives nothing at first for changes_only", function()
      local events = {}
      local handle <close> = watch(1, events)
      assert(handle:trackstart("changes_only"))
      assert.same({ true, false }, { handle:dispatch("all") })
      assert.same({}, events)
    end)

    it("says ERR_EXIST to a handle that tracks", function()
      local handle <close> = open(1)
      assert(handle:trackstart("changes"))
      assert.same({ nil, "quorum_trackstart: exists already", "ERR_EXIST" },
        { handle:trackstart("changes") })
    end)

    thin.refuses(function() return open(1) end, {
      { "trackstart", { "change" }, 'flags must be one of "current", "changes", "changes_only"' },
      { "trackstart", { 2 }, "flags must be one of .*, got 2" },
      { "trackstart", {}, "flags must be one of " },
    })
  end)

  describe(":trackstop", function()
    it("ends the events, and may come before a second start", function()
      local handle <close> = open(1)
      assert(handle:trackstart("changes"))
      assert.is_true(handle:trackstop())
      assert.is_true(handle:trackstart("changes"))
    end)
  end)

  -- The last one: it leaves the cluster without a quorum.
  describe("nodes that die", function()
    it("are left, and take the quorum along when too few remain", function()
      local events = {}
      local handle <close> = watch(1, events)
      assert(handle:trackstart("changes_only"))
      local function last(kind)
        for i = #events, 1, -1 do
          if events[i].kind == kind then return events[i] end
        end
      end
      cluster[3].daemon:kill()
      support.dispatch_until(handle, function() return last("quorum") end)
      assert.same({ true, { 1, 2 } }, { last("quorum").quorate, last("quorum").nodeids })
      assert.same({ { 1, 2 }, { 3 } }, { last("nodelist").nodeids, last("nodelist").left })
      local ring = last("quorum").ring
      cluster[2].daemon:kill()
      support.dispatch_until(handle, function() return not last("quorum").quorate end)
      assert.same({ 1 }, last("quorum").nodeids)
      assert.is_true(last("quorum").ring.seq > ring.seq)
      assert.is_false(handle:getquorate())
    end)
  end)
end)
