local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

describe("a group without a quorum provider", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 3, provider = "none" }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("counts everything as quorate, and says that there is no fence", function()
    local room = cluster[1]:group("free")
    local told = {}
    function room.on.quorum(state)
      table.insert(told, { state.quorate, state.changed, #state.nodes, #state.left, #state.joined })
    end
    assert(room:join())
    assert.is_false(room:stats().fenced)
    assert.is_true(cluster[1]:quorum().quorate)
    assert(cluster:isolate(1))
    assert(corolua.wait(function() return #told == 2 end, 10))
    assert.is_true(room.view.quorate)
    assert(room:send("alone"))
    assert.equal("alone", (room:next("message", 5)))
    assert(cluster:settle())
    assert(cluster:heal())
    assert(cluster:settle())
    assert.is_true(room.view.quorate)
    assert.same({ true, true, 3, 0, 0 }, told[1])
    assert.same({ true, false, 1, 2, 0 }, told[2])
    assert.equal(3, told[#told][3])
    assert.is_nil((room:next("inquorate", 0)))
    assert(room:leave())
  end)
end)

describe("a group with a quorum provider", function()
  it("says that there is a fence", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local room = cluster[1]:group("fenced")
    assert(room:join())
    assert.is_true(room:stats().fenced)
    assert(room:leave())
  end)
end)

-- The device of one node: configured while corosync runs, and played by a
-- handle that answers for it in each ring.
local function play_device(node)
  local device = { casts = true }
  local map = assert(node:thin("cmap"))
  assert(map:set("quorum.device.model", "net", "string"))
  assert(map:set("quorum.device.votes", 1, "uint32"))
  local handle
  function device.poll(ring)
    device.ring = ring
    return handle:qdevice_poll("device", device.casts, ring)
  end
  handle = assert(node:thin("votequorum", { nodelist = function(_, ring) device.poll(ring) end }))
  support.follow(node, handle)
  assert(handle:trackstart("changes"))
  assert(handle:qdevice_register("device"))
  return device
end

describe("a group beside a quorum device", function()
  local cluster

  setup(function()
    cluster = assert(lab.start({ nodes = 2 }))
  end)

  teardown(function()
    cluster:close()
  end)

  it("follows what the device's vote decides", function()
    local device = play_device(cluster[1])
    local rooms = { cluster[1]:group("device"), cluster[2]:group("device") }
    for _, room in ipairs(rooms) do assert(room:join()) end
    assert(device.poll(cluster[1]:quorum().ring))
    assert(cluster:isolate(1))
    assert(corolua.wait(function()
      return #rooms[1].view.members == 1 and #rooms[2].view.members == 1
    end, 10))
    assert.is_true(rooms[1].view.quorate)
    assert.is_false(rooms[2].view.quorate)
    assert(rooms[1]:send("with the device"))
    assert.equal("ERR_NOT_QUORATE", (select(3, rooms[2]:send("without"))))
    device.casts = false
    assert(device.poll(device.ring))
    assert(corolua.wait(function() return not rooms[1].view.quorate end, 10))
    assert.equal("ERR_NOT_QUORATE", (select(3, rooms[1]:send("without"))))
    device.casts = true
    assert(device.poll(device.ring))
    assert(corolua.wait(function() return rooms[1].view.quorate end, 10))
    assert(rooms[1]:send("with it again"))
  end)
end)
