local lab = require("corolua.lab")
local support = require("spec.support")
local thin = require("spec.support.thin")
local traces = require("spec.support.traces")
local votequorum = require("corosync.votequorum")

local function open(cluster, node, callbacks)
  return assert(cluster[node]:enter(function()
    return votequorum.initialize(callbacks)
  end))
end

-- A handle that tracks, with the latest of each event.
local function watch(cluster, node)
  local last = { count = 0 }
  local handle = open(cluster, node, {
    quorum = function(_, quorate, nodes)
      last.quorate, last.nodes, last.count = quorate, nodes, last.count + 1
    end,
    nodelist = function(_, ring, nodeids)
      last.ring, last.nodeids = ring, nodeids
    end,
    expectedvotes = function(_, expected)
      last.expected = expected
    end,
  })
  assert(handle:trackstart("changes"))
  support.dispatch_until(handle, function() return last.nodes end)
  return handle, last
end

-- Changes the configuration of a node, and lets its daemon read it again.
local function reload(node, pattern, replacement)
  local path = node.daemon.files.conf
  local text = io.lines(path, "a")()
  local file <close> = assert(io.open(path, "w"))
  assert(file:write((text:gsub(pattern, replacement))))
  file:close()
  local control <close> = assert(node:thin("cfg"))
  assert(control:reload_config())
end

local function states(nodes)
  local by_node = {}
  for _, node in ipairs(nodes) do by_node[node.nodeid] = node.state end
  return by_node
end

local function kill(cluster, ...)
  for _, node in ipairs({ ... }) do cluster[node].daemon:kill() end
end

