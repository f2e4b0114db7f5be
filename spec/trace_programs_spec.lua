-- Traces of several programs, and the flight recorder, as scripts see them.
local corolua = require("corolua")
local files = require("spec.support.files")
local lab = require("corolua.lab")
local lfs = require("lfs")
local support = require("spec.support")
local sys = require("corolua.sys")
local trace = require("corolua.trace")
local trace_files = require("spec.support.trace_files")

local of = trace_files.of

local function folder()
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  return path
end

local function remove(path) require("corolua.lab.files").remove(path) end

describe("traces of several programs", function()
  local here

  before_each(function() here = folder() end)
  after_each(function() remove(here) end)

  local SCRIPT = [[
    local corolua = require("corolua")
    local room = corolua.group("hello")
    local heard = 0
    function room.on.message() heard = heard + 1 end
    assert(room:join())
    assert(corolua.wait(function() return #room.members == 2 end, 20))
    assert(room:send("from " .. tostring(room.me)))
    assert(corolua.wait(function() return heard == 2 end, 20))
    assert(room:leave())
  ]]

  it("write a file each beside the lab's, and name one another's messages", function()
    local script, path = here .. "/hello.lua", here .. "/t.jsonl"
    files.write(script, SCRIPT)
    local result = assert(corolua.exec(support.program,
      { "lab", "-n", "2", "--trace", path, script }))
    assert.equal(0, result.status, result.output)
    local names = files.below(here)
    assert.equal(4, #names, table.concat(names, " "))
    local of_lab = trace_files.read(path)
    assert.equal(0, #of(of_lab, "join"))
    assert.equal(2, #of(of_lab, "proc", { what = "start" }))
    local ring = of(of_lab, "quorum")[#of(of_lab, "quorum")].ring
    local sends, times = {}, {}
    for node = 1, 2 do
      local name
      for _, one in ipairs(names) do
        if one:match(("^t%%.n%d%%.%%d+%%.jsonl$"):format(node)) then name = one end
      end
      local lines = trace_files.read(here .. "/" .. assert(name))
      local join = of(lines, "join")[1]
      assert.same({ node, "hello" }, { join.n, join.g })
      assert.equal(("t.n%d.%d.jsonl"):format(node, join.p), name)
      assert.equal(of_lab[1].boot, lines[1].boot)
      assert.equal(0, #of(lines, "quorum"))
      assert.equal("leave", of(lines, "end")[1].why)
      assert.equal("stop", lines[#lines].k)
      assert.equal(ring, of(lines, "ring")[1].ring)
      sends[node], times[node] = of(lines, "send")[1], lines[1].mono
      for _, recv in ipairs(of(lines, "recv")) do sends[recv.x] = (sends[recv.x] or 0) + 1 end
    end
    assert.same({ 2, 2 }, { sends[sends[1].x], sends[sends[2].x] })
    assert.is_true(math.abs(times[1] - of_lab[1].mono) < 60e6)
  end)

  it("end with the last line also where the script raises", function()
    local path = here .. "/t.jsonl"
    local cluster <close> = assert(lab.start({ nodes = 1, trace = { path = path, preview = 0 } }))
    local script = here .. "/raises.lua"
    files.write(script, [[
      local room = require("corolua").group("raises")
      function room.on.message() error("on purpose") end
      assert(room:join())
      assert(room:send("the last one"))
    ]])
    local running = assert(cluster[1]:run(script))
    assert.equal(1, running:wait(30))
    local lines = trace_files.read(("%s/t.n1.%d.jsonl"):format(here, running.pid))
    assert.equal(1, #of(lines, "recv", { b = 12 }))
    assert.is_nil(of(lines, "recv")[1].d)
    assert.equal("stop", lines[#lines].k)
  end)

  it("say that the path is bad, and run all the same", function()
    local result = assert(corolua.exec(support.program, { "-e", "print('ran')" }, {
      env = { COROLUA_TRACE = here .. "/none/t.jsonl", COROLUA_TRACE_NODE = "1" },
    }))
    assert.equal(0, result.status)
    assert.is_truthy(result.output:find("ran", 1, true))
    assert.is_truthy(result.output:find("cannot write the trace .*No such file"), result.output)
  end)

  it("learn the node of a program that is in no lab from its first join", function()
    local path = here .. "/t.jsonl"
    local cluster <close> = assert(lab.start({ nodes = 1, recorder = false }))
    local script = here .. "/own.lua"
    files.write(script, ([[
      local corolua, trace = require("corolua"), require("corolua.trace")
      local written = assert(trace.start(%q))
      local room = corolua.group("own")
      assert(room:join())
      assert(room:leave())
      assert(written:close())
    ]]):format(path))
    assert.equal(0, assert(cluster[1]:run(script)):wait(30))
    local lines = trace_files.read(path)
    assert.same({ "node" }, { lines[1].where })
    local quorum = of(lines, "quorum")
    assert.equal(1, #quorum)
    assert.same({ 1, true }, { quorum[1].n, quorum[1].quorate })
  end)
end)

describe("the flight recorder of a lab", function()
  local here

  setup(function()
    here = folder()
  end)

  after_each(function()
    for _, name in ipairs(files.below(here)) do os.remove(here .. "/" .. name) end
  end)

  teardown(function() remove(here) end)

  local BEGIN = [[
    local corolua, lab = require("corolua"), require("corolua.lab")
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local room = cluster[1]:group("recorded")
    assert(room:join())
  ]]

  -- Runs a script whose recorder is written into the folder.
  local function run(script)
    local path = os.tmpname()
    files.write(path, script)
    local result = assert(corolua.exec(support.program, { path }, { env = { TMPDIR = here } }))
    os.remove(path)
    return result
  end

  it("is written where a handler raises, and its path stands in the message", function()
    local result = run(BEGIN .. [[
      function room.on.message() error("on purpose") end
      assert(room:send("the last one"))
      assert(room:send(("long"):rep(1000)))
      corolua.sleep(10)
    ]])
    assert.equal(1, result.status)
    local path = result.output:match("what the members saw until then: (%S+)")
    assert.is_truthy(path and path:find(here, 1, true), result.output)
    assert.is_truthy(result.output:find("on purpose", 1, true))
    local lines = trace_files.read(path)
    assert.equal("lab", lines[1].where)
    assert.equal(1, #of(lines, "join"))
    assert.equal(1, #of(lines, "recv", { d = "the last one" }))
    local long = of(lines, "send", { b = 4000 })[1]
    assert.equal(64, #long.d)
    assert.same({ "stop", false }, { lines[#lines].k, lines[#lines].settled })
    assert.equal(1, #files.below(here))
  end)

  it("is written where an error leaves the block of the lab", function()
    local result = run(BEGIN .. [[
      assert(room:send("the last one"))
      assert(corolua.wait(function() return room:stats().in_flight == 0 end))
      error("on purpose")
    ]])
    assert.equal(1, result.status)
    local path = result.output:match("what the members saw until then: (%S+)")
    assert.is_truthy(path, result.output)
    assert.equal(1, #of(trace_files.read(path), "recv", { d = "the last one" }))
    assert.equal(1, #files.below(here))
  end)

  it("stays behind an error that closed the lab until another begins", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local ok = pcall(function()
      local cluster <close> = assert(lab.start({ nodes = 1 }))
      trace.note("the last one")
      error("on purpose with " .. #cluster)
    end)
    assert.is_false(ok)
    assert(trace.dump(path))
    local notes = of(trace_files.read(path), "note")
    assert.same({ 1, "the last one" }, { #notes, notes[1].text })
    lab.start({ nodes = 1 }):close()
    local again, _, code = trace.dump(path)
    assert.same({ nil, "ERR_NOT_EXIST" }, { again, code })
  end)

  it("is for the user alone, as it has what was sent", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    assert(trace.dump(path))
    assert.equal("rw-------", lfs.attributes(path, "permissions"))
    cluster:close()
  end)

  it("is not written for an error that the script forgives", function()
    local result = run(BEGIN .. [[
      function corolua.on.error() return true end
      function room.on.message() error("on purpose") end
      assert(room:send("x"))
      assert(corolua.wait(function() return room:stats().in_flight == 0 end))
    ]])
    assert.equal(0, result.status, result.output)
    assert.equal(0, #files.below(here))
  end)

  it("is written at each SIGUSR1, and the program goes on", function()
    local result = run(BEGIN .. [[
      local sys = require("corolua.sys")
      local file <close> = assert(io.open("/proc/self/stat"))
      local pid = file:read("n")
      for _ = 1, 2 do
        sys.kill(pid, "USR1")
        corolua.sleep(0)
      end
      corolua.sleep(0.1)
      print("went on")
    ]])
    assert.equal(0, result.status, result.output)
    assert.is_truthy(result.output:find("went on", 1, true), result.output)
    local _, count = result.output:gsub("what the members saw until now: %S+", "")
    assert.is_true(count >= 1, result.output)
    assert.equal(count, #files.below(here))
    assert.equal(1, #of(trace_files.read(here .. "/" .. files.below(here)[1]), "join"))
  end)

  it("is written by trace.dump, into a file that is not there yet", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local early, _, why = trace.dump(path)
    assert.same({ nil, "ERR_NOT_EXIST" }, { early, why })
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    assert(trace.dump(path))
    assert.equal("run", trace_files.read(path)[1].k)
    local again, _, code = trace.dump(path)
    assert.same({ nil, "EEXIST" }, { again, code })
    cluster:close()
  end)

  it("stays within its memory, and keeps views and faults that messages would push out", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local room = cluster[1]:group("full")
    local back = 0
    function room.on.message() back = back + 1 end
    assert(room:join())
    local encoder = require("corolua.trace_encoder")
    local payload = ("p"):rep(1000)
    for _ = 1, 8000 do assert(room:send(payload)) end
    support.comes(function() return back == 8000 end, 60)
    local stats = encoder.stats()
    assert.is_true(stats.kept <= 8 << 20)
    assert.is_true(stats.evicted > 0)
    assert(trace.dump(path))
    local lines = trace_files.read(path)
    assert.equal(1, #of(lines, "join"))
    assert.equal(1, #of(lines, "ring"))
    assert.equal(stats.evicted, lines[#lines].dropped)
    cluster:close()
    assert.equal(0, encoder.stats().kept)
  end)

  it("is off where a lab does without", function()
    local cluster <close> = assert(lab.start({ nodes = 1, recorder = false }))
    local room = cluster[1]:group("off")
    assert(room:join())
    local path = trace_files.path()
    local ok, _, code = trace.dump(path)
    assert.same({ nil, "ERR_NOT_EXIST" }, { ok, code })
    assert.is_nil(lfs.attributes(path))
    assert.is_true(sys.handles() > 0)
  end)
end)
