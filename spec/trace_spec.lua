-- What a trace has of a real lab: every kind of line that docs/trace.md has.
local corolua = require("corolua")
local encoder = require("corolua.trace_encoder")
local files = require("spec.support.files")
local lab = require("corolua.lab")
local support = require("spec.support")
local trace = require("corolua.trace")
local trace_files = require("spec.support.trace_files")

local of = trace_files.of

-- The keys of each kind, as the table of docs/trace.md gives them.
local function documented()
  local kinds = {}
  for kind, keys in files.read("docs/trace.md"):gmatch("\n| `(%l+)` | ([^|]+) |") do
    kinds[kind] = "k " .. keys:gsub("[`,]", ""):gsub("%s+$", "")
  end
  return kinds
end

-- Keys that a line may be without.
local optional = { d = true, m = true, n = true }

local function without_optional(keys)
  local rest = {}
  for key in keys:gmatch("%S+") do
    if not optional[key] then rest[#rest + 1] = key end
  end
  return table.concat(rest, " ")
end

describe("a trace of a lab", function()
  local path, text, lines

  -- One member leaves, one loses its daemon, one is cut off and comes back.
  local function run_groups(cluster)
    local rooms, counts = {}, { 0, 0, 0 }
    for i = 1, 3 do
      rooms[i] = cluster[i]:group("raw \27\"\xff")
      rooms[i].on.message = function() counts[i] = counts[i] + 1 end
      assert(rooms[i]:join())
    end
    support.comes(function() return #rooms[1].members == 3 end)
    for n = 1, 3 do assert(rooms[1]:send("tick")) assert(rooms[2]:send("from 2: " .. n)) end
    assert(rooms[3]:send("\0\27]0;title\7</script>\xe2\x80\xa8\xff"))
    assert(rooms[3]:send(""))
    support.comes(function() return counts[1] == 8 and counts[2] == 8 and counts[3] == 8 end)
    assert(cluster:partition({ { 1 }, { 2, 3 } }))
    assert(cluster:settle())
    assert(rooms[2]:send("apart"))
    support.comes(function() return rooms[2]:stats().in_flight == 0 end)
    assert(cluster:heal())
    assert(cluster:settle())
    support.comes(function() return #rooms[1].members == 3 end)
    assert(rooms[3]:leave())
    assert(cluster[1]:kill())
    assert(rooms[1]:next("down", 10))
    assert(cluster[1]:start())
    assert(rooms[1]:next("up", 20))
    assert(cluster[2]:pause())
    assert(cluster[2]:resume())
    assert(cluster[2]:stop())
    assert(cluster[2]:start())
    assert(cluster:settle())
    for i = 1, 2 do rooms[i]:leave() end
  end

  -- A frame, a message in fragments, and what is no frame.
  local function run_packed(cluster)
    local a = cluster[1]:group("packed", { packed = true, fragment = true })
    local raw = cluster[2]:group("packed")
    assert(a:join())
    assert(raw:join())
    support.comes(function() return #a.members == 2 end)
    for n = 1, 5 do assert(a:send("small " .. n)) end
    assert(a:send(("long "):rep(40000)))
    assert(raw:send("no frame"))
    support.comes(function() return a:stats().in_flight == 0 and raw:stats().backlog > 2 end)
    assert(a:next("malformed", 5))
    assert(a:leave())
    assert(raw:leave())
  end

  -- A thin handle that nobody gave handlers; it is refused what the daemon cannot
  -- take as fast.
  local function run_thin(cluster)
    local handle = assert(cluster[1]:thin("cpg"))
    assert(handle:join("thin"))
    assert(handle:mcast_joined({ "in ", "two parts" }))
    local sent = 1
    support.dispatch_until(handle, function()
      assert(cluster.trace:flush())
      return #of(trace_files.read(path), "recv", { d = "in two parts" }) > 0
    end)
    assert(cluster:isolate(1))
    local refused
    support.eventually(function()
      local ok, _, code = handle:mcast_joined(("x"):rep(100000))
      if ok then sent = sent + 1 end
      refused = refused or code
      return refused
    end, 20)
    assert.equal("ERR_TRY_AGAIN", refused)
    assert(cluster:heal())
    assert(cluster:settle())
    support.eventually(function() return handle:mcast_joined("taken again") end, 20)
    assert(handle:finalize())
  end

  local function note(cluster)
    trace.step("ein Schritt: ä\n", 2)
    trace.note("noted")
    trace.state(1, { queue = { 1, 2 }, mode = "leader" })
    local id = trace.op(1, "invoke", "write", { key = "x", value = 1 })
    trace.op(1, "ok", "write", 1, id)
    trace.op(2, "invoke", "read")
    trace.op(2, "fail", "read")
    local in_force = cluster[1]:resume()
    assert.is_nil(in_force)
  end

  setup(function()
    path = trace_files.path()
    local cluster <close> = assert(lab.start({ nodes = 3, trace = path, seed = 7 }))
    note(cluster)
    run_groups(cluster)
    run_packed(cluster)
    run_thin(cluster)
    assert(cluster:settle())
    cluster:close()
    text, lines = files.lines(path), trace_files.read(path)
  end)

  teardown(function() os.remove(path) end)

  it("has each kind with its keys in the order that is documented", function()
    local kinds, seen = documented(), {}
    for _, line in ipairs(text) do
      local kind = line:match('^{"k":"(%l+)"')
      local keys = trace_files.keys(line)
      assert.equal(without_optional(kinds[kind] or "unknown"), without_optional(keys), line)
      seen[kind] = true
    end
    for kind in pairs(kinds) do
      local is_rare = kind == "gap" or kind == "hidden" -- provoked elsewhere
      assert.is_true(seen[kind] or is_rare, kind .. " is in no line")
    end
  end)

  it("begins with the run and ends with the stop, and its time never falls", function()
    local first, last = lines[1], lines[#lines]
    assert.same({ 1, "lab", 7 }, { first.v, first.where, first.seed })
    assert.same({ 3, 300, 360, false },
      { first.nodes, first.token, first.consensus, first.two_node })
    assert.equal(files.lines("/proc/sys/kernel/random/boot_id")[1], first.boot)
    assert.same({ "stop", true, 0 }, { last.k, last.settled, last.dropped })
    local before = 0
    for i = 2, #lines do
      assert.is_true(lines[i].t >= before, text[i])
      before = lines[i].t
    end
  end)

  it("gives each join a life of its own, with node and group", function()
    local joins = of(lines, "join")
    local lives = {}
    for _, join in ipairs(joins) do
      assert.is_nil(lives[join.h])
      lives[join.h] = join
      assert.equal(1, #of(lines, "end", { h = join.h }))
    end
    local again = of(joins, "join", { n = 1, g = "raw \27\"\u{ff}" })
    assert.equal(2, #again) -- its daemon was killed
    assert.equal("down", of(lines, "end", { h = again[1].h })[1].why)
    assert.equal("leave", of(lines, "end", { h = again[2].h })[1].why)
    assert.same({ true }, { of(joins, "join", { n = 1, g = "packed" })[1].packed })
  end)

  it("tells each message as sent and as read, with the same hash", function()
    local h = of(lines, "join", { n = 3 })[1].h
    local sends = of(lines, "send", { h = h })
    assert.same({ 1, 2 }, { sends[1].m, sends[2].m })
    assert.equal(encoder.hash(""), sends[2].x)
    assert.same({ 0, nil }, { sends[2].b, sends[2].d })
    for n = 1, 3 do
      local reader = of(lines, "join", { n = n })[1]
      local member = ("3/%d"):format(reader.p)
      assert.equal(1, #of(lines, "recv", { h = reader.h, f = member, x = sends[1].x }))
    end
  end)

  it("escapes what others have sent", function()
    local h = of(lines, "join", { n = 3 })[1].h
    local d = of(lines, "send", { h = h })[1].d
    assert.equal("\0\27]0;title\7</script>\u{e2}\u{80}\u{a8}\u{ff}", d)
    for _, line in ipairs(text) do
      assert.is_nil(line:find("[%z\1-\31\127]"), line)
    end
  end)

  it("tells as what the messages of a ring were handled", function()
    local h = of(lines, "join", { n = 1 })[1].h
    local runs = of(lines, "handled", { h = h })
    assert.same({ "message", 8 }, { runs[1].as, runs[1].i })
    local ring = of(lines, "ring", { h = h })[1].ring
    assert.equal(ring, runs[1].ring)
    local apart = of(lines, "quorum", { n = 1, quorate = false })
    assert.is_true(#apart > 0)
  end)

  it("tells the quorum of a node once for each of its rings", function()
    local seen = {}
    for _, line in ipairs(of(lines, "quorum")) do
      local key = ("%d %s %s"):format(line.n, line.ring, line.quorate)
      assert.is_nil(seen[key], key)
      seen[key] = true
    end
  end)

  it("numbers frames by their first message, and fragments by theirs", function()
    local h = of(lines, "join", { g = "packed", n = 1 })[1].h
    local numbers = {}
    for _, send in ipairs(of(lines, "send", { h = h })) do numbers[#numbers + 1] = send.m end
    assert.equal(1, numbers[1])
    assert.equal(6, numbers[2]) -- five messages were in the first frame
    for i = 3, #numbers do assert.equal(6, numbers[i]) end
    local malformed = of(lines, "malformed", { h = h })
    assert.equal(1, #malformed)
    assert.equal(#"no frame", malformed[1].b)
  end)

  it("tells of a thin handle without handlers", function()
    local join = of(lines, "join", { g = "thin" })[1]
    local send = of(lines, "send", { h = join.h })[1]
    assert.equal(encoder.hash("in two parts"), send.x)
    assert.equal(1, #of(lines, "recv", { h = join.h, x = send.x }))
    local refusals = of(lines, "refuse", { h = join.h })
    assert.is_true(#refusals > 0)
    assert.equal("ERR_TRY_AGAIN", refusals[1].code)
    assert.is_true(refusals[1].x >= 1)
    local ending = of(lines, "end", { h = join.h })[1]
    assert.equal("finalize", ending.why)
    local sends = of(lines, "send", { h = join.h })
    local back = #of(lines, "recv", { h = join.h, f = ("1/%d"):format(join.p) })
    assert.equal(#sends - back, #ending.unconfirmed)
    assert.equal(sends[#sends].m, ending.unconfirmed[#ending.unconfirmed])
  end)

  it("tells faults with their arguments, and what could not be put in force", function()
    local cut = of(lines, "fault", { op = "partition" })[1]
    assert.same({ { { 1 }, { 2, 3 } } }, cut.args)
    assert.same({ false, true }, { cut.mends, cut.ok })
    assert.is_true(of(lines, "fault", { op = "heal" })[1].mends)
    assert.same({ { 1 }, false, true }, (function(line)
      return { line.args, line.ok, line.mends }
    end)(of(lines, "fault", { op = "resume" })[1]))
    local what = {}
    for _, line in ipairs(of(lines, "proc", { n = 2 })) do what[#what + 1] = line.what end
    assert.same({ "start", "pause", "resume", "stop", "start" }, what)
  end)

  it("tells what the script says", function()
    local step, noted = of(lines, "note")[1], of(lines, "note")[2]
    assert.same({ "ein Schritt: ä\n", 2, "step" }, { step.text, step.n, step.level })
    assert.same({ "noted", nil, "note" }, { noted.text, noted.n, noted.level })
    assert.same({ queue = { 1, 2 }, mode = "leader" }, of(lines, "state")[1].value)
    local ops = of(lines, "op")
    assert.same({ "invoke", "ok" }, { ops[1].type, ops[2].type })
    assert.equal(ops[1].id, ops[2].id)
    assert.equal(ops[3].id, ops[4].id)
    assert.are_not.equal(ops[1].id, ops[3].id)
  end)
end)

describe("corolua.trace", function()
  it("tells of a gap", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local cluster <close> = assert(lab.start({ nodes = 2, trace = path }))
    local a = cluster[1]:group("gap", { packed = true, quorum = "ignore" })
    local b = cluster[2]:group("gap", { packed = true, quorum = "ignore" })
    assert(a:join())
    assert(b:join())
    assert(a:send("both"))
    support.comes(function() return b:stats().backlog > 2 end)
    assert(cluster:partition({ { 1 }, { 2 } }))
    support.comes(function() return #a.members == 1 and #b.members == 1 end, 20)
    for _ = 1, 3 do assert(a:send("alone")) end
    support.comes(function() return a:stats().in_flight == 0 end)
    assert(cluster:heal())
    support.comes(function() return #a.members == 2 and #b.members == 2 end, 20)
    assert(a:send("again"))
    assert(b:next("gap", 10))
    cluster:close()
    local gap = of(trace_files.read(path), "gap")[1]
    assert.same({ 2, 4 }, { gap.first, gap.last })
    assert.is_truthy(gap.f:find("^1/"))
  end)

  it("has the event whose handler raised", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local cluster <close> = assert(lab.start({ nodes = 1, trace = path, recorder = false }))
    local handle = assert(cluster[1]:thin("cpg", {
      deliver = function() error("in the handler") end,
    }))
    assert(handle:join("raising"))
    assert(handle:mcast_joined("the last one"))
    local ok, problem
    support.eventually(function()
      ok, problem = pcall(handle.dispatch, handle, "all")
      return not ok
    end)
    assert.is_truthy(problem:find("in the handler", 1, true))
    cluster:close()
    local lines = trace_files.read(path)
    assert.equal(1, #of(lines, "recv", { d = "the last one" }))
    assert.equal("stop", lines[#lines].k)
  end)

  it("tells of the handles that are opened while it is written, by numbers of their own", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local before = cluster[1]:group("before")
    assert(before:join())
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local written = assert(trace.start(path, { seed = 12 }))
    local within = cluster[1]:group("within")
    assert(within:join())
    assert(before:send("not told"))
    assert(within:send("secret"))
    support.comes(function() return within:stats().in_flight == 0 end)
    assert(written:close({ settled = true }))
    assert.is_true(written:close())
    local behind = cluster[1]:group("behind")
    assert(behind:join())
    local lines = trace_files.read(path)
    assert.same({ "node", 12 }, { lines[1].where, lines[1].seed })
    assert.equal(1, #of(lines, "join"))
    local send = of(lines, "send")[1]
    assert.same({ 6, nil }, { send.b, send.d }) -- previews are for who asks
    assert.is_true(lines[#lines].settled)
  end)

  it("is silent, and its handles plain, once nobody listens", function()
    local cluster <close> = assert(lab.start({ nodes = 1, recorder = false }))
    local handle = assert(cluster[1]:thin("cpg"))
    assert.is_nil(encoder.life(handle))
    assert.equal(require("corolua.trace.tell").SILENT.line, require("corolua.trace.tell").line)
  end)

  it("refuses a second trace, and what is no option", function()
    local path = trace_files.path()
    finally(function() os.remove(path) end)
    local written <close> = assert(trace.start(path))
    local second, message, code = trace.start(path .. "2")
    assert.same({ nil, "ERR_BUSY" }, { second, code })
    assert.is_truthy(message:find(path, 1, true))
    support.raises("trace.start: unknown option 'previw', did you mean 'preview'", function()
      trace.start(path, { previw = 3 })
    end)
    support.raises("option 'preview' must be an integer of 0 to 1024, got 2000", function()
      trace.start(path, { preview = 2000 })
    end)
    support.raises("trace.start: argument #1 must be a path, got nil", function() trace.start() end)
    for _, name in ipairs({ "start", "dump" }) do
      local sentence = ("trace.%s: argument #1 must be a path, got \"a\\0b\""):format(name)
      support.raises(sentence, function() trace[name]("a\0b") end)
    end
    support.raises("step: the text must be a string, got 3", function() trace.step(3) end)
    support.raises("op: the type must be one of \"invoke\", \"ok\", \"fail\", \"info\"", function()
      trace.op(1, "done", "read")
    end)
    support.raises("no operation of node 1 goes on", function() trace.op(1, "ok", "read") end)
    assert(written:stats().lines == 1)
  end)

  it("says by a value that it cannot write", function()
    local opened, message, code = trace.start("/nowhere/at/all.jsonl")
    assert.same({ nil, "ENOENT" }, { opened, code })
    assert.is_truthy(message:find("/nowhere/at/all.jsonl", 1, true))
    local cluster, _, its_code = lab.start({ nodes = 1, trace = "/nowhere/at/all.jsonl" })
    assert.same({ nil, "ENOENT" }, { cluster, its_code })
  end)

  it("says by a value that the disk is full, and goes on", function()
    local full = assert(trace.start("/dev/full"))
    for _ = 1, 5000 do trace.note(("x"):rep(100)) end
    assert.is_true(full:stats().dropped > 0)
    local closed, message, code = full:close()
    assert.same({ nil, "ENOSPC" }, { closed, code })
    assert.is_truthy(message:find("No space left", 1, true))
    assert.is_true(corolua.now() > 0)
  end)
end)
