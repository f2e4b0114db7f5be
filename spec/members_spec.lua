local cpg = require("corosync.cpg")
local lab = require("corolua.lab")
local rpc = require("corolua.rpc")
local support = require("spec.support")

describe("corosync.cpg.member", function()
  it("is one object for one process", function()
    local member = cpg.member(3, 4711)
    assert.equal(member, cpg.member(3, 4711))
    assert.equal("3/4711", tostring(member))
    assert.same({ 3, 4711 }, { member.nodeid, member.pid })
    assert.not_equal(member, cpg.member(3, 4712))
    assert.not_equal(member, cpg.member(4, 4711))
    assert.not_equal(cpg.member(1, 2), cpg.member(2, 1))
    assert.equal("4294967295/4294967295", tostring(cpg.member(0xffffffff, 0xffffffff)))
    support.raises("a member is read%-only", function() member.pid = 1 end)
  end)

  it("is forgotten when nobody has it, and made again", function()
    local kept = setmetatable({ cpg.member(9, 1) }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(kept[1])
    assert.equal("9/1", tostring(cpg.member(9, 1)))
  end)

  it("is the one that events tell of", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local room = cluster[1]:group("demo")
    assert(room:join())
    assert.equal(room.me, cpg.member(room.me.nodeid, room.me.pid))
    assert.equal(room.me, room.members[1])
  end)

  it("refuses what is no process", function()
    for pattern, arguments in pairs({
      ["nodeid must be an integer of 1 to 4294967295, got 0"] = { 0, 1 },
      ["nodeid must be an integer of 1 to 4294967295, got 4294967296"] = { 1 << 32, 1 },
      ["nodeid must be an integer of 1 to 4294967295, got no value"] = {},
      ["pid must be an integer of 1 to 4294967295, got %-1"] = { 1, -1 },
      ["pid must be an integer of 1 to 4294967295, got x"] = { 1, "x" },
      ["pid must be an integer of 1 to 4294967295, got 1.5"] = { 1, 1.5 },
    }) do
      support.raises(pattern, function() cpg.member(table.unpack(arguments)) end)
    end
  end)
end)

describe("corosync.cpg.is_member", function()
  it("tells a member from all else", function()
    assert.is_true(cpg.is_member(cpg.member(1, 2)))
    local claims = setmetatable({}, { __tostring = function() return "1/2" end })
    for _, value in ipairs({ "1/2", 12, true, print, claims, io.stdout, coroutine.create(print),
      cpg.prepare({}) }) do
      assert.is_false(cpg.is_member(value))
    end
    assert.is_false(cpg.is_member(nil))
    support.raises("bad argument #1 to 'is_member' %(value expected%)",
      function() cpg.is_member() end)
  end)

  -- What prints as a member is none.
  it("decides who an rpc call may be for", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local service = rpc.open(cluster[1]:group("calls"), { answer = function() return 42 end })
    finally(function() service:close() end)
    local me = service.group.me
    local results = assert(service:call("answer", nil, { to = cpg.member(me.nodeid, me.pid) }))
    assert.equal(42, results)
    local claims = setmetatable({}, { __tostring = function() return "1/2" end })
    support.raises("call: option 'to'%[1%] must be a member, got 1/2",
      function() service:call("answer", nil, { to = { claims } }) end)
  end)
end)
