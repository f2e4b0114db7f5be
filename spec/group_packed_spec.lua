local corolua = require("corolua")
local lab = require("corolua.lab")

local eventually = require("spec.support").comes

describe("a packed group", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3 }))
  end)

  teardown(function()
    cluster:close()
  end)

  local told -- by group, what it was told

  before_each(function() told = {} end)

  -- Two members on two nodes.
  local function pair(name, options)
    local rooms = {}
    for i = 1, 2 do
      local room = cluster[i]:group(name, options)
      told[room] = {}
      room.on.message = function(payload, from, info)
        table.insert(told[room], { payload, from, info })
      end
      assert(room:join())
      rooms[i] = room
    end
    eventually(function() return #rooms[1].members == 2 end)
    return rooms[1], rooms[2]
  end

  local function payloads(room)
    local list = {}
    for i, message in ipairs(told[room]) do list[i] = message[1] end
    return list
  end

  it("delivers many messages in order, with the ring they were sent in", function()
    local a, b = pair("many", { packed = true })
    for n = 1, 20000 do assert(a:send(tostring(n))) end
    eventually(function() return #told[b] == 20000 and #told[a] == 20000 end)
    for n = 1, 20000 do
      assert.equal(tostring(n), told[b][n][1])
      assert.equal(told[b][n][3].ring, told[b][n][3].sent_in)
    end
    assert.equal(a.me, told[b][1][2])
    assert(a:leave())
    assert(b:leave())
  end)

  it("may be closed in the turn in which something was sent", function()
    local other <close> = assert(lab.start({ nodes = 1 }))
    local room = other[1]:group("closing", { packed = true })
    assert(room:join())
    assert(room:send("last words"))
    other:close()
    assert.is_true(corolua.sleep(0.01))
  end)

  it("sends as one message of CPG what is sent in one turn", function()
    local a, b = pair("turn", { packed = true })
    for n = 1, 100 do assert(a:send(tostring(n))) end
    assert.equal(1, a:stats().in_flight)
    eventually(function() return #told[b] == 100 end)
    assert(a:leave())
    assert(b:leave())
  end)

  it("holds its senders back when the window is full of frames", function()
    local a, b = pair("full", { packed = true, window = 2 })
    local payload = ("x"):rep(30000)
    local full = 0
    for _ = 1, 100 do
      while not a:try_send(payload) do
        full = full + 1
        assert(corolua.sleep(0.0005))
      end
    end
    assert.is_true(full > 0)
    eventually(function() return #told[b] == 100 end)
    assert(a:leave())
    assert(b:leave())
  end)

  -- A member that sends whatever it likes.
  local function stranger(node, name)
    local handle = assert(cluster[node]:thin("cpg"))
    assert(handle:join(name))
    return handle
  end

  it("reports what is no frame as malformed, and goes on", function()
    local room = cluster[2]:group("malformed", { packed = true })
    assert(room:join())
    local handle = stranger(1, "malformed")
    assert(handle:mcast_joined("no frame"))
    local bytes, from, why = room:next("malformed", 5)
    assert.same({ "no frame", 1, "string" }, { bytes, from.nodeid, type(why) })
    assert(room:send("x"))
    assert.equal("x", (room:next("message", 5)))
    handle:finalize()
    assert(room:leave())
  end)

  it("refuses a message over the limit, and names it", function()
    local room = cluster[1]:group("limit", { packed = true })
    assert(room:join())
    assert.error_matches(function() room:send(("x"):rep(1047517)) end,
      "1047517 bytes is over the limit of 1047516 bytes %(see fragment%)")
    assert(room:leave())
  end)

  it("sends a message in fragments while others send", function()
    local a, b = pair("fragments", { packed = true, fragment = true, window = 8 })
    local long = {}
    for i = 1, 2 ^ 20 do long[i] = string.pack("<I4", i) end
    long = table.concat(long)
    assert.equal(4 * 2 ^ 20, #long)
    corolua.spawn(function() assert(a:send(long)) assert(a:send("behind")) end)
    for n = 1, 20 do assert(b:send(tostring(n))) end
    eventually(function() return #told[b] == 22 and #told[a] == 22 end)
    local seen = {}
    for _, payload in ipairs(payloads(b)) do
      if #payload > 2 then table.insert(seen, payload == long and "long" or payload) end
    end
    assert.same({ "long", "behind" }, seen)
    assert.error_matches(function() a:send(("x"):rep(16 * 2 ^ 20 + 1)) end, "max_message")
    assert(a:leave())
    assert(b:leave())
  end)

  it("goes on when a member joins in the middle of a message", function()
    local a, b = pair("middle", { packed = true, fragment = true, window = 1 })
    local long = ("x"):rep(8 * 2 ^ 20)
    local confirm, back = a.window.confirm, 0
    function a.window:confirm(count)
      back = back + count
      confirm(self, count)
    end
    local sending = corolua.spawn(function()
      assert(a:send(long))
      assert(a:send("behind"))
    end)
    eventually(function() return back > 2 end)
    local late = cluster[3]:group("middle", { packed = true, fragment = true })
    assert(late:join())
    assert.equal(0, #told[b])
    sending:wait()
    assert.is_true("behind" == late:next("message", 5))
    assert.is_nil((late:next("malformed", 0)))
    eventually(function() return #told[b] == 2 end)
    assert.is_true(long == payloads(b)[1] and "behind" == payloads(b)[2])
    for _, room in ipairs({ a, b, late }) do assert(room:leave()) end
  end)

  it("tells of numbers that are missing", function()
    local room = cluster[1]:group("gap", { packed = true })
    assert(room:join())
    local handle = stranger(2, "gap")
    local packer = require("corolua.packing").packer({ life = 7 })
    local ring = room.view.ring
    for n = 1, 5 do
      packer:add(tostring(n))
      local frame = packer:flush(ring.nodeid, ring.seq)
      if n == 1 or n == 5 then assert(handle:mcast_joined(frame)) end
    end
    assert.equal("1", (room:next("message", 5)))
    assert.equal("5", (room:next("message", 5)))
    local from, first, last = room:next("gap", 5)
    assert.same({ 2, 2, 4 }, { from.nodeid, first, last })
    handle:finalize()
    assert(room:leave())
  end)

  it("starts its numbers anew with each join", function()
    local a, b = pair("anew", { packed = true })
    for _ = 1, 3 do
      assert(a:send("x"))
      assert(a:leave())
      assert(a:join())
    end
    assert(a:send("y"))
    eventually(function() return #told[b] == 4 end)
    assert.is_nil((b:next("gap", 0)))
    assert(a:leave())
    assert(b:leave())
  end)
end)

describe("codec", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
  end)

  teardown(function()
    cluster:close()
  end)

  for _, packed in ipairs({ false, true }) do
    local how = packed and "packed" or "raw"

    it("json sends and receives tables, " .. how, function()
      local room = cluster[1]:group("json" .. how, { codec = "json", packed = packed })
      assert(room:join())
      assert(room:send({ a = { 1, 2, "x" }, b = true }))
      assert.same({ a = { 1, 2, "x" }, b = true }, (room:next("message", 5)))
      assert.error(function() room:send({ f = print }) end)
      assert(room:leave())
    end)

    it("of the script's own may refuse at both ends, " .. how, function()
      local room = cluster[1]:group("own" .. how, { packed = packed, codec = {
        encode = function(value) return assert(tostring(value)) end,
        decode = function(bytes) return tonumber(bytes), "no number" end,
      } })
      assert(room:join())
      assert(room:send(12))
      assert(room:send("twelve"))
      assert.equal(12, (room:next("message", 5)))
      local bytes, from, why = room:next("malformed", 5)
      assert.same({ "twelve", room.me, "no number" }, { bytes, from, why })
      assert(room:leave())
    end)
  end
end)
