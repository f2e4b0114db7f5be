-- A group on every running node of a lab.
local corolua = require("corolua")
local lab = require("corolua.lab")
local support = require("spec.support")

local raises = support.raises

describe("cluster:groups", function()
  local cluster

  setup(function() cluster = assert(lab.start({ nodes = 3 })) end)
  teardown(function() cluster:close() end)

  local function leave(rooms)
    for _, room in pairs(rooms) do assert(room:leave()) end
  end

  it("joins on every node, and returns when each sees all", function()
    local rooms = assert(cluster:groups("tea"))
    assert.equal(3, #rooms)
    for id, room in ipairs(rooms) do
      assert.same({ id, 3, "joined" }, { room.me.nodeid, #room.members, room:stats().state })
    end
    leave(rooms)
  end)

  it("returns the array, and nothing behind it", function()
    local found = table.pack(cluster:groups("tea"))
    assert.equal(1, found.n)
    leave(found[1])
  end)

  it("gives each group the options", function()
    local rooms = assert(cluster:groups("tea", { packed = true, codec = "json", timeout = 30 }))
    assert(rooms[1]:send({ 1, 2 }))
    assert.same({ 1, 2 }, (rooms[3]:next("message", 30)))
    leave(rooms)
  end)

  it("leaves out nodes that do not run", function()
    assert(cluster[2]:stop())
    assert(cluster:settle())
    local rooms = assert(cluster:groups("tea"))
    assert.same({ 1, nil, 3 }, { rooms[1].me.nodeid, rooms[2], rooms[3].me.nodeid })
    assert.equal(2, #rooms[1].members)
    leave(rooms)
    assert(cluster[2]:start())
    assert(cluster:settle())
  end)

  it("says who does not see all, and leaves none of them joined", function()
    assert(cluster:partition({ { 1 }, { 2, 3 } }))
    assert(cluster:settle())
    local rooms, message, code = cluster:groups("tea", { timeout = 1 })
    assert.same({ nil, "ERR_TIMEOUT" }, { rooms, code })
    assert.equal("node 1: it sees 1 members, and not all 3 that have joined, after 1 s", message)
    assert(cluster:heal())
    assert(cluster:settle())
    local alone = cluster[1]:group("tea")
    assert(alone:join())
    assert.equal(1, #alone.members, "all have left")
    assert(alone:leave())
  end)

  it("says why one could not join, and leaves the others", function()
    local failing = cluster[2]:group("coffee")
    local mt = getmetatable(failing)
    local join = mt.__index.join
    mt.__index.join = function(room, given)
      if room.name == "coffee" and tostring(room.place.key) == "node 2" then
        return nil, "no daemon", "ERR_LIBRARY"
      end
      return join(room, given)
    end
    local rooms, message, code = cluster:groups("coffee")
    mt.__index.join = join
    assert.same({ nil, "node 2: no daemon", "ERR_LIBRARY" }, { rooms, message, code })
    local alone <close> = cluster[3]:group("coffee")
    assert(alone:join())
    assert.equal(1, #alone.members)
  end)

  it("raises where a group of the name is joined, and leaves the others", function()
    local mine = cluster[2]:group("tea")
    assert(mine:join())
    raises("groups: group 'tea' is joined already on this node by this program$",
      function() cluster:groups("tea") end)
    assert.is_true(mine:wait_members(1, 30))
    assert(mine:leave())
  end)

  it("refuses what groups refuse, and a time that is none, before it joins any", function()
    raises("unknown option 'pakced', did you mean 'packed'%?",
      function() cluster:groups("tea", { pakced = true }) end)
    raises("a group's name must be a string, got nil", function() cluster:groups() end)
    raises("groups: .*, got %-1", function() cluster:groups("tea", { timeout = -1 }) end)
    raises("groups: .*, got ", function() cluster:groups("tea", { timeout = false }) end)
    raises("a table of options was expected, got ", function() cluster:groups("tea", 3) end)
  end)

  it("ends with the program, which leaves what has joined", function()
    local result = assert(corolua.exec(support.program, { "-e", [[
      local corolua, lab = require("corolua"), require("corolua.lab")
      local cluster <close> = assert(lab.start({ nodes = 2 }))
      assert(cluster:partition({ { 1 }, { 2 } }))
      assert(cluster:settle())
      corolua.after(0.2, corolua.stop)
      print(cluster:groups("tea", { timeout = 60 }))
    ]] }, { timeout = 60 }))
    assert.same({ 0, "nil\tnode 1: stopping\tERR_INTERRUPT\n" }, { result.status, result.output })
  end)

  it("joins nothing where no node runs, nor once the cluster is closed", function()
    local other = assert(lab.start({ nodes = 1 }))
    assert(other[1]:stop())
    assert.same({ nil, "no node runs", "ERR_NOT_EXIST" }, { other:groups("tea") })
    other:close()
    raises("groups: the cluster is closed", function() other:groups("tea") end)
  end)
end)
