local support = require("spec.support")
local sys = require("corolua.sys")
local traces = require("spec.support.traces")

local is_gone = support.is_gone

-- Runs a program to its end: its output, and how it ended.
local function output_of(command, options)
  local reading, writing = assert(sys.pipe())
  options = options or {}
  options.stdout = writing
  local pid, why, code = sys.spawn(command, options)
  writing:close()
  if not pid then return nil, why, code end
  local text = {}
  repeat
    text[#text + 1] = assert(reading:read())
  until text[#text] == ""
  reading:close()
  return table.concat(text), sys.reap(pid)
end

describe("corolua.sys", function()
  describe("spawn", function()
    it("runs a program and tells how it ended", function()
      local output, kind, status = output_of({ "sh", "-c", "echo hello; exit 3" })
      assert.same("hello\n", output)
      assert.same("exit", kind)
      assert.same(3, status)
    end)

    it("tells of a signal", function()
      local _, kind, number = output_of({ "sh", "-c", "kill -9 $$" })
      assert.same("signal", kind)
      assert.same(9, number)
    end)

    it("reports a program that does not exist", function()
      local pid, message, code = sys.spawn({ "/nonexistent/program" }, {})
      assert.is_nil(pid)
      assert.matches("exec /nonexistent/program: No such file", message)
      assert.same("ENOENT", code)
    end)

    it("reports a folder that does not exist", function()
      local pid, message, code = sys.spawn({ "true" }, { cwd = "/nonexistent" })
      assert.is_nil(pid)
      assert.matches("chdir", message)
      assert.same("ENOENT", code)
    end)

    it("puts the child into a process group or a session of its own", function()
      local field = { group = 5, session = 6 }
      for placement, number in pairs(field) do
        local output = output_of({ "sh", "-c", "cat /proc/$$/stat" }, { placement = placement })
        local words = {}
        for word in output:gmatch("%S+") do words[#words + 1] = word end
        assert.same(words[1], words[number])
      end
    end)

    it("replaces variables of the environment and keeps the others", function()
      local output = output_of({ "sh", "-c", "echo $HOME:$ANSWER:${PATH:+path}" },
        { env = { "HOME=/nowhere", "ANSWER=42" } })
      assert.same("/nowhere:42:path\n", output)
    end)

    it("takes variables away whose name alone is given, and no others", function()
      local output = output_of({ "sh", "-c", "echo ${HOME-none}:${PATH:+path}" },
        { env = { "HOME", "PAT", "PATHS" } })
      assert.same("none:path\n", output)
    end)

    it("hands on no descriptor but the three", function()
      local keep <close> = assert(sys.open("/dev/null", "r"))
      assert.is_true(keep:fileno() > 2)
      local output = output_of({ "ls", "/proc/self/fd" })
      assert.same("0\n1\n2\n3\n", output)
    end)

    -- Signals 32 and 33 are the C library's own. It lets no program set them, and
    -- its posix_spawn, with which make starts programs, has them ignored.
    it("gives the child no blocked and no ignored signals", function()
      local output = output_of({ "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status" })
      local blocked, ignored = output:match("^SigBlk:\t(%x+)\nSigIgn:\t(%x+)\n$")
      assert.equal(0, tonumber(blocked, 16))
      assert.equal(0, tonumber(ignored, 16) & ~0x180000000)
    end)

    it("raises on an unknown option and names the nearest", function()
      assert.error_matches(function() sys.spawn({ "true" }, { stdotu = 1 }) end,
        "unknown spawn option 'stdotu', did you mean 'stdout'")
    end)

    it("raises on words that are no strings", function()
      assert.error_matches(function() sys.spawn({ "true", {} }, {}) end, "must be strings")
      assert.error_matches(function() sys.spawn({}, {}) end, "no program given")
    end)

    it("keeps no descriptor", function()
      local before = support.descriptors()
      for _ = 1, 20 do output_of({ "true" }) end
      collectgarbage()
      assert.same(before, support.descriptors())
    end)
  end)

  describe("guard", function()
    it("kills the groups it was told of when it closes, children included", function()
      local guard = assert(sys.guard())
      local reading, writing = assert(sys.pipe())
      local pid = assert(sys.spawn({ "sh", "-c", "sleep 1000 & echo $!; wait" },
        { guard = guard, stdout = writing }))
      local child = assert(reading:read()):match("%d+")
      guard:close()
      assert.same("signal", (sys.reap(pid)))
      assert(traces.eventually(function() return is_gone(child) end, 2))
      reading:close()
      writing:close()
    end)

    it("leaves alone a group that it was told to forget", function()
      local guard = assert(sys.guard())
      local pid = assert(sys.spawn({ "sleep", "1000" }, { guard = guard }))
      assert(guard:forget(pid))
      guard:close()
      assert.is_false(is_gone(pid))
      assert(sys.kill(pid, "KILL"))
      assert.same("signal", (sys.reap(pid)))
    end)

    it("raises once it is closed", function()
      local guard = assert(sys.guard())
      guard:close()
      guard:close()
      assert.error_matches(function() guard:watch(1) end, "the guard is closed")
    end)
  end)

  describe("kill", function()
    it("says when there is no such process", function()
      local pid = assert(sys.spawn({ "true" }, {}))
      sys.reap(pid)
      local ok, _, code = sys.kill(pid, "TERM")
      assert.is_nil(ok)
      assert.same("ESRCH", code)
    end)

    it("never signals everybody", function()
      for _, pid in ipairs({ -1, 0, 1 }) do
        assert.error_matches(function() sys.kill(pid, "KILL") end, "process id must be")
        assert.error_matches(function() sys.kill_group(pid, "KILL") end, "process id must be")
      end
    end)
  end)

  describe("descriptor", function()
    it("raises once it is closed", function()
      local reading, writing = assert(sys.pipe())
      writing:close()
      assert.same("", reading:read())
      reading:close()
      assert.error_matches(function() reading:read() end, "the descriptor is closed")
    end)

    it("gives EAGAIN when nothing is there and it must not wait", function()
      local reading, writing = assert(sys.pipe())
      assert(reading:nonblocking())
      local _, _, code = reading:read()
      assert.same("EAGAIN", code)
      assert.same(2, writing:write("ab"))
      assert.same("ab", reading:read())
      reading:close()
      writing:close()
    end)
  end)

  describe("call", function()
    it("passes arguments, results and errors", function()
      local own <close> = assert(sys.namespace("net"))
      local ok, message = pcall(sys.call, own, function(a, b) return a + b end, 1, 2)
      if not ok then -- an ordinary user may not even enter its own
        assert.matches("cannot enter the network", message)
        return
      end
      assert.same(3, message)
      local problem = {}
      local _, raised = pcall(sys.call, own, function() error(problem) end)
      assert.equal(problem, raised)
    end)
  end)

  it("finds the nearest word", function()
    assert.same("nodes", sys.nearest("nodse", { "nodes", "ports" }))
    assert.is_nil(sys.nearest("zzzzzzzz", { "nodes", "ports" }))
  end)

  it("finds no name of 64 bytes or more, and none for such a word", function()
    for _, length in ipairs({ 62, 63, 64, 65, 80, 127, 128, 1000, 100000 }) do
      local name = ("m"):rep(length)
      assert.equal(length <= 63 and name or nil, sys.nearest(name, { name }))
      assert.is_nil(sys.nearest("x", { name }))
      assert.equal("y", sys.nearest("x", { name, "y" }))
    end
  end)

  it("refuses candidates that are no strings", function()
    support.raises("candidates%[2%] must be a string, got number", function()
      sys.nearest("1", { "a", 1 })
    end)
    support.raises("candidates%[1%] must be a string, got nil", function()
      sys.nearest("1", { nil, "a" })
    end)
  end)

  it("says that nobody reads a pipe any more", function()
    local reading, writing = assert(sys.pipe())
    reading:close()
    for _ = 1, 2 do
      local count, message, code = writing:write("x")
      assert.is_nil(count)
      assert.equal("write: Broken pipe", message)
      assert.equal("EPIPE", code)
    end
    writing:close()
  end)
end)

describe("corolua.net", function()
  -- Prints how many bytes the program has grown by 15000 calls that are refused.
  local GROWTH = [[
    local connection = assert(require("corolua.net").open())
    local function resident()
      local file <close> = assert(io.open("/proc/self/statm"))
      return tonumber(file:read("a"):match("^%%d+ (%%d+)")) * 4096
    end
    local function try(count)
      for _ = 1, count do
        assert(not pcall(function() connection:%s end))
        collectgarbage("step")
      end
    end
    try(500)
    local before = resident()
    try(15000)
    print(resident() - before)]]

  -- What is refused leaves nothing behind, and changes nothing on the way.
  for _, call in ipairs({
    'address("lo", "no address")',
    'address("lo", {})',
    'neighbours("lo", { ["10.0.0.1"] = "no address" })',
    'neighbours("lo", { ["10.0.0.1"] = {} })',
    'neighbours("lo", { ["no address"] = "02:00:00:00:00:01" })',
    'up({})',
    'enslave("lo", {})',
    'veth("a", "no address", "b", 0)',
  }) do
    it("keeps nothing of what it refuses: " .. call, function()
      local pipe <close> = assert(io.popen(
        ("ASAN_OPTIONS=%s '%s' - 2>&1 <<'EOT'\n%s\nEOT"):format(
          "detect_leaks=0:quarantine_size_mb=0:thread_local_quarantine_size_kb=0",
          support.program, GROWTH:format(call))))
      local output = pipe:read("a")
      assert.is_true(tonumber(output) and tonumber(output) < 900000, output)
    end)
  end

  it("refuses addresses that are numbers", function()
    local connection <close> = assert(require("corolua.net").open())
    assert.error_matches(function()
      connection:neighbours("lo", { "02:00:00:00:00:01" })
    end, "string expected, got number")
  end)
end)

describe("lua/meta", function()
  local function keys(set)
    local list = {}
    for key in pairs(set) do list[#list + 1] = key end
    table.sort(list)
    return list
  end

  -- The names that a file describes behind an object: "sys." or "guard:".
  local function described(name, object)
    local file <close> = assert(io.open("lua/meta/corolua/" .. name .. ".lua"))
    local set = {}
    for key in file:read("a"):gmatch("\nfunction " .. object .. "([%w_]+)%(") do set[key] = true end
    return keys(set)
  end

  local net = require("corolua.net")
  local registry = debug.getregistry()
  local cases = {
    { "sys", "sys%.", sys },
    { "sys", "descriptor:", registry["corolua.descriptor"].__index },
    { "sys", "guard:", registry["corolua.guard"].__index },
    { "net", "net%.", net },
    { "net", "connection:", registry["corolua.net"].__index },
  }

  for _, case in ipairs(cases) do
    it("describes " .. case[2] .. " of corolua." .. case[1], function()
      assert.same(keys(case[3]), described(case[1], case[2]))
    end)
  end
end)
