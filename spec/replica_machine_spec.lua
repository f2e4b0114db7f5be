-- What a replica keeps: its state beside its log, and its round beside both.
local corolua = require("corolua")
local state_machine = require("corolua.replica.state_machine")
local log = require("corolua.replica.log")
local log_entry = require("corolua.replica.log_entry")
local ballot = require("corolua.replica.ballot")
local wire = require("corolua.replica.wire")
local file = require("corolua.file")

local SEQ = 5

local function spin(seconds)
  local stop = corolua.now() + seconds
  repeat until corolua.now() >= stop
end

-- Counts commands; `slow` seconds of work for each.
local function new_machine(slow)
  local journal = log.memory()
  local one = state_machine.new({
    apply = function(state)
      if slow.seconds then spin(slow.seconds) end
      state.n = state.n + 1
      return state.n
    end,
    snapshot = function(state) return tostring(state.n) end,
    restore = function(bytes) return { n = assert(tonumber(bytes), "no number") } end,
    initial = "0",
  }, journal)
  assert(one:build())
  assert(one:append(log_entry.marker(SEQ, 1, 77)))
  return one, journal
end

local function fill(one, count)
  for n = 1, count do assert(one:append(log_entry.command(SEQ, 1, n, 1, 1, "x"))) end
end

describe("replica.state_machine", function()
  local one, journal, slow

  before_each(function()
    slow = {}
    one, journal = new_machine(slow)
    fill(one, 100)
  end)

  -- The state and its index, at each turn while something is done.
  local function watch(fn)
    local seen = {}
    slow.seconds = 0.002
    local task = corolua.spawn(fn)
    while not task:is_done() do
      corolua.sleep(0)
      seen[#seen + 1] = { one.state.n, one.last }
    end
    return seen, task:wait()
  end

  it("shows the state before or the one after, none in between", function()
    local seen, done = watch(function() return one:go_back(91) end)
    assert.is_true(done)
    assert.is_true(#seen > 4)
    for i, look in ipairs(seen) do
      local is_last = i == #seen
      assert.same(is_last and { 90, 91 } or { 100, 101 }, look, i)
    end
    assert.equal(91, #journal.list)
  end)

  it("goes back as far as it is told while it goes back", function()
    local seen = watch(function()
      local first = corolua.spawn(function() return one:go_back(91) end)
      corolua.sleep(0)
      assert(one:cut(81))
      assert(one:build())
      assert(first:wait())
    end)
    assert.same({ 80, 81 }, seen[#seen])
    for i = 1, #seen - 1 do assert.is_true(seen[i][1] == 100 or seen[i][1] == 80) end
  end)

  it("ends with its log, and changes nothing any more", function()
    slow.seconds = 0.002
    local task = corolua.spawn(function() return one:go_back(91) end)
    corolua.sleep(0)
    journal:close()
    assert.same({ nil, "the log is closed", "ERR_NOT_EXIST" }, { task:wait() })
    assert.same({ 100, 101 }, { one.state.n, one.last })
  end)

  it("keeps what it has where no state can be made of a snapshot", function()
    local _, meta = one:take_snapshot()
    for _, case in ipairs({
      { "no number", meta }, { "7", "" }, { "7", meta:sub(1, -2) }, { "7", meta .. "x" },
      { "7", "CRM1" .. meta:sub(5) },
    }) do
      local done, why = one:install(500, case[1], case[2])
      assert.is_false(done)
      assert.is_string(why)
      assert.same({ 100, 101, 0 }, { one.state.n, one.last, journal.base.index })
    end
    assert.is_true(one:install(500, "7", meta))
    assert.same({ 7, 500, 500 }, { one.state.n, one.last, journal.base.index })
    assert.equal(100, one.sessions:last(1, 1, 1))
  end)

  it("says of a log of the version before that it is one", function()
    local old = log.memory()
    old:append(string.pack("<c1I8I4i8", "m", 5, 1, 77))
    local given = { apply = print, snapshot = print, restore = tostring, initial = "" }
    assert.same({ nil,
      "the log is of version 1 of the replicas' format, and this program reads version 2",
      "ERR_VERSION" }, { state_machine.new(given, old):build() })
    old:replace(9, "snapshot", "\2\0rest")
    local one_of_old = state_machine.new(given, old)
    assert.equal("ERR_VERSION", (select(3, one_of_old:build())))
  end)
end)

describe("replica.ballot, in a file", function()
  local dir

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    os.execute("mkdir '" .. dir .. "'")
  end)

  after_each(function() os.execute("rm -r '" .. dir .. "'") end)

  local function write(bytes)
    local out <close> = assert(io.open(dir .. "/round", "wb"))
    out:write(bytes)
  end

  local function sealed(bytes) return bytes .. string.pack("<I4", file.crc32(bytes)) end

  it("keeps rounds of 64 bits", function()
    assert.is_false(ballot.load(dir))
    for _, round in ipairs({ 1, 0xffffffff, 1 << 40, wire.MAX }) do
      assert(ballot.save(dir, { seq = wire.MAX, round = round }))
      assert.same({ seq = wire.MAX, round = round }, ballot.load(dir))
    end
  end)

  it("tells why a file cannot be read, and goes on", function()
    local cases = {
      { "", "the checksum is wrong" }, { ("x"):rep(24), "the checksum is wrong" },
      { ("x"):rep(5000), "the checksum is wrong" },
      { sealed(string.pack("<c4i8i8", "CRR2", 5, -1)), "round %-1 of ring 5 cannot be" },
      { sealed(string.pack("<c4i8i8", "CRR2", 5, math.maxinteger)), "of ring 5 cannot be" },
      { sealed(string.pack("<c4i8i8", "CRR9", 5, 1)), "it is none of a replica" },
    }
    for _, case in ipairs(cases) do
      write(case[1])
      assert.matches("/round': .*" .. case[2], assert(ballot.load(dir)).lost)
    end
  end)

  it("says of a file of the version before that it is one", function()
    write(sealed(string.pack("<I8I4", 5, 0xffffffff)))
    local _, message, code = ballot.load(dir)
    assert.matches("it is of version 1 of the replicas' files", message)
    assert.equal("ERR_VERSION", code)
  end)
end)
