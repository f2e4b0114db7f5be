local cfg = require("corosync.cfg")
local cmap = require("corosync.cmap")
local lab = require("corolua.lab")
local support = require("spec.support")
local thin = require("spec.support.thin")
local traces = require("spec.support.traces")

-- What the daemon says of its links, and of a node that nobody knows, differs
-- between transports.
local LINK_STATUS = { udpu = "^OK$", knet = "^n[13]+$" }
local UNKNOWN_NODE = {
  udpu = { 77, false, {} },
  knet = { "corosync_cfg_node_status_get: operation failed", "ERR_FAILED_OPERATION" },
}

local function shape(status, why, code)
  return status and { status.nodeid, status.reachable, status.links } or { why, code }
end

describe("corosync.cfg", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 3 })) end)
  teardown(function() cluster:close() end)

  local function open(node, callbacks)
    return assert(cluster[node]:enter(function()
      return cfg.initialize(callbacks)
    end))
  end

  -- Asks for a shutdown that nobody agrees to within the given milliseconds;
  -- the call blocks so long, as this very program would have to answer.
  local function ask(milliseconds)
    local map <close> = assert(cluster[1]:enter(cmap.initialize))
    local asking <close> = open(1)
    assert(map:set("cfg.shutdown_timeout", milliseconds, "uint32"))
    return asking:try_shutdown("request")
  end

  thin.behaves(function() return cluster end, {
    name = "corosync.cfg",
    initialize = "corosync_cfg_initialize",
    callbacks = { "shutdown" },
    open = function(handler)
      return cfg.initialize({ shutdown = handler })
    end,
    provoke = function(handle)
      assert(handle:trackstart())
      for _ = 1, 3 do assert.same("ERR_BUSY", (select(3, ask(1)))) end
    end,
    calls = {
      ring_status_get = {}, node_status_get = { 1 }, kill_node = { 1, "reason" }, trackstart = {},
      trackstop = {}, try_shutdown = { "immediate" }, replyto_shutdown = { "no" },
      get_node_addrs = { 1 }, local_get = {}, reload_config = {}, reopen_log_files = {},
    },
  })

  describe("bad arguments", function()
    local flags = 'flags must be one of "request", "regardless", "immediate"'
    thin.refuses(function() return open(1) end, {
      { "node_status_get", { 0 }, "nodeid must be an integer of 1 to 4294967295, got 0" },
      { "get_node_addrs", { -1 }, "nodeid must be an integer of 0 to 4294967295, got %-1" },
      { "kill_node", { 0, "x" }, "nodeid must be an integer of 1 to 4294967295, got 0" },
      { "kill_node", { 1 }, "reason must be a string, got no value" },
      { "kill_node", { 1, ("x"):rep(256) }, "reason must have 0 to 255 bytes, got 256" },
      { "try_shutdown", { "now" }, flags .. ", got now" },
      { "try_shutdown", { 1 }, flags .. ", got 1" },
      { "replyto_shutdown", { true }, 'reply must be one of "no", "yes", got true' },
    })
  end)

  describe("a node", function()
    it("knows its id", function()
      local handle <close> = open(2)
      assert.same(2, handle:local_get())
    end)

    it("has addresses, also those of others, as strings", function()
      local handle <close> = open(1)
      local own = assert(handle:get_node_addrs(0))
      assert.same(own, handle:get_node_addrs(1))
      assert.same(1, #own)
      assert.matches("^[%x.:]+$", own[1])
      assert.is_true(own[1] ~= assert(handle:get_node_addrs(2))[1])
    end)

    it("does not know the addresses of others that are not configured", function()
      local handle <close> = open(1)
      assert.same({ nil, "corosync_cfg_get_node_addrs: does not exist", "ERR_NOT_EXIST" },
        { handle:get_node_addrs(77) })
    end)

    it("says what its links do", function()
      local handle <close> = open(1)
      local address = handle:get_node_addrs(0)[1]
      for _ = 1, 20 do
        local rings = assert(handle:ring_status_get())
        assert.same(1, #rings)
        assert.matches(address, rings[1].interface, 1, true)
        assert.matches(LINK_STATUS[cluster.config.transport], rings[1].status)
      end
    end)

    it("says whether it is reached", function()
      local handle <close> = open(1)
      local status = assert(handle:node_status_get(1))
      assert.same({ 1, true, false, false },
        { status.nodeid, status.reachable, status.remote, status.external })
      assert.same({ 0, true, true }, { status.links[1].link, status.links[1].enabled,
        status.links[1].connected })
    end)

    it("is reached when it is a member, and is not when nobody knows it", function()
      local handle <close> = open(1)
      assert.is_true(handle:node_status_get(2).reachable)
      assert.same(UNKNOWN_NODE[cluster.config.transport], shape(handle:node_status_get(77)))
    end)

    it("reads its configuration again, and opens its log again", function()
      local handle <close> = open(1)
      assert.is_true(handle:reload_config())
      assert.is_true(handle:reopen_log_files())
    end)
  end)

  describe("a node of knet", function()
    it("says of each link how it stands to each node, and knows no others", function()
      local knet <close> = assert(lab.start({ nodes = 2, transport = "knet" }))
      local handle <close> = assert(knet[1]:enter(cfg.initialize))
      support.eventually(function() return handle:ring_status_get()[1].status == "n3" end)
      assert.same(UNKNOWN_NODE.knet, shape(handle:node_status_get(77)))
    end)

    it("says by which links it reaches the others", function()
      local knet <close> = assert(lab.start({ nodes = 2, transport = "knet", links = 2 }))
      local handle <close> = assert(knet[1]:enter(cfg.initialize))
      local function links() return handle:node_status_get(2).links end
      assert(traces.eventually(function()
        return #links() == 2 and links()[1].connected and links()[2].connected
          and handle:node_status_get(2).reachable
      end, 5))
      assert.same({ 0, 1 }, { links()[1].link, links()[2].link })
      assert.is_true(links()[1].mtu > 0)
      assert.same(2, #handle:get_node_addrs(2))
      assert.same(2, #handle:ring_status_get())
    end)
  end)

  describe(":try_shutdown", function()
    it("asks whoever tracks, and says ERR_BUSY where one has not agreed", function()
      local seen = {}
      local handle <close> = open(1, {
        shutdown = function(_, flags) table.insert(seen, flags) end,
      })
      assert(handle:trackstart())
      assert.same({ nil, "corosync_cfg_try_shutdown: busy", "ERR_BUSY" }, { ask(1) })
      support.dispatch_until(handle, function() return #seen == 1 end)
      assert.same({ "request" }, seen)
      assert(handle:trackstop())
    end)

    for reply, outcome in pairs({ no = "ERR_BUSY\n", yes = "true\n" }) do
      it("asks for an answer, and takes " .. reply, function()
        local own <close> = assert(lab.start({ nodes = 1 }))
        local answered
        local handle <close> = assert(own[1]:enter(function()
          return cfg.initialize({
            shutdown = function(handle) answered = handle:replyto_shutdown(reply) end,
          })
        end))
        assert(handle:trackstart())
        local corolua = require("corolua")
        local task = corolua.spawn(function()
          return own[1]:tool(support.program, "-e", [[
            local handle = assert(require("corosync.cfg").initialize())
            local ok, message, code = handle:try_shutdown("request")
            print(ok or code)]])
        end)
        support.dispatch_until(handle, function() return answered end)
        assert.same({ status = 0, output = outcome }, assert(task:wait(5)))
      end)
    end

    it("ends the daemon at once when it is immediate", function()
      local own <close> = assert(lab.start({ nodes = 1 }))
      local handle <close> = assert(own[1]:enter(cfg.initialize))
      assert.is_true(handle:try_shutdown("immediate"))
      assert(support.readable(assert(handle:fd_get()), 5))
      assert(traces.eventually(function() return not own[1]:is_running() end, 5))
      assert.same("ERR_LIBRARY", (select(3, handle:local_get())))
    end)
  end)

  -- The last one: it ends a node.
  describe(":kill_node", function()
    it("says ERR_NOT_EXIST for what is no member", function()
      local handle <close> = open(1)
      assert.same({ nil, "corosync_cfg_kill_node: does not exist", "ERR_NOT_EXIST" },
        { handle:kill_node(77, "none") })
    end)

    it("ends the daemon of another node", function()
      local handle <close> = open(1)
      assert.is_true(handle:kill_node(3, "by the spec"))
      assert(traces.eventually(function() return not cluster[3]:is_running() end, 5))
    end)
  end)
end)
