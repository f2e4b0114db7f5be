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
  { "ends with 1 and the script's own traceback after an error",
    "-e 'error(\"oops\")'", 1,
    "^corolua: %(command line%):1: oops\nstack traceback:\n%s*%[C%]: in function 'error'\n"
    .. "%s*%(command line%):1: in [^\n]*\n$" },
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
  { "refuses a size that no integer holds", "--memory-limit 1099511627776G -v", 2,
    "memory%-limit" },
  { "opens nothing of its own in the place of standard output that is closed",
    "-e 'os.exit(require(\"lfs\").symlinkattributes(\"/proc/self/fd/1\", \"target\") "
    .. "== \"/dev/null\" and 7 or 6)' >&- || (exit $?)", 7 },
  { "names an option without a name as it is", "--=x", 2, "unknown option '%-%-';" },
  { "refuses a level that is none", "--log-level debgu", 2, "debug" },
  { "says that the interactive mode comes later", "-i", 2, "later" },
  { "takes the smallest limit of a handler's time",
    "--handler-limit 1e-300 -e 'print(1)'", 0, "^1\n" },
  { "takes a limit that is nearly whole seconds",
    "--handler-limit 9.9999999999 -e 'print(1)'", 0, "^1\n" },
  { "takes the longest limit", "--handler-limit 1e6 -e 'print(1)'", 0, "^1\n" },
  { "prints its version", "-v", 0, "^corolua %d" },
  { "prints its version by the long name", "--version", 0, "^corolua %d" },
  { "prints its options", "--help", 0, "%-%-handler%-limit" },
  { "prints its options by the short name", "-h", 0, "%-%-handler%-limit" },
  { "prints its options as a command", "help", 0, "%-%-handler%-limit" },
  { "prints the options of a command", "help lab", 0, "^usage: corolua lab" },
  { "prints what the doctor is for", "help doctor", 0, "^usage: corolua doctor" },
  { "knows which command help was meant to be of", "help docter", 2,
    "^corolua help: there is no command 'docter', did you mean 'doctor'%?\n$" },
  { "knows which command was meant", "docter", 1,
    "^corolua: cannot open docter: .*, did you mean 'corolua doctor'%?\n$" },
  { "knows which option was meant", "--versoin", 2, "did you mean '%-%-version'" },
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
  { "exits from a task",
    "-e 'require(\"corolua\").spawn(function() os.exit(5) end)'", 5 },
  { "exits from inside pcall", "-e 'pcall(os.exit, 6) print(1)'", 6, "^$" },
  { "exits from a coroutine",
    "-e 'coroutine.wrap(function() os.exit(6) end)() print(1)'", 6, "^$" },
  { "exits from inside require",
    "-e 'package.preload.x = function() os.exit(8) end require(\"x\") print(1)'", 8, "^$" },
  { "takes the low byte of a status", "-e 'os.exit(256 + 9)'", 9 },
  { "refuses a status that is none", "-e 'os.exit({})'", 1, "a boolean or an integer" },
  { "prints an error by its __tostring",
    [[-e 'error(setmetatable({}, { __tostring = function() return "spoken" end }))']],
    1, "spoken" },
  { "prints an error that is nil", "-e 'error()'", 1, "error object nil" },
  { "ends with 1 when a task raises, with its own traceback",
    [[-e 'local function deep() error("oops") end
      require("corolua").spawn(function() deep() end)']], 1, "oops\nstack trace.*deep" },
  { "leaves its own functions out of a traceback",
    [[-e 'require("corolua").group("x", { window = 0 })']], 1,
    "^corolua: %(command line%):1: group: option [^\n]*\nstack traceback:\n"
    .. "\t%(command line%):1: in main chunk\n$" },
  { "leaves its own functions out of a traceback from the loop",
    [[-e 'require("corolua.loop").timer(0, function() error("oops") end)
      require("corolua").sleep(1)']], 1,
    "^corolua: %(command line%):1: oops\nstack traceback:\n\t%[C%]: in function 'error'\n"
    .. "\t%(command line%):1: in function <%(command line%):1>\n$" },
  { "tells a number from a string that looks like one",
    [[-e 'require("corolua").after("1", print)']], 1,
    "after: the time must be a number of seconds, 0 or more, got \"1\" %(a string%)\n" },
  { "names a group that has handlers and was never joined", [[-e '
      local corolua = require("corolua")
      for _, name in ipairs({ "b", "a", "silent" }) do
        local room = corolua.group(name)
        if name ~= "silent" then room.on.message = print end
      end
      collectgarbage()']], 0,
    "^corolua: group 'a' has handlers and was never joined: see room:join%(%)\n"
    .. "corolua: group 'b' has handlers [^\n]*\n$" },
  { "names no group that it could not join",
    [[-e 'local room = require("corolua").group("a")
      room.on.message = print
      print((room:join({ timeout = 0.05 })))']], 0, "^nil\n$" },
  { "says where a task waits for ever",
    [[-e 'local scheduler = require("corolua.task.scheduler")
      scheduler.await(function() end)']], 1, "deadlock: a task waits and nothing is left" },
  { "does the work of at_exit, the last given first, which may wait",
    [[-e 'local scheduler = require("corolua.task.scheduler")
      for i = 1, 3 do
        scheduler.at_exit(function() print(scheduler.sleep(0.001), i) end)
      end
      os.exit(4)']], 4, "^true\t3\ntrue\t2\ntrue\t1\n$" },
  { "does the work of at_exit after an error",
    [[-e 'require("corolua.task.scheduler").at_exit(function() print("done") end) error("oops")']],
    1, "done" },
  { "runs what follows -- as the script", "-- /nonexistent.lua", 1, "nonexistent" },
  { "refuses -e without a chunk", "-e", 2, "'%-e' needs an argument" },
  { "refuses an unknown letter", "-x", 2, "unknown option '%-x'" },
  { "refuses an argument of a flag", "--no-strict=1", 2, "takes no argument" },
  { "refuses an unknown log target", "--log-target file", 2, "stderr or syslog" },
  { "is silent about warnings", "-e 'warn(\"careful\")'", 0, "^$" },
  { "shows warnings with -W", "-W -e 'warn(\"careful\")'", 0, "careful" },
  { "misses a library", "-l nosuchlibrary -e ''", 1, "module 'nosuchlibrary' not found" },
  { "logs to syslog, and not to stderr",
    "--log-level info --log-target syslog -e 'print(1)'", 0, "^1\n$" },
  { "logs nothing below its level", "--log-level warning -e 'print(1)'", 0, "^1\n$" },
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

  it("shows every function of a traceback where that is asked for", function()
    local pipe <close> = assert(io.popen(("COROLUA_TRACEBACK=full '%s' -e '%s' 2>&1")
      :format(support.program, [[require("corolua").group("x", { window = 0 })]])))
    local output = pipe:read("a")
    assert.matches("\n\t[^\n]*corolua/base/args%.lua:%d+: ", output)
    assert.matches("\n\t%(command line%):1: in main chunk\n", output)
    assert.matches("\n\tcorolua/cli/main%.lua:%d+: ", output)
  end)

  support.describe_user("with a syslog of its own", function()
    local folder

    local function write(name, text)
      local file <close> = assert(io.open(folder .. "/" .. name, "w"))
      assert(file:write(text))
    end

    before_each(function()
      folder = os.tmpname()
      os.remove(folder)
      assert(lfs.mkdir(folder))
      write("listen.pl", [[
        use IO::Socket::UNIX;
        $| = 1;
        my $log = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "dev/log") or die;
        print "ready\n";
        while (defined recv($log, my $text, 9999, 0)) {
          print "$text\n";
          last if $text =~ /the end/;
        }
      ]])
      write("run.sh", [[
        mkdir dev && : >dev/null && : >dev/urandom
        for device in null urandom; do mount --bind /dev/$device dev/$device; done
        perl listen.pl >text &
        until grep -qs ready text; do :; done
        mount --rbind dev /dev
        "$1" --log-target syslog fail.lua 2>errors
        "$1" --log-target syslog -e 'error("the end")' 2>/dev/null
        wait
      ]])
    end)

    after_each(function() os.execute("rm -r '" .. folder .. "'") end)

    it("writes an error there, with its traceback", function()
      write("fail.lua", 'local function f() error("oops") end\nf()\n')
      local pipe <close> = assert(io.popen(
        ("cd '%s' && timeout -k 1 20 unshare -Urm sh run.sh '%s' 2>&1; cat text")
          :format(folder, support.program)))
      local text = pipe:read("a")
      assert.matches("corolua%[?%d*%]?: [^\n]*fail%.lua:1: oops\n", text)
      assert.matches("corolua%[?%d*%]?: [^\n]*stack traceback:\n", text)
      assert.matches("corolua%[?%d*%]?: [^\n]*fail%.lua:1: in [^\n]*'f'\n", text)
    end)

    it("writes there what a script logs", function()
      write("fail.lua", [[
        local log = require("corolua").log
        log.error("one\ntwo of %d", 2)
        log.warn(("x"):rep(1000))
        log.info("below the level")]])
      local pipe <close> = assert(io.popen(
        ("cd '%s' && timeout -k 1 20 unshare -Urm sh run.sh '%s' 2>&1; cat text errors")
          :format(folder, support.program)))
      local text = pipe:read("a")
      assert.matches("\n<11>[^\n]*corolua%[?%d*%]?: [^\n]*one\n<11>[^\n]*two of 2\n", text)
      assert.matches("\n<12>[^\n]* x+\n<12>[^\n]* …x+\n<12>[^\n]* …x+\n", text)
      assert.equal(1000, #text:gsub("[^x]", ""))
      assert.not_matches("below", text)
    end)
  end)

  it("has in itself what every script needs", function()
    local place = os.tmpname()
    finally(function() os.execute("rm -rf " .. place) end)
    assert(os.execute(("rm %s && mkdir -p %s/bin && cp '%s' %s/bin"):format(place, place,
      support.program, place)))
    local pipe <close> = assert(io.popen(
      ("cd / && %s/bin/corolua -e 'print(1)' 2>&1"):format(place)))
    assert.equal("1\n", pipe:read("a"))
  end)

  it("tells of a missing script without its own traceback", function()
    local output = run("/nonexistent.lua")
    assert.equal("corolua: cannot open /nonexistent.lua: No such file or directory\n", output)
  end)

  it("tells of a script that does not compile without its own traceback", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local file <close> = assert(io.open(name, "w"))
    file:write("x =\n")
    file:flush()
    local output, status = run(name)
    assert.equal(("corolua: %s:2: unexpected symbol near <eof>\n"):format(name), output)
    assert.equal(1, status)
  end)

  it("gives a script its arguments, those before it as well", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local file <close> = assert(io.open(name, "w"))
    file:write("#!/usr/bin/env corolua\nprint(arg[-1], arg[0], arg[1], #arg, ...)\n")
    file:flush()
    assert.equal(("--\t%s\ta\t2\ta\t-b\n"):format(name), (run("-W -- " .. name .. " a -b")))
    assert(os.execute("chmod +x " .. name))
    file:close()
    local pipe <close> = assert(io.popen(("PATH='%s':\"$PATH\" %s a b")
      :format(support.build, name)))
    assert.equal(("corolua\t%s\ta\t2\ta\tb\n"):format(name), pipe:read("a"))
  end)

  it("runs LUA_INIT first, unless -E is given", function()
    local function output(options, environment)
      local pipe <close> = assert(io.popen(("%s '%s' %s -e 'print(2)'")
        :format(environment, support.program, options)))
      return pipe:read("a")
    end
    assert.equal("1\n2\n", output("", "LUA_INIT='print(1)'"))
    assert.equal("3\n2\n", output("", "LUA_INIT='print(1)' LUA_INIT_5_4='print(3)'"))
    assert.equal("2\n", output("-E", "LUA_INIT='print(1)'"))
  end)

  it("runs with every descriptor in use to its end", function()
    local output, status = run([[-e '
      local corolua, files = require("corolua"), {}
      local function take() return io.open("/dev/null") end
      for file in take do files[#files + 1] = file end
      print(corolua.sleep(0.001)) error("oops")']])
    assert.equal(1, status)
    assert.truthy(output:find("^true\ncorolua: .*oops"), output)
  end)

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
    for _, file in ipairs({
      "/bin/corolua", "/lib/lua/5.4/corosync/cpg.so", "/lib/lua/5.4/corolua/loop.so",
      "/share/lua/5.4/corolua/init.lua", "/share/man/man1/corolua.1",
    }) do
      assert.equal("file", lfs.attributes(prefix .. file, "mode"), file)
    end
    for line in io.lines(prefix .. "/log") do lines[#lines + 1] = line:match("^ *(export .*)") end
    assert.equal(2, #lines)
    local script = [[-e 'assert(require("corolua.sys"))
      print(require("corolua").run(function() return 3 end))']]
    for _, command in ipairs({
      table.concat(lines, "; ") .. "; " .. support.preload_stub() .. " lua5.4 " .. script,
      prefix .. "/bin/corolua " .. script,
    }) do
      local pipe <close> = assert(io.popen(command .. " 2>&1"))
      assert.equal("3\n", pipe:read("a"))
    end
  end)

  it("needs no setting where Debian's Lua looks by itself", function()
    local root = os.tmpname()
    os.remove(root)
    finally(function() os.execute("rm -r '" .. root .. "'") end)
    for _, prefix in ipairs({ "/usr", "/usr/local" }) do
      local pipe <close> = assert(io.popen(("DESTDIR='%s' cmake --install '%s' --prefix %s 2>&1")
        :format(root, support.build, prefix)))
      assert.not_matches("LUA_PATH", pipe:read("a"))
      local module = root .. prefix .. "/lib/lua/5.4/corosync/cpg.so"
      assert.equal("file", lfs.attributes(module, "mode"))
    end
  end)
end)
