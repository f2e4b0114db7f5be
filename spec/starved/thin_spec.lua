-- What the bindings do without memory: in a build with -DFAIL_ALLOC=ON the n-th
-- request of a piece of work fails, n from 1 up to where none does. Each time
-- there is a result or an error that says so, and nothing is left behind.
-- Run by tools/starved.
local cfg = require("corosync.cfg")
local cmap = require("corosync.cmap")
local cpg = require("corosync.cpg")
local fail_allocation = require("fail_allocation")
local lab = require("corolua.lab")
local loop = require("corolua.loop")
local packing = require("corolua.packing")
local quorum = require("corosync.quorum")
local support = require("spec.support")
local sys = require("corolua.sys")
local votequorum = require("corosync.votequorum")
local worker = require("corolua.worker")

local MOST = 3000 -- requests of one piece of work

local function nothing() end

local function seen(_, ...) return ... end

-- Dispatches until a condition holds. The daemon is asked, and no clock waited for.
local function dispatch_until(handle, condition)
  local deadline = loop.now() + 5
  while not condition() do
    assert(loop.now() < deadline, "the condition did not come true in time")
    assert(handle:dispatch("all"))
  end
end

local names = 0 -- a group of its own for each join

local work = {}

work["corosync.cpg"] = function()
  local got, joined = 0, false
  local handle <close> = assert(cpg.initialize({
    deliver = function() got = got + 1 end,
    confchg = function(_, _, members, left, list)
      joined = joined or #members + #left + #list > 0
    end,
    totem_confchg = seen,
  }, { deliver_initial_totem_conf = true }))
  names = names + 1
  assert(handle:join("starved" .. names))
  dispatch_until(handle, function() return joined end)
  assert(handle:mcast_joined({ "in ", "parts" }))
  assert(handle:mcast_joined(("long "):rep(5000)))
  dispatch_until(handle, function() return got == 2 end)
  assert(handle:membership_get())
  for _ in assert(handle:iterate("all")) do nothing() end
  assert(handle:leave())
end

work["corosync.quorum"] = function()
  local got = 0
  local function count() got = got + 1 end
  local handle <close> = assert(quorum.initialize({ quorum = count, nodelist = count }))
  assert(handle:trackstart("current"))
  dispatch_until(handle, function() return got == 2 end)
end

work["corosync.votequorum"] = function()
  local got = 0
  local function count() got = got + 1 end
  local handle <close> = assert(votequorum.initialize({ quorum = count, nodelist = count }))
  assert(handle:trackstart("current"))
  dispatch_until(handle, function() return got == 2 end)
  assert(handle:getinfo(0))
end

work["corosync.cmap"] = function()
  local got = 0
  local handle <close> = assert(cmap.initialize())
  local track = assert(handle:track_add("starved.", { "add", "modify", "prefix" },
    function() got = got + 1 end))
  assert(handle:set("starved.key", ("v"):rep(got + 100), "string"))
  assert(handle:set("starved.key", "w", "string"))
  dispatch_until(handle, function() return got > 0 end)
  assert(handle:get("starved.key"))
  for _ in assert(handle:iterate("starved.")) do nothing() end
  assert(handle:track_delete(track))
end

work["corosync.cfg"] = function()
  local handle <close> = assert(cfg.initialize({ shutdown = nothing }))
  assert(handle:ring_status_get())
  assert(handle:node_status_get(1))
  assert(handle:get_node_addrs(0))
end

local idle -- a handle to ask something by: the answer leaves time for a worker's thread

-- Returns what the call gave, once it is over. What an earlier one gave that
-- found no memory half-way is passed over.
local function call(handle, name, ...)
  local results
  local deadline = loop.now() + 20
  local function done() end
  assert(worker.start(handle, name, nil, done, ...))
  repeat
    assert(loop.now() < deadline, "the call is not over in time")
    idle:local_get()
    results = table.pack(worker.take())
  until results[1] == done
  return table.unpack(results, 2, results.n)
end

work["corolua.worker"] = function()
  local handle <close> = cpg.prepare({})
  assert(call(handle, "initialize"))
  assert(worker.is_open(handle))
  names = names + 1
  assert(call(handle, "join", "starved" .. names))
  assert(call(handle, "finalize"))
end

work["corolua.packing"] = function()
  local packer, unpacker = packing.packer({ life = 1, max_frame = 256 }), packing.unpacker()
  local got = 0
  local function read(frame)
    local payloads, why = unpacker:read(1, frame)
    assert(payloads ~= nil, why)
    if payloads then got = got + #payloads end
  end
  for i = 1, 5 do assert(packer:add(("x"):rep(i))) end
  read((packer:flush(1, 1)))
  for frame in (packer:split(("y"):rep(2000), 1, 1)) do read(frame) end
  assert(got == 6)
end

work["the loop's watches"] = function()
  local reading, writing = assert(sys.pipe())
  local watch, timer
  local ok, why = pcall(function()
    watch = assert(loop.fd(reading:fileno(), "r", nothing))
    timer = assert(loop.timer(60, nothing))
  end)
  if watch then watch:cancel() end
  if timer then timer:cancel() end
  reading:close()
  writing:close()
  assert(ok, why)
end

-- Fails the n-th request for n = 1, 2, ... until the work is done without.
local function starve(fn)
  local n, done = 0, false
  assert(pcall(fn)) -- what the calls below need of the stack is there from now on
  while not done do
    n = n + 1
    assert(n < MOST)
    local ok, why = pcall(function()
      fail_allocation(n)
      fn()
    end)
    local left = fail_allocation(0)
    done = ok and left > 0
    collectgarbage()
    collectgarbage()
    -- Results without memory are values: assert gives their message.
    if not ok then assert.matches("memory", tostring(why)) end
  end
  return n
end

describe("without memory", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
    idle = assert(cluster[1]:enter(cpg.initialize))
  end)

  teardown(function()
    idle:finalize()
    cluster:close()
  end)

  for name, fn in pairs(work) do
    it(name .. " gives an error or goes on, and loses nothing", function()
      cluster[1]:enter(fn)
      collectgarbage()
      collectgarbage()
      local descriptors, handles, pending = support.descriptors(), sys.handles(), loop.pending()
      local requests = cluster[1]:enter(function() return starve(fn) end)
      assert.is_true(requests > 3, requests)
      assert.equal(handles, sys.handles())
      assert.equal(pending, loop.pending())
      -- Threads of a worker finalize what was given up whenever the daemon lets them.
      support.eventually(function() return support.descriptors() <= descriptors end)
      cluster[1]:enter(fn)
    end)
  end
end)
