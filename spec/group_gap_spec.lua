-- What a packed group tells of messages of a member that were not delivered here,
-- whatever the daemon says of that member meanwhile.
local fake = require("spec.support.fake")
local packing = require("corolua.packing")

local comes = require("spec.support").comes

describe("a gap of a packed group", function()
  local daemon, room, told, other, packer

  setup(fake.install)
  teardown(fake.restore)

  before_each(function()
    daemon, told = fake.daemon(), {}
    other, packer = { nodeid = 5, pid = 500 }, packing.packer({ life = 7 })
    room = daemon:group("tea", { packed = true })
    function room.on.message(payload) table.insert(told, payload) end
    function room.on.gap(member, first, last)
      table.insert(told, ("%d: %d to %d"):format(member.nodeid, first, last))
    end
    assert(room:join())
  end)

  after_each(function() assert(room:leave()) end)

  local function left(reason) return { { member = other, reason = reason } } end
  local joined = left

  -- The other member sends; `is_lost` where the daemon does not deliver it here.
  local function say(payload, is_lost)
    packer:add(payload)
    local frame = packer:flush(1, daemon.seq)
    if not is_lost then daemon:deliver(frame, other) end
  end

  local function say_after(change)
    daemon:change({ other }, nil, joined("join"))
    say("1")
    change()
    say("4")
    comes(function() return told[#told] == "4" end)
    return told
  end

  local function lose()
    say("2", true)
    say("3", true)
  end

  local function part(reason) daemon:change({}, left(reason)) end

  -- A ring in which the daemon names the member again.
  local function come_back()
    daemon:change({ other }, nil, joined("nodeup"))
    daemon:form_ring()
  end

  local TOLD = { "1", "5: 2 to 3", "4" }

  it("is told where the member was out of reach", function()
    assert.same(TOLD, say_after(function()
      part("nodedown")
      daemon:form_ring()
      lose()
      come_back()
    end))
  end)

  it("is told where the member left and came in one ring", function()
    assert.same(TOLD, say_after(function()
      lose()
      part("nodedown")
      come_back()
    end))
  end)

  it("is told where the daemon took the member for gone at a merge", function()
    assert.same(TOLD, say_after(function()
      part("nodedown")
      daemon:change({ other }, nil, joined("nodeup"))
      part("procdown")
      daemon:form_ring()
      lose()
      come_back()
    end))
  end)

  it("is told where the daemon took the member for gone and nothing else", function()
    assert.same(TOLD, say_after(function()
      part("procdown")
      daemon:form_ring()
      lose()
      come_back()
    end))
  end)

  for _, reason in ipairs({ "leave", "procdown", "nodedown" }) do
    it(("is none where the member has joined anew, after %s"):format(reason), function()
      assert.same({ "1", "4" }, say_after(function()
        part(reason)
        lose()
        packer = packing.packer({ life = 8 })
        daemon:change({ other }, nil, joined("join"))
      end))
    end)
  end

  it("is none where the member left and joined in a step that nobody saw", function()
    assert.same({ "1", "4" }, say_after(function()
      lose()
      packer = packing.packer({ life = 8 })
      daemon:form_ring()
    end))
  end)

  it("is told of the members that went last, and of those that stay", function()
    local MANY = 1200
    daemon:change({ other }, nil, joined("join"))
    say("1")
    daemon:change({}, left("procdown"))
    daemon:change({ other }, nil, joined("nodeup"))
    for n = 1, MANY do
      daemon:change({ other }, { { member = { nodeid = 6, pid = n }, reason = "procdown" } })
    end
    lose()
    say("4")
    comes(function() return told[#told] == "4" end)
    assert.same(TOLD, told)
    assert.is_true(#room.connection.parked < MANY)
  end)
end)
