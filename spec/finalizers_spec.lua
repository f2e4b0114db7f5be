-- What a script's finalizers may do while something is pushed to Lua: all that
-- the script may do, with the very object at hand.
local cfg = require("corosync.cfg")
local cmap = require("corosync.cmap")
local cpg = require("corosync.cpg")
local file = require("corolua.file")
local lab = require("corolua.lab")
local packing = require("corolua.packing")
local quorum = require("corosync.quorum")
local storm = require("spec.support.storm")
local support = require("spec.support")
local thin = require("spec.support.thin")
local votequorum = require("corosync.votequorum")
local worker = require("corolua.worker")

-- How many finalizers are at hand for one dispatch; ten run at each allocation.
local STORM = 400

-- At which finalizer behind the first handler the handle is done something to:
-- at each allocation in turn.
local MOMENTS = { 1, 11, 21, 31, 41, 51, 61, 71 }

local ring = { nodeid = 1, seq = 1 }

local joins = 0 -- each in a group of its own: the last life of a member may go round still

-- How a handle of each module comes to have events, and what its methods take.
local modules = {
  ["corosync.cpg"] = {
    open = function(handler)
      return cpg.initialize({ deliver = handler, confchg = handler, totem_confchg = handler },
        { deliver_initial_totem_conf = true })
    end,
    provoke = function(handle)
      joins = joins + 1
      assert(handle:join("finalizers" .. joins))
      for i = 1, 20 do assert(handle:mcast_joined(("x"):rep(i * 100))) end
    end,
    calls = {
      join = { "other" }, leave = {}, mcast_joined = { { "more", "bytes" } }, membership_get = {},
      local_get = {}, max_atomic_msgsize_get = {}, flow_control_state_get = {},
      iterate = { "all" }, state = {},
    },
  },
  ["corosync.quorum"] = {
    open = function(handler)
      return quorum.initialize({ quorum = handler, nodelist = handler })
    end,
    provoke = function(handle)
      for _ = 1, 10 do handle:trackstart("current") end
    end,
    calls = { getquorate = {}, trackstart = { "current" }, trackstop = {} },
  },
  ["corosync.votequorum"] = {
    open = function(handler)
      return votequorum.initialize({ quorum = handler, nodelist = handler,
        expectedvotes = handler })
    end,
    provoke = function(handle)
      for _ = 1, 10 do handle:trackstart("current") end
    end,
    calls = {
      getinfo = { 0 }, setvotes = { 1, 1 }, setexpected = { 1 }, trackstart = { "current" },
      trackstop = {}, qdevice_register = { "q" }, qdevice_unregister = { "q" },
      qdevice_update = { "q", "r" }, qdevice_poll = { "q", true, ring },
      qdevice_master_wins = { "q", true }, get_qdevice_extra_info = { 1 },
      set_qdevice_extra_info = { "x" },
    },
  },
  ["corosync.cmap"] = {
    open = function(handler)
      local handle = assert(cmap.initialize())
      assert(handle:track_add("finalizers.", { "add", "delete", "modify", "prefix" }, handler))
      return handle
    end,
    provoke = function(handle)
      for i = 1, 10 do assert(handle:set("finalizers.a", ("v"):rep(i * 50), "string")) end
    end,
    calls = {
      get = { "finalizers.a" }, set = { "finalizers.b", 1, "uint8" }, delete = { "finalizers.b" },
      inc = { "finalizers.b" }, dec = { "finalizers.b" }, iterate = { "finalizers." },
      track_add = { "finalizers.", { "add", "prefix" }, print }, track_delete = { 1 },
    },
  },
  ["corosync.cfg"] = {
    open = function(handler) return cfg.initialize({ shutdown = handler }) end,
    provoke = function(handle)
      assert(handle:trackstart())
      local map <close> = assert(cmap.initialize())
      local other <close> = assert(cfg.initialize())
      assert(map:set("cfg.shutdown_timeout", 1, "uint32"))
      for _ = 1, 3 do other:try_shutdown("request") end
    end,
    calls = {
      ring_status_get = {}, node_status_get = { 1 }, kill_node = { 99, "nobody" },
      trackstart = {}, trackstop = {}, try_shutdown = { "never" }, replyto_shutdown = { "no" },
      get_node_addrs = { 0 }, local_get = {}, reload_config = {}, reopen_log_files = {},
    },
  },
}

