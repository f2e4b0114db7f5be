local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local quorum = require("corosync.quorum")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")
local votequorum = require("corosync.votequorum")
local worker = require("corolua.worker")

local calls = require("corolua.daemon.calls")

describe("corolua.worker", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 2 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local function network(node) return cluster[node].space end

  local function call(handle, name, node, ...)
    return calls.call(handle, name, network(node), 5, ...)
  end

  it("connects in the network it is told, and the program stays where it is", function()
    for node = 1, 2 do
      local handle = cpg.prepare({})
      assert.is_true(call(handle, "initialize", node))
      assert.equal(node, handle:local_get())
      assert(handle:finalize())
    end
    local outside = cpg.prepare({})
    local ok, _, code = calls.call(outside, "initialize", nil, 5)
    assert.is_nil(ok)
    assert.equal("ERR_LIBRARY", code)
  end)

  it("joins and gives the own member object", function()
    local handle = cpg.prepare({})
    assert(call(handle, "initialize", 1))
    local me = assert(call(handle, "join", 1, "worker"))
    assert.equal(1, me.nodeid)
    support.dispatch_until(handle, function()
      return handle:membership_get("worker")[1] == me
    end)
    assert.is_true(call(handle, "leave", 1))
    support.dispatch_until(handle, function() return handle:state() == "left" end)
    assert.error_matches(function() call(handle, "join", 1, "worker") end,
      "has joined a group before")
    assert.is_true(call(handle, "finalize", 1))
    assert.is_false(worker.is_open(handle))
  end)

  it("asks for votes", function()
    local handle = votequorum.prepare()
    assert.is_true(call(handle, "initialize", 1))
    assert.equal(1, call(handle, "getinfo", 1, 0).node_votes)
    local _, _, code = call(handle, "getinfo", 1, 99)
    assert.equal("ERR_NOT_EXIST", code)
    assert(handle:finalize())
  end)

  it("tracks quorum, and tells its kind", function()
    local told
    local handle = quorum.prepare({ quorum = function(_, quorate) told = quorate end })
    assert.equal("set", call(handle, "initialize", 1))
    assert.is_true(call(handle, "trackstart", 1, "changes"))
    support.dispatch_until(handle, function() return told end)
    assert(handle:finalize())
  end)

  it("keeps the handle closed while a call runs", function()
    local handle = cpg.prepare({})
    assert(call(handle, "initialize", 1))
    assert(cluster[1]:pause())
    local done
    local running = assert(worker.start(handle, "join", network(1), function(...)
      done = table.pack(...)
    end, "paused"))
    assert.error_matches(function() handle:local_get() end, "closed")
    assert.error_matches(function() worker.start(handle, "leave", network(1), print) end, "closed")
    assert(cluster[1]:resume())
    assert(scheduler.wait(function() return done end, 5))
    assert.equal(1, done[1].nodeid)
    running:abandon()
    assert.is_true(worker.is_open(handle))
    assert(handle:finalize())
  end)

  it("holds up nobody while a daemon is stopped, and cleans up behind a timeout", function()
    local before = support.descriptors()
    assert(cluster[1]:pause())
    local handle = cpg.prepare({})
    local ok, _, code = calls.call(handle, "initialize", network(1), 0.1)
    assert.is_nil(ok)
    assert.equal("ERR_TIMEOUT", code)
    local other = cpg.prepare({})
    assert(call(other, "initialize", 2))
    assert(other:finalize())
    assert(cluster[1]:resume())
    local look = scheduler.every(0.01, function() end) -- what the thread does is no event
    assert(scheduler.wait(function() return support.descriptors() <= before end, 10))
    look:cancel()
    assert.is_false(worker.is_open(handle))
  end)

  it("raises for what is no call, and for arguments that are none", function()
    local handle = cpg.prepare({})
    assert.error_matches(function() worker.start(handle, "dance", nil, print) end,
      "makes no call 'dance' of corosync.cpg")
    assert.error_matches(function() worker.start(handle, "join", nil, print, "x") end, "closed")
    assert.error_matches(function() worker.start({}, "join", nil, print) end, "handle expected")
    assert(call(handle, "initialize", 1))
    assert.error_matches(function() call(handle, "join", 1, "") end, "group name")
    assert(handle:finalize())
  end)

  it("starts and ends many at the same time", function()
    local before = support.descriptors()
    local tasks = {}
    for n = 1, 50 do
      tasks[n] = scheduler.spawn(function()
        local handle = cpg.prepare({})
        assert(call(handle, "initialize", n % 2 + 1))
        assert(call(handle, "finalize", n % 2 + 1))
      end)
    end
    for _, task in ipairs(tasks) do task:wait() end
    assert.equal(before, support.descriptors())
  end)

  -- The libraries find the slot of a new handle without a lock.
  for name, works in pairs({
    ["corosync.cpg"] = function(handle) return handle:local_get() == 1 end,
    ["corosync.quorum"] = function(handle) return handle:getquorate() end,
    ["corosync.votequorum"] = function(handle) return handle:getinfo(0).node_id == 1 end,
  }) do
    it("gives 16 that connect to " .. name .. " at once a handle each, 150 times", function()
      local prepare = require(name).prepare
      local function connect()
        local handle = prepare()
        assert(calls.call(handle, "initialize", network(1), 20))
        assert(works(handle))
        assert(handle:finalize())
      end
      for _ = 1, 150 do
        local tasks = {}
        for n = 1, 16 do tasks[n] = scheduler.spawn(connect) end
        for _, task in ipairs(tasks) do task:wait() end
      end
    end)
  end

  it("connects no handle again that was finalized, or given up", function()
    local finalized = cpg.prepare({})
    assert(finalized:finalize())
    local used = cpg.prepare({})
    assert(call(used, "initialize", 1))
    assert(used:finalize())
    local left = cpg.prepare({})
    assert(call(left, "initialize", 1))
    assert(call(left, "finalize", 1))
    local given_up = cpg.prepare({})
    worker.start(given_up, "initialize", network(1), print):abandon()
    for _, handle in ipairs({ finalized, used, left, given_up }) do
      assert.error_matches(function() call(handle, "initialize", 1) end,
        "the corosync.cpg handle is closed")
    end
  end)

  it("connects a handle again that did not come to be connected", function()
    local handle = cpg.prepare({})
    local ok, _, code = calls.call(handle, "initialize", nil, 5)
    assert.is_nil(ok)
    assert.equal("ERR_LIBRARY", code)
    assert.is_true(call(handle, "initialize", 1))
    assert(handle:finalize())
  end)

  it("connects a handle once, also while it does", function()
    local handle = cpg.prepare({})
    local done
    worker.start(handle, "initialize", network(1), function(...) done = table.pack(...) end)
    assert.error_matches(function() worker.start(handle, "initialize", network(1), print) end,
      "the corosync.cpg handle is closed")
    support.comes(function() return done end)
    assert.same({ true, n = 1 }, done)
    assert(handle:finalize())
  end)

  it("leaves a handle closed that was finalized while its call ran", function()
    local before = support.descriptors()
    for _, call_name in ipairs({ "initialize", "join", "finalize" }) do
      local handle = cpg.prepare({})
      if call_name ~= "initialize" then assert(call(handle, "initialize", 1)) end
      local done
      worker.start(handle, call_name, network(1), function(...) done = table.pack(...) end, "spec")
      assert.is_true(handle:finalize())
      support.comes(function() return done end)
      assert.is_false(worker.is_open(handle))
      if call_name == "finalize" then
        assert.same({ true, n = 1 }, done)
      else
        assert.equal("ERR_BAD_HANDLE", done[3])
      end
    end
    support.eventually(function() return support.descriptors() == before end)
  end)
end)