describe("corosync.votequorum", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 3 })) end)
  teardown(function() cluster:close() end)

  local calls = {
    getinfo = { 0 }, setvotes = { 1, 1 }, setexpected = { 3 }, trackstart = { "changes" },
    trackstop = {}, qdevice_register = { "q" }, qdevice_unregister = { "q" },
    qdevice_update = { "q", "r" }, qdevice_poll = { "q", true, { nodeid = 1, seq = 1 } },
    qdevice_master_wins = { "q", true },
  }
  local has_extra_info = thin.methods("corosync.votequorum").get_qdevice_extra_info ~= nil
  local no_extra_info -- the flag, which only newer corosync has
  if has_extra_info then
    no_extra_info = false
    calls.get_qdevice_extra_info, calls.set_qdevice_extra_info = { 1 }, { "x" }
  end

  thin.behaves(function() return cluster end, {
    name = "corosync.votequorum",
    initialize = "votequorum_initialize",
    callbacks = { "quorum", "nodelist", "expectedvotes" },
    open = function(handler)
      return votequorum.initialize({ quorum = handler, nodelist = handler })
    end,
    provoke = function(handle)
      assert(handle:trackstart("current"))
      assert(handle:trackstart("current"))
    end,
    calls = calls,
  })

  describe("bad arguments", function()
    local name = "name must have 1 to 254 bytes"
    local ring = "ring must be { nodeid =, seq = }"
    thin.refuses(function() return open(cluster, 1) end, {
      { "getinfo", {}, "nodeid must be an integer of 0 to 4294967295, got no value" },
      { "getinfo", { -1 }, "nodeid must be an integer of 0 to 4294967295, got %-1" },
      { "getinfo", { 1 << 32 }, "nodeid must be .*, got 4294967296" },
      { "getinfo", { 1.5 }, "nodeid must be an integer of .*, got 1.5" },
      { "getinfo", { "1" }, "nodeid must be an integer of .*, got 1" },
      { "setvotes", { 0, 1 }, "nodeid must be an integer of 1 to 4294967295, got 0" },
      { "setvotes", { 1, 256 }, "votes must be an integer of 0 to 255, got 256" },
      { "setvotes", { 1, -1 }, "votes must be an integer of 0 to 255, got %-1" },
      { "setvotes", { 1 }, "votes must be an integer of 0 to 255, got no value" },
      { "setexpected", { 0 }, "votes must be an integer of 1 to 255, got 0" },
      { "setexpected", { 256 }, "votes must be an integer of 1 to 255, got 256" },
      { "setexpected", { 4294967295 }, "votes must be .*, got 4294967295" },
      { "trackstart", { "always" }, 'flags must be one of "current", "changes", "changes_only"' },
      { "trackstart", {}, "flags must be one of .*, got no value" },
      { "qdevice_register", { "" }, name .. ", got 0" },
      { "qdevice_register", { ("x"):rep(255) }, name .. ", got 255" },
      { "qdevice_register", { "a\0b" }, "name must not contain a NUL byte" },
      { "qdevice_unregister", { 5 }, "name must be a string, got number" },
      { "qdevice_update", { "a", "" }, "new name must have 1 to 254 bytes" },
      { "qdevice_poll", { "a", 1 }, "cast_vote must be a boolean, got number" },
      { "qdevice_poll", { "a", true }, ring },
      { "qdevice_poll", { "a", true, { nodeid = 1 } }, ring },
      { "qdevice_poll", { "a", true, { nodeid = -1, seq = 1 } }, ring },
      { "qdevice_master_wins", { "a" }, "allow must be a boolean, got no value" },
    })
  end)

  describe(":getinfo", function()
    it("tells of this node for node 0", function()
      local handle <close> = open(cluster, 2)
      assert.same({
        node_id = 2, node_state = "member", node_votes = 1, node_expected_votes = 3,
        highest_expected = 3, total_votes = 3, quorum = 2, qdevice_votes = 0, qdevice_name = "",
        flags = {
          quorate = true, two_node = false, wait_for_all = false, last_man_standing = false,
          auto_tie_breaker = false, allow_downscale = false, qdevice_registered = false,
          qdevice_alive = false, qdevice_cast_vote = false, qdevice_master_wins = false,
          qdevice_has_extra_info = no_extra_info,
        },
      }, handle:getinfo(0))
    end)

    it("tells of any member", function()
      local handle <close> = open(cluster, 1)
      for node = 1, 3 do assert.same(node, handle:getinfo(node).node_id) end
    end)

    it("says ERR_NOT_EXIST for an unknown node, and gives no garbage", function()
      local handle <close> = open(cluster, 1)
      for _ = 1, 50 do
        assert.same({ nil, "votequorum_getinfo: does not exist", "ERR_NOT_EXIST" },
          { handle:getinfo(77) })
      end
    end)
  end)

  describe(":trackstart", function()
    for _, flags in ipairs({ "current", "changes" }) do
      it("gives a nodelist and then quorum for " .. flags, function()
        local order = {}
        local handle <close> = open(cluster, 1, {
          quorum = function(_, quorate, nodes)
            table.insert(order, { quorate, states(nodes) })
          end,
          nodelist = function(_, ring, nodeids)
            table.insert(order, { ring.nodeid, math.type(ring.seq), nodeids })
          end,
        })
        assert(handle:trackstart(flags))
        support.dispatch_until(handle, function() return #order == 2 end)
        assert.same({
          { 1, "integer", { 1, 2, 3 } },
          { true, { "member", "member", "member" } },
        }, order)
      end)
    end

    it("gives nothing at first for changes_only", function()
      local handle <close> = open(cluster, 1, { quorum = error, nodelist = error })
      assert(handle:trackstart("changes_only"))
      assert.same({ true, false }, { handle:dispatch("all") })
    end)

    it("says ERR_EXIST to a handle that tracks, and sends both events again", function()
      local handle <close>, last = watch(cluster, 1)
      assert.same({ nil, "votequorum_trackstart: exists already", "ERR_EXIST" },
        { handle:trackstart("changes") })
      support.dispatch_until(handle, function() return last.count == 2 end)
    end)
  end)

  describe(":trackstop", function()
    it("says ERR_NOT_EXIST to a handle that does not track", function()
      local handle <close> = open(cluster, 1)
      assert.same("ERR_NOT_EXIST", (select(3, handle:trackstop())))
      assert(handle:trackstart("current"))
      assert.same("ERR_NOT_EXIST", (select(3, handle:trackstop())))
    end)

    it("stops what trackstart began", function()
      local handle <close> = watch(cluster, 1)
      assert.is_true(handle:trackstop())
      assert.same("ERR_NOT_EXIST", (select(3, handle:trackstop())))
    end)
  end)

  describe("a quorum device", function()
    it("is registered, votes for the ring, and goes", function()
      local handle <close>, last = watch(cluster, 1)
      assert(handle:qdevice_register("device"))
      assert(handle:qdevice_register("device"))
      assert.same("ERR_EXIST", (select(3, handle:qdevice_register("other"))))
      assert.is_true(handle:getinfo(1).flags.qdevice_registered)
      assert.same("device", handle:getinfo(1).qdevice_name)
      local before = { nodeid = last.ring.nodeid, seq = last.ring.seq - 1 }
      assert.same("ERR_MESSAGE_ERROR", (select(3, handle:qdevice_poll("device", true, before))))
      assert(handle:qdevice_poll("device", true, last.ring))
      assert.is_true(handle:getinfo(1).flags.qdevice_alive)
      assert(handle:qdevice_update("device", "renamed"))
      assert(traces.eventually(function()
        return handle:getinfo(1).qdevice_name == "renamed"
      end, 5))
      assert(handle:qdevice_unregister("renamed"))
      assert.is_false(handle:getinfo(1).flags.qdevice_registered)
      assert.same("ERR_NOT_EXIST", (select(3, handle:qdevice_poll("renamed", true, last.ring))))
    end)
  end)

  if has_extra_info then
    describe("the extra info of a quorum device", function()
      -- A handle that tracks, and what it was told last.
      local function listen(node)
        local told = {}
        local handle = open(cluster, node, {
          qdevice_extra_info = function(_, nodeid, info) told.nodeid, told.info = nodeid, info end,
        })
        assert(handle:trackstart("changes"))
        return handle, told
      end

      it("reaches every node, until the device takes it back", function()
        local device <close>, own = listen(1)
        local other <close>, told = listen(3)
        assert.same("ERR_NOT_EXIST", (select(3, device:set_qdevice_extra_info("x"))))
        assert(device:qdevice_register("device"))
        for _, info in ipairs({ "a\0b", ("x"):rep(4096), "" }) do
          assert(device:set_qdevice_extra_info(info))
          support.dispatch_until(device, function() return own.info == info end)
          support.dispatch_until(other, function() return told.info == info end)
          assert.same({ 1, 1 }, { own.nodeid, told.nodeid })
          assert.same(info, other:get_qdevice_extra_info(1))
          assert.same(info ~= "", other:getinfo(1).flags.qdevice_has_extra_info)
        end
        assert(device:qdevice_unregister("device"))
      end)

      it("says ERR_NOT_EXIST for an unknown node, and gives no garbage", function()
        local handle <close> = open(cluster, 1)
        for _ = 1, 50 do
          assert.same({ nil, "votequorum_get_qdevice_extra_info: does not exist", "ERR_NOT_EXIST" },
            { handle:get_qdevice_extra_info(77) })
        end
      end)

      it("says ERR_ACCESS where a reload put a device beside two_node", function()
        local pair <close> = assert(lab.start({ nodes = 2, two_node = true }))
        local handle <close> = open(pair, 1)
        reload(pair[1], "two_node: 1", "%0\n  device {\n    model: net\n    votes: 1\n  }")
        for _ = 1, 50 do
          assert.same("ERR_ACCESS", (select(3, handle:get_qdevice_extra_info(2))))
        end
        assert.same("ERR_ACCESS", (select(3, handle:set_qdevice_extra_info("x"))))
      end)
    end)

    describe("bad extra info", function()
      thin.refuses(function() return open(cluster, 1) end, {
        { "get_qdevice_extra_info", { 0 }, "nodeid must be an integer of 1 to 4294967295, got 0" },
        { "set_qdevice_extra_info", { ("x"):rep(4097) },
          "extra info must have at most 4096 bytes, got 4097" },
        { "set_qdevice_extra_info", {}, "extra info must be a string, got no value" },
      })
    end)
  end

  describe(":setexpected", function()
    it("takes what leaves the quorum, tells every node, and refuses the rest", function()
      local handle <close>, last = watch(cluster, 1)
      local other <close>, seen = watch(cluster, 3)
      for _, votes in ipairs({ 1, 2, 6, 255 }) do
        assert.same({ votes, nil, "votequorum_setexpected: corosync refuses the parameter",
          "ERR_INVALID_PARAM" }, { votes, handle:setexpected(votes) })
      end
      for _, case in ipairs({ { 4, 3 }, { 5, 3 }, { 3, 2 } }) do
        local expected, needed = case[1], case[2]
        assert(handle:setexpected(expected))
        support.dispatch_until(handle, function() return last.expected == expected end)
        support.dispatch_until(other, function() return seen.expected == expected end)
        local info = handle:getinfo(0)
        assert.same({ expected, needed, true },
          { info.highest_expected, info.quorum, info.flags.quorate })
      end
    end)
  end)

  -- What follows changes votes for good, and so has a cluster each.
  describe(":setvotes", function()
    it("raises expected_votes along, and does not let votes fall below it", function()
      local own <close> = assert(lab.start({ nodes = 3 }))
      local handle <close>, last = watch(own, 1)
      assert.same("ERR_NAME_NOT_FOUND", (select(3, handle:setvotes(77, 1))))
      assert(handle:setvotes(2, 5))
      support.dispatch_until(handle, function() return last.expected == 7 end)
      local info = handle:getinfo(2)
      assert.same({ 5, 7, 4 }, { info.node_votes, info.total_votes, info.quorum })
      assert.same("ERR_INVALID_PARAM", (select(3, handle:setvotes(2, 1))))
    end)

    it("takes the votes of a node away, down to none", function()
      local own <close> = assert(lab.start({ nodes = 3 }))
      local handle <close> = watch(own, 1)
      assert(handle:setvotes(3, 0))
      assert(traces.eventually(function() return handle:getinfo(3).node_votes == 0 end, 5))
      local info = handle:getinfo(3)
      assert.same({ 2, 2, true }, { info.total_votes, info.quorum, info.flags.quorate })
    end)
  end)

  describe("nodes that die", function()
    it("stay in the list as dead, with their last votes", function()
      local own <close> = assert(lab.start({ nodes = 3 }))
      local handle <close>, last = watch(own, 1)
      kill(own, 3)
      support.dispatch_until(handle, function() return #last.nodeids == 2 and last.count == 2 end)
      assert.same({ true, { "member", "member", "dead" } }, { last.quorate, states(last.nodes) })
      local info = handle:getinfo(3)
      assert.same({ "dead", 1, 2 }, { info.node_state, info.node_votes, info.total_votes })
      assert.same("ERR_INVALID_PARAM", (select(3, handle:setexpected(1))))
      assert(handle:setexpected(2))
    end)

    it("take the quorum along; setexpected(1) gives it back by hand", function()
      local own <close> = assert(lab.start({ nodes = 3 }))
      local handle <close>, last = watch(own, 1)
      kill(own, 2, 3)
      support.dispatch_until(handle, function() return not last.quorate end)
      assert.is_false(handle:getinfo(0).flags.quorate)
      assert(handle:setexpected(1))
      support.dispatch_until(handle, function() return last.quorate end)
      assert.same({ 1, true }, { last.expected, handle:getinfo(0).flags.quorate })
    end)
  end)

  describe("options of the cluster", function()
    it("two_node: one of two is quorate, and all are waited for at the start", function()
      local own <close> = assert(lab.start({ nodes = 2, two_node = true }))
      local handle <close>, last = watch(own, 1)
      local flags = handle:getinfo(0).flags
      assert.same({ true, true, true }, { flags.two_node, flags.wait_for_all, flags.quorate })
      kill(own, 2)
      support.dispatch_until(handle, function() return #last.nodeids == 1 and last.count == 2 end)
      assert.is_true(last.quorate)
      assert.same({ 1, 1 }, { handle:getinfo(0).quorum, handle:getinfo(0).total_votes })
    end)

    it("wait_for_all: enough votes are no quorum until all were seen", function()
      local own <close> = assert(lab.start({ nodes = 3, wait_for_all = true, initial = { 1, 2 } }))
      local handle <close> = watch(own, 1)
      local info = handle:getinfo(0)
      assert.same({ 2, 2 }, { info.total_votes, info.quorum })
      assert.same({ true, false }, { info.flags.wait_for_all, info.flags.quorate })
      assert.same("ERR_NOT_EXIST", (select(3, handle:getinfo(3))))
    end)

    it("auto_tie_breaker: half of the votes are quorate with the lowest node", function()
      local own <close> = assert(lab.start({ nodes = 4, auto_tie_breaker = true }))
      local handle <close>, last = watch(own, 1)
      kill(own, 3, 4)
      support.dispatch_until(handle, function() return #last.nodeids == 2 and last.count >= 2 end)
      local info = handle:getinfo(0)
      assert.same({ true, 2, 3 }, { last.quorate, info.total_votes, info.quorum })
      assert.same({ true, true }, { info.flags.auto_tie_breaker, info.flags.quorate })
    end)

    it("last_man_standing: expected votes follow, without an event", function()
      local own <close> = assert(lab.start({
        nodes = 4, last_man_standing = true, last_man_standing_window = 50,
      }))
      local handle <close>, last = watch(own, 1)
      assert.is_true(handle:getinfo(0).flags.last_man_standing)
      kill(own, 4)
      support.dispatch_until(handle, function() return #last.nodeids == 3 end)
      assert(traces.eventually(function() return handle:getinfo(0).highest_expected == 3 end, 5))
      assert(handle:dispatch("all"))
      assert.is_nil(last.expected)
    end)
  end)
end)