local common = { dispatch = { "all" }, pending = {}, fd_get = {}, finalize = {} }

describe("a finalizer", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 1 })) end)
  teardown(function() cluster:close() end)

  local function open(given, handler)
    return cluster[1]:enter(function()
      local handle = assert(given.open(handler))
      given.provoke(handle)
      return handle
    end)
  end

  local function call(handle, name, values)
    local method = handle[name]
    if method then method(handle, table.unpack(values)) end
  end

  -- Dispatches what there is. Behind the first handler the finalizers begin to
  -- run, and do something with the handle from the given one on.
  local function survive(given, moment, fn)
    local handled, ran = 0, 0
    local handle = open(given, function() handled = handled + 1 end)
    assert(support.readable(assert(handle:fd_get()), 5))
    storm.during(STORM, function()
      if handled == 0 then return end
      ran = ran + 1
      if ran >= moment then fn(handle, ran == moment) end
    end, function()
      pcall(handle.dispatch, handle, "all")
    end)
    handle:finalize()
    return handled
  end

  local function arguments_of(name, given, method)
    local values = given.calls[method] or common[method]
    if values then return values end
    assert.equal("corosync.cmap", name)
    return { "finalizers.a", method:find("string") and "v" or 1 }
  end

  for name, given in pairs(modules) do
    describe("of a script with a handle of " .. name, function()
      local methods = {}
      for method in pairs(thin.methods(name)) do methods[#methods + 1] = method end
      table.sort(methods)
      for _, method in ipairs(methods) do
        it("may call " .. method .. " while arguments are pushed", function()
          local values = arguments_of(name, given, method)
          assert.is_true(survive(given, 1, function(handle) call(handle, method, values) end) > 0)
        end)
      end

      it("may finalize it at any moment", function()
        for _, moment in ipairs(MOMENTS) do
          assert.is_true(survive(given, moment, function(handle) handle:finalize() end) > 0)
        end
      end)

      for _, mode in ipairs({ "one_nonblocking", "all" }) do
        it("may dispatch it by " .. mode .. " at any moment", function()
          for _, moment in ipairs(MOMENTS) do
            survive(given, moment, function(handle, first)
              if first then handle:dispatch(mode) end
            end)
          end
        end)
      end
    end)
  end

  it("sees each message of a group once, whoever dispatches", function()
    for round = 1, 10 do
      local got = {}
      local handle = cluster[1]:enter(function()
        return assert(cpg.initialize({ deliver = function(_, group, payload, from)
          assert.equal("once" .. round, group)
          assert.equal(1, from.nodeid)
          got[payload] = (got[payload] or 0) + 1
        end }))
      end)
      assert(handle:join("once" .. round))
      for i = 1, 50 do assert(handle:mcast_joined(("%d %s"):format(i, ("x"):rep(i * round)))) end
      assert(support.readable(assert(handle:fd_get()), 5))
      local function count()
        local n = 0
        for _, times in pairs(got) do
          assert.equal(1, times)
          n = n + 1
        end
        return n
      end
      local ran = 0
      storm.during(STORM, function()
        ran = ran + 1
        if next(got) and ran % 7 == 0 then handle:dispatch("one_nonblocking") end
      end, function()
        handle:dispatch("all")
      end)
      support.dispatch_until(handle, function() return count() == 50 end)
      handle:finalize()
    end
  end)

  it("may take and abandon the calls of a worker, and finalize their handles", function()
    local handles, done = {}, 0
    cluster[1]:enter(function()
      for i = 1, 30 do
        handles[i] = assert(cpg.initialize({}))
      end
    end)
    local running = {}
    for i, handle in ipairs(handles) do
      running[i] = worker.start(handle, "join", nil, function() done = done + 1 end, "worker" .. i)
    end
    local function take(got, ...)
      if got then got(...) end
      return got
    end
    local index = 0
    storm.during(STORM, function()
      index = index % #handles + 1
      if index % 3 == 0 then running[index]:abandon() end
      if index % 3 == 1 then handles[index]:finalize() end
      take(worker.take())
    end, function()
      support.readable(worker.fd(), 5)
      repeat until not take(worker.take())
    end)
    support.eventually(function()
      take(worker.take())
      return done >= 20
    end, 10)
    for _, handle in ipairs(handles) do handle:finalize() end
  end)

  it("makes a member that is the same as everybody's", function()
    local handle = cluster[1]:enter(function() return assert(cpg.initialize({})) end)
    assert(handle:join("members"))
    for _ = 1, 20 do
      local inner
      local outer
      storm.during(STORM, function()
        inner = inner or handle:membership_get()[1]
      end, function()
        outer = handle:membership_get()[1]
      end)
      assert.is_true(inner == nil or inner == outer)
    end
    handle:finalize()
  end)

  it("may add to a packer and flush it while that is done", function()
    local packer = packing.packer({ life = 7, max_frame = 4096 })
    local unpacker = packing.unpacker()
    local sent, got = 0, 0
    local function take(frame)
      if not frame then return end
      local payloads, why, _, gap = unpacker:read(1, frame)
      assert(payloads, why)
      assert.is_nil(gap)
      got = got + #payloads
    end
    local frames = {}
    local function add(text)
      if packer:add(text) then sent = sent + 1 end
    end
    local function flush()
      local frame, first = packer:flush(1, 1)
      if not frame then return end
      local entry = { first = first, bytes = frame } -- first, as it may run a finalizer
      frames[#frames + 1] = entry
    end
    for round = 1, 50 do
      local turn = 0
      storm.during(200, function()
        turn = turn + 1
        if turn % 3 == 0 then flush() else add(("f"):rep(turn % 300)) end
      end, function()
        for i = 1, 20 do
          add(("m"):rep(i * round))
          flush()
        end
      end)
    end
    flush()
    table.sort(frames, function(a, b) return a.first < b.first end)
    for _, frame in ipairs(frames) do take(frame.bytes) end
    assert.equal(sent, got)
  end)

  -- Frames of one message in pieces, and what reads it among finalizers that
  -- read, park and forget too.
  for _, what in ipairs({ "park", "forget", "read" }) do
    it("may " .. what .. " while a message is put together", function()
      local packer = packing.packer({ life = 3, max_frame = 256 })
      for round = 1, 50 do
        local payload = ("%d "):format(round):rep(400)
        local pieces = {}
        for frame in (packer:split(payload, 1, round)) do pieces[#pieces + 1] = frame end
        local unpacker = packing.unpacker({ max_message = 65536 })
        local at, whole = 0, {}
        local function read(bytes)
          local payloads = unpacker:read("m", bytes)
          if payloads then table.insert(whole, payloads[1]) end
        end
        local ran = storm.during(500, function()
          if at < #pieces - round % 2 then
            return -- the last piece, or the last but one, is where it happens
          elseif what == "read" then
            read(pieces[at])
          else
            unpacker[what](unpacker, "m")
          end
        end, function()
          for i, piece in ipairs(pieces) do
            at = i
            read(piece)
          end
        end)
        assert.is_true(ran > 0)
        for _, text in ipairs(whole) do assert.equal(payload, text) end
      end
    end)
  end
end)

describe("corolua.file among finalizers", function()
  -- To make a string of it may run a finalizer that closes the files.
  it("takes no number for the bytes of a write", function()
    local files <close> = assert(file.start())
    assert.error_matches(function() files:begin("write", print, 1, 0, 4711) end,
      "bytes must be a string, got number", 1, true)
  end)
end)
