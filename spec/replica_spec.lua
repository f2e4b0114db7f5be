-- Not sanitized: Lua above groups and journals, whose specs reach the same C.
-- corolua.replica: one order, on disk or not, on one node and on three.
local corolua = require("corolua")
local lab = require("corolua.lab")
local lfs = require("lfs")
local replica = require("corolua.replica")
local replicas = require("spec.support.replicas")
local support = require("spec.support")

local FORM = { packed = true, fragment = true }

local eventually = support.comes

local function add(state, amount)
  state.sum = (state.sum or 0) + tonumber(amount)
  return state.sum
end

local function sum(state) return state.sum end

describe("replica", function()
  local on = replicas.new()
  local cluster

  setup(function()
    on.start(3)
    cluster = on.cluster
  end)
  teardown(function() on.stop() end)

  local function open(node, name, options)
    return assert(replica.open(cluster[node]:group(name, FORM), options))
  end

  describe(".open", function()
    local function refuses(pattern, options, group)
      support.raises(pattern, function()
        replica.open(group or cluster[1]:group("bad", FORM), options)
      end)
    end

    it("raises for bad options", function()
      refuses("replica.open: option 'apply' must be a function, got nil", nil)
      refuses("replica.open: a table of options was expected, got 7", 7)
      refuses("option 'apply' must be a function, got nil", {})
      refuses("unknown option 'aply', did you mean 'apply'?", { aply = add })
      refuses("option 'restore' must be a function, got nil",
        { apply = add, snapshot = tostring })
      refuses("option 'dir' must be the path of a folder, got 7", { apply = add, dir = 7 })
      refuses("\"majority\", \"all\", got \"mosst\"", { apply = add, durable = "mosst" })
      refuses("option 'durable' = \"all\" needs the option 'dir'", { apply = add, durable = "all" })
      refuses("option 'snapshot_after' must be an integer of 1 or more, got 0",
        { apply = add, snapshot_after = 0 })
      refuses("option 'initial': snapshot cannot take it: .*is a function",
        { apply = add, initial = { print } })
      refuses("option 'codec' must be", { apply = add, codec = "xml" })
      refuses("what option 'snapshot' returns must be a string, got a table",
        { apply = add, snapshot = function(state) return state end, restore = tostring })
    end)

    it("raises for a group of another form", function()
      local cases = {
        { {}, "packed = true" }, { { packed = true }, "fragment = true" },
        { { packed = true, fragment = true, codec = "json" }, "codec = \"string\"" },
        { { packed = true, fragment = true, quorum = "ignore" }, "quorum = \"required\"" },
      }
      for _, case in ipairs(cases) do
        refuses("group 'bad' must have been made with " .. case[2], { apply = add },
          cluster[1]:group("bad", case[1]))
      end
      refuses("a group or its name was expected, got number", { apply = add }, 7)
    end)

    it("says ERR_LIBRARY where no daemon runs, and lets the folder go", function()
      local dir = on.folder()
      for _ = 1, 2 do
        local opened, _, code = replica.open("nobody", { apply = add, dir = dir })
        assert.is_nil(opened)
        assert.equal("ERR_LIBRARY", code)
      end
    end)

    it("says ERR_BUSY for a folder in use", function()
      local dir = on.folder()
      local one <close> = open(1, "busy", { apply = add, dir = dir, durable = "written" })
      local other, message, code = replica.open(cluster[2]:group("busy", FORM),
        { apply = add, dir = dir })
      assert.is_nil(other)
      assert.matches("in use", message)
      assert.equal("ERR_BUSY", code)
      assert.equal(7, one:submit("7"))
    end)

    it("makes the folder, and those above it", function()
      local dir = on.folder() .. "/a/b"
      local one <close> = open(1, "makes", { apply = add, dir = dir, durable = "written" })
      assert.equal(1, one:submit("1"))
      assert.equal("directory", lfs.attributes(dir, "mode"))
    end)

    it("calls no handler before the task waits again", function()
      local one <close> = open(1, "quiet", { apply = add })
      eventually(function() return one:status().state == "synced" end)
      local told = {}
      function one.on.synced(status) table.insert(told, status.state) end
      assert.same({}, told)
      local other <close> = open(2, "quiet", { apply = add })
      function other.on.synced(status) table.insert(told, status.state) end
      eventually(function() return #told == 1 end)
      assert.same({ "synced" }, told)
    end)

    it("raises for an unknown event", function()
      local one <close> = open(1, "events", { apply = add })
      support.raises("unknown event 'sync', did you mean 'synced'?", function()
        one.on.sync = print
      end)
    end)
  end)

  describe(":submit", function()
    for _, durable in ipairs({ "delivered", "written", "majority", "all" }) do
      it("applies everywhere in one order, " .. durable, function()
        local list, logs = {}, {}
        for node = 1, 3 do
          logs[node] = {}
          list[node] = open(node, "order-" .. durable, {
            durable = durable, dir = on.folder(),
            apply = function(state, command)
              table.insert(logs[node], command)
              return add(state, 1)
            end,
          })
        end
        local results, tasks = {}, {}
        for node = 1, 3 do
          for n = 1, 50 do
            table.insert(tasks, corolua.spawn(function()
              results[assert(list[node]:submit(node .. ":" .. n))] = true
            end))
          end
        end
        for _, task in ipairs(tasks) do task:wait() end
        assert.equal(150, #results)
        eventually(function() return #logs[1] + #logs[2] + #logs[3] == 450 end)
        assert.same(logs[1], logs[2])
        assert.same(logs[1], logs[3])
        for node = 1, 3 do assert(list[node]:leave()) end
      end)
    end

    it("gives apply what there is to say of a command", function()
      local metas, rings, one = {}, {}, nil
      one = open(1, "meta", {
        apply = function(_, _, meta)
          table.insert(metas, meta)
          table.insert(rings, one.room.view.ring)
        end,
      })
      assert(one:submit("x") == nil and one:submit("y") == nil)
      local me = one.room.me
      for i = 1, 2 do
        local index = metas[i].index
        assert.same({ index = index, seq = rings[i].seq, nodeid = 1, pid = me.pid }, metas[i])
      end
      assert.is_true(1 < metas[1].index and metas[1].index < metas[2].index)
      assert.equal(2, #metas)
      assert(one:leave())
    end)

    it("takes tables with a codec, and long commands", function()
      local one <close> = open(1, "codec", {
        codec = "json",
        apply = function(state, command)
          state.text = command.text
          return #state.text
        end,
      })
      local other <close> = open(2, "codec", {
        codec = "json", apply = function(state, command) state.text = command.text end,
      })
      assert.equal(3000000, one:submit({ text = ("x"):rep(3000000) }))
      eventually(function()
        return other:read(function(state) return #(state.text or "") == 3000000 end)
      end)
    end)

    it("raises for what it cannot send", function()
      local one <close> = open(1, "wrong", { apply = add })
      support.raises("submit: a command must be a string, got table", function() one:submit({}) end)
      support.raises("submit: a command of 16777217 bytes is over the limit of", function()
        one:submit(("x"):rep(16777217))
      end)
      support.raises("unknown option .time.", function()
        one:submit("1", { time = 1 })
      end)
      support.raises("read: a function was expected, got nil", function() one:read() end)
    end)

    it("returns nil where apply returns nothing", function()
      local one <close> = open(1, "nothing", { apply = function() end })
      assert.same({ n = 1 }, table.pack(one:submit("x")))
    end)

    it("waits for a majority of the votes, and not for one of those who are there", function()
      local one <close> = open(1, "lonely", { apply = add, dir = on.folder() })
      local _, message, code = one:submit("1", { timeout = 0.3 })
      assert.equal("ERR_TRY_AGAIN", code)
      assert.matches("not in sync", message)
      assert.equal("syncing", one:status().state)
      local other <close> = open(2, "lonely", { apply = add, dir = on.folder() })
      assert.equal(2, one:submit("2"))
      assert.equal(5, other:submit("3"))
    end)
  end)

  it("ends the run where apply raises", function()
    local dir = on.folder()
    local source = ([[
      local one = assert(require("corolua.replica").open("raises", {
        dir = %q, durable = "written", apply = function(state, command) state[command].x = 1 end,
      }))
      print("opened")
      one:submit("no such key")
    ]]):format(dir)
    local result = assert(cluster[1]:tool(support.program, "-e", source))
    assert.equal(1, result.status)
    assert.matches("opened.*handler of 'message'.*field '%?'", result.output)
  end)

  describe(":read", function()
    it("reads the local copy without quorum", function()
      local list = {}
      for node = 1, 3 do
        list[node] = open(node, "read", { apply = add, initial = { sum = 10 } })
      end
      assert.equal(11, list[1]:submit("1"))
      eventually(function() return list[3]:read(sum) == 11 end)
      local third = list[3].member -- what is not proven here is taken back
      eventually(function()
        return third.phase == "synced" and third.commit.proven == third.machine.last
      end)
      assert(cluster:isolate(3))
      eventually(function() return list[3]:status().state == "inquorate" end)
      eventually(function()
        local status = list[1]:status()
        return status.state == "synced" and #status.members == 2
      end)
      local _, _, code = list[3]:submit("1")
      assert.equal("ERR_NOT_QUORATE", code)
      assert.equal(11, list[3]:read(sum))
      assert.equal(13, list[1]:submit("2"))
      assert.equal(11, list[3]:read(sum))
      assert(cluster:heal())
      eventually(function() return list[3]:read(sum) == 13 end)
      for node = 1, 3 do assert(list[node]:leave()) end
      assert(cluster:settle())
    end)

    it("starts each open with a copy of initial", function()
      local initial = { sum = 1, list = {} }
      for _ = 1, 2 do
        local one <close> = open(1, "initial", {
          initial = initial,
          apply = function(state)
            table.insert(state.list, 1)
            return #state.list
          end,
        })
        assert.equal(1, one:submit("x"))
      end
      assert.same({ sum = 1, list = {} }, initial)
    end)
  end)

  describe("with a dir", function()
    it("has everything after it was closed and opened", function()
      local dir = on.folder()
      for round = 1, 3 do
        local one <close> = open(1, "again", {
          dir = dir, durable = "written", apply = add,
        })
        for _ = 1, 10 do assert(one:submit("1")) end
        assert.equal(10 * round, one:read(sum))
      end
    end)

    it("keeps the log short by snapshots, and has the same state after", function()
      local dir = on.folder()
      local options = { dir = dir, durable = "written", apply = add, snapshot_after = 2000 }
      local one = open(1, "short", options)
      for _ = 1, 200 do assert(one:submit("1")) end
      eventually(function() return one.member.journal.base.index > 0 end)
      assert(one:leave())
      one = open(1, "short", options)
      assert.equal(200, one:read(sum))
      assert.equal(201, one:submit("1"))
      assert(one:leave())
    end)
  end)

  describe(":leave", function()
    it("ends waiting commands and all later ones", function()
      local one = open(1, "leaves", { apply = add, dir = on.folder() })
      local outcome
      corolua.spawn(function() outcome = table.pack(one:submit("1")) end)
      eventually(function() return next(one.member.waiting) end)
      assert(one:leave())
      eventually(function() return outcome end)
      assert.same({ nil, "the replica has been closed", "ERR_NOT_EXIST", "never", n = 4 }, outcome)
      assert.equal("ERR_NOT_EXIST", (select(3, one:submit("2"))))
      assert.equal("ERR_NOT_EXIST", (select(3, one:leave())))
      assert.equal("closed", one:status().state)
      assert.is_nil(one:read(sum))
    end)
  end)
end)

describe("replica without the others", function()
  it("runs on one node, and is closed with its cluster", function()
    local cluster = assert(lab.start({ nodes = 1 }))
    local folder = replicas.new().folder()
    local one = assert(replica.open(cluster[1]:group("alone", FORM), { apply = add, dir = folder }))
    assert.equal(1, one:submit("1"))
    cluster:close()
    assert.equal("closed", one:status().state)
    os.execute("rm -rf '" .. folder .. "'")
  end)
end)
