-- Waiting for so many members of a group, with a daemon that the spec plays: each
-- moment is chosen.
local corolua = require("corolua")
local fake = require("spec.support.fake")

local comes, raises = require("spec.support").comes, require("spec.support").raises

describe("room:wait_members", function()
  local daemon, room
  local others = { { nodeid = 2, pid = 200 }, { nodeid = 3, pid = 300 } }

  setup(fake.install)
  teardown(fake.restore)

  before_each(function()
    daemon = fake.daemon()
    room = daemon:group("tea")
    assert(room:join({ timeout = 5 }))
  end)

  after_each(function()
    if room:stats().state ~= "left" then assert(room:leave()) end
  end)

  local function join(...)
    local joined = {}
    for i, member in ipairs({ ... }) do joined[i] = { member = member, reason = "join" } end
    daemon:change({ ... }, {}, joined)
  end

  -- A task that waits, and has begun to.
  local function waiting(n, timeout)
    local task = corolua.spawn(function() return table.pack(room:wait_members(n, timeout)) end)
    corolua.sleep(0)
    return task
  end

  local function result(task)
    local found = task:wait(5)
    return table.unpack(found, 1, found.n)
  end

  it("returns at once where there are so many, with true and nothing behind it", function()
    assert.same({ true, n = 1 }, table.pack(room:wait_members(1, 0)))
  end)

  it("waits until others have joined", function()
    local task = waiting(3, 5)
    join(others[1])
    comes(function() return #room.members == 2 end)
    assert.is_false(task:is_done())
    join(others[1], others[2])
    assert.is_true(result(task))
  end)

  it("waits until others have left", function()
    join(others[1], others[2])
    comes(function() return #room.members == 3 end)
    local task = waiting(1, 5)
    daemon:change({}, { { member = others[1], reason = "leave" },
      { member = others[2], reason = "leave" } })
    assert.is_true(result(task))
  end)

  it("sees a view that another one follows before any task runs", function()
    local task = waiting(2, 5)
    join(others[1])
    daemon:change({}, { { member = others[1], reason = "leave" } })
    assert.is_true(result(task))
    assert.equal(1, #room.members)
  end)

  it("says how many there are when the time is over", function()
    assert.same({ nil, "there are 1 members, and not 2, after 0.01 s", "ERR_TIMEOUT", n = 3 },
      table.pack(room:wait_members(2, 0.01)))
  end)

  it("is not satisfied by the view of a daemon that is gone, and goes on with the next", function()
    join(others[1])
    comes(function() return #room.members == 2 end)
    daemon.is_gone = true
    daemon:die()
    comes(function() return room:stats().state == "down" end)
    local task = waiting(2, 5)
    assert.is_false(task:is_done())
    daemon.is_gone = false
    comes(function() return room:stats().state == "joined" end)
    join(others[1])
    assert.is_true(result(task))
  end)

  it("ends where the group is left", function()
    local task = waiting(2, 5)
    assert(room:leave())
    assert.same({ nil, "the group has been left", "ERR_NOT_EXIST" }, { result(task) })
  end)

  it("ends where the group gives up", function()
    assert(room:leave())
    room = daemon:group("tea", { reconnect = false })
    assert(room:join())
    local task = waiting(2, 5)
    daemon:die()
    assert.same({ nil, "the group has been left", "ERR_NOT_EXIST" }, { result(task) })
  end)

  it("waits for nothing where the group is not joined", function()
    assert(room:leave())
    local never = { nil, "the group is not joined", "ERR_NOT_EXIST" }
    assert.same(never, { room:wait_members(1) })
    assert.same(never, { daemon:group("coffee"):wait_members(1) })
  end)

  it("may be begun while another task joins", function()
    assert(room:leave())
    daemon:freeze()
    local joining = corolua.spawn(function() return room:join() end)
    corolua.sleep(0)
    local task = waiting(1, 5)
    daemon:thaw()
    assert.is_true((joining:wait(5)))
    assert.is_true(result(task))
  end)

  it("is refused in a handler of the group, where no view comes", function()
    local problem
    function room.on.message()
      problem = select(2, pcall(room.wait_members, room, 2))
    end
    daemon:deliver("hello", others[1])
    comes(function() return problem end)
    assert.equal("wait_members: a handler of the group would wait for itself", problem)
  end)

  it("refuses what is no number of members, and no time", function()
    for _, n in ipairs({ 0, -1, 1.5, "2", false }) do
      raises("wait_members: how many must be an integer of 1 or more, got ",
        function() room:wait_members(n) end)
    end
    raises("wait_members: how many must be an integer of 1 or more, got nil",
      function() room:wait_members() end)
    raises("wait_members: .*, got %-1", function() room:wait_members(2, -1) end)
  end)
end)
