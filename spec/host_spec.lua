local support = require("spec.support")
local lfs = require("lfs")

-- The output of a command line of the program, errors included, and its status.
local function run(arguments)
  local pipe <close> = assert(io.popen(
    ("timeout -k 1 20 '%s' %s 2>&1; echo \" $?\""):format(support.program, arguments)))
  local output, status = pipe:read("a"):match("^(.*) (%d+)\n$")
  return output, tonumber(status)
end

local STATUSES = {
  { "ends with 0 when the script returns", "-e 'print(1)'", 0, "^1\n" },
  { "ends with 1 and a traceback after an error",
    "-e 'error(\"oops\")'", 1, "oops\nstack traceback" },
  { "prints an error that is an empty table", "-e 'error({})'", 1, "error object {}" },
  { "prints the fields of an error table", "-e 'error({ code = 3 })'", 1, "{ code = 3 }" },
  { "ends with the status of os.exit", "-e 'os.exit(7)'", 7 },
  { "ends with 0 after os.exit(true)", "-e 'os.exit(true, true)'", 0 },
  { "ends with 1 after os.exit(false)", "-e 'os.exit(false)'", 1 },
  { "exits from where it cannot yield",
    "-e 'table.sort({ 3, 2, 1 }, function() os.exit(4) end)'", 4 },
  { "closes variables on os.exit",
    [[-e 'local mt = { __close = function() print("closed") end }
      local x <close> = setmetatable({}, mt) os.exit(3)']],
    3, "closed" },
  { "refuses an unknown option", "--log-levl x", 2, "did you mean '%-%-log%-level'" },
  { "refuses a size that is none", "--memory-limit x", 2, "memory%-limit" },
  { "refuses a level that is none", "--log-level debgu", 2, "debug" },
  { "says that the interactive mode comes later", "-i", 2, "later" },
  { "prints its version", "-v", 0, "^corolua %d" },
  { "prints its options", "--help", 0, "%-%-handler%-limit" },
  { "misses a script", "/nonexistent.lua", 1, "cannot open" },
  { "does not compile a script", "-e 'x ='", 1, "unexpected symbol" },
  { "requires a library into a name", "-l s=string -e 'print(s.rep(\"a\", 3))'", 0, "aaa" },
  { "raises on undeclared globals",
    "-e 'print(prnt)'", 1, "undeclared global 'prnt', did you mean 'print'" },
  { "raises on assignment in a function",
    "-e 'local function f() zz = 1 end f()'", 1, "assignment to undeclared" },
  { "declares at the top level", "-e 'x = 1 print(x)'", 0, "^1\n" },
  { "lets globals be nil without strict", "--no-strict -e 'print(zz)'", 0, "^nil\n" },
  { "bounds the memory",
    "--memory-limit 20M -e 'local t = {} while true do t[#t + 1] = (\"x\"):rep(999) .. #t end'",
    1, "not enough memory" },
  { "logs one line per event", "--log-level info -e 'print(1)'", 0, "info: start of" },
}

describe("the program", function()
  for _, row in ipairs(STATUSES) do
    it(row[1], function()
      local output, status = run(row[2])
      assert.equal(row[3], status, output)
      if row[4] then assert.truthy(output:find(row[4]), output) end
    end)
  end

  it("runs standard input with its arguments", function()
    local output = run("- a b <<'EOT'\nprint(arg[0], arg[1], ...)\nEOT\n")
    assert.truthy(output:find("^%-\ta\ta\tb\n"), output)
  end)

  it("stops cleanly at a first signal", function()
    local output, status = run([[-e '
      local corolua = require("corolua")
      corolua.after(0, function() os.execute("kill " .. io.open("/proc/self/stat"):read("n")) end)
      print(corolua.sleep(10), select(3, corolua.wait(function() end)))']])
    assert.equal("false\tERR_INTERRUPT\n", output)
    assert.equal(0, status)
  end)

  it("ends at once at a second signal, in a script that ignores the first", function()
    local _, status = run([[-e '
      local pid = io.open("/proc/self/stat"):read("n")
      os.execute("kill " .. pid) os.execute("kill " .. pid)
      while true do end']])
    assert.equal(143, status)
  end)

  it("is found by stock lua5.4 once installed elsewhere", function()
    local prefix = os.tmpname()
    os.remove(prefix)
    assert(lfs.mkdir(prefix))
    finally(function() os.execute("rm -r '" .. prefix .. "'") end)
    assert(os.execute(("cmake --install '%s' --prefix '%s' > '%s/log' 2>&1")
      :format(support.build, prefix, prefix)))
    local lines = {}
    for line in io.lines(prefix .. "/log") do lines[#lines + 1] = line:match("^ *(export .*)") end
    local script = [[-e 'print(require("corolua").run(function() return 3 end))']]
    for _, command in ipairs({
      table.concat(lines, "; ") .. "; " .. support.preload_stub() .. " lua5.4 " .. script,
      prefix .. "/bin/corolua " .. script,
    }) do
      local pipe <close> = assert(io.popen(command .. " 2>&1"))
      assert.equal("3\n", pipe:read("a"))
    end
  end)
end)
