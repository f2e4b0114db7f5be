local corolua = require("corolua")
local lfs = require("lfs")
local support = require("spec.support")

local exec = corolua.exec

local function sh(script, options) return exec("sh", { "-c", script }, options) end

local is_gone = support.is_gone

local function goes(pid)
  support.eventually(function() return is_gone(pid) end, 20)
end

-- Counts turns of the loop while the function runs.
local function turns_during(fn)
  local turns = 0
  local timer = corolua.every(0.001, function() turns = turns + 1 end)
  fn()
  timer:cancel()
  return turns
end

describe("corolua.task.exec", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
  end)

  after_each(function() os.execute("rm -r '" .. folder .. "'") end)

  local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "w"))
    assert(file:write(text))
    return folder .. "/" .. name
  end

  -- The process ids that a script has written, as soon as there are so many.
  local function pids(name, count)
    local list
    support.eventually(function()
      list = {}
      local file <close> = io.open(folder .. "/" .. name)
      for line in file and file:lines() or function() end do list[#list + 1] = tonumber(line) end
      return #list == count
    end, 20)
    return table.unpack(list)
  end

  it("gives status and output, errors among it, as they came", function()
    assert.same({ status = 3, output = "out\nerr\nagain\n" },
      sh("echo out; echo err >&2; echo again; exit 3"))
    assert.same({ status = 0, output = "" }, exec("true"))
  end)

  it("gives the program its arguments as they are", function()
    assert.same({ status = 0, output = "a b|*|$HOME||7|1.5|" },
      exec("printf", { "%s|", "a b", "*", "$HOME", "", 7, 1.5 }))
  end)

  it("holds up nobody", function()
    write("go", "")
    local turns = turns_during(function()
      local task = corolua.spawn(sh, ("while [ -e '%s/go' ]; do :; done"):format(folder))
      local deadline = corolua.now() + 0.05
      while corolua.now() < deadline do corolua.sleep(0.001) end
      assert(os.remove(folder .. "/go"))
      assert.same({ status = 0, output = "" }, task:wait(20))
    end)
    assert.is_true(turns > 0)
  end)

  it("runs many at a time", function()
    local tasks = {}
    for i = 1, 40 do tasks[i] = corolua.spawn(exec, "echo", { i }) end
    for i = 1, 40 do assert.same({ status = 0, output = i .. "\n" }, tasks[i]:wait(30)) end
  end)

  it("gives it input, which it need not read", function()
    local text = ("0123456789abcde\n"):rep(1 << 16)
    assert.equal(text, assert(exec("cat", nil, { input = text })).output)
    assert.same({ status = 0, output = "" }, exec("true", nil, { input = text }))
    assert.same({ status = 0, output = "0\n" }, exec("wc", { "-c" }, { input = "" }))
    assert.same({ status = 0, output = "0\n" }, exec("wc", { "-c" }))
  end)

  it("runs it in a folder, with variables of its own", function()
    assert.equal(folder .. "\n", assert(sh("pwd", { cwd = folder })).output)
    local result = assert(sh("echo $A,$B,${HOME-none},${PATH:+path}",
      { env = { A = "x=y", B = 2, HOME = false } }))
    assert.equal("x=y,2,none,path\n", result.output)
  end)

  it("tells of a signal that ended it", function()
    assert.same({ status = 143, output = "x", signal = 15 }, sh("printf x; kill $$"))
    assert.same({ status = 137, output = "", signal = 9 }, sh("kill -9 $$"))
    assert.same({ status = 137, output = "" }, sh("exit 137"))
  end)

  it("says what cannot be run", function()
    local function refused(code, pattern, ...)
      local result, why, is = exec(...)
      assert.is_nil(result)
      assert.equal(code, is)
      assert.matches(pattern, why)
    end
    local plain = write("plain", "x")
    refused("ENOENT", "^exec nosuchprogram: No such file", "nosuchprogram")
    refused("ENOENT", "^exec /nosuch/program: No such file", "/nosuch/program")
    refused("EACCES", "^exec " .. plain .. ": Permission denied", plain)
    refused("EACCES", "^exec " .. folder .. ": Permission denied", folder)
    refused("ENOENT", "^chdir /nosuch: No such file", "true", nil, { cwd = "/nosuch" })
    refused("ENOTDIR", "^chdir " .. plain .. ": Not a directory", "true", nil, { cwd = plain })
    refused("E2BIG", "^exec true: ", "true", { ("x"):rep(1 << 20) })
  end)

  it("kills it and what it started at its timeout", function()
    local result, why, code = sh(("echo $$ >'%s/pids'; sleep 1000 & echo $! >>'%s/pids'; wait")
      :format(folder, folder), { timeout = 1 })
    assert.is_nil(result)
    assert.equal("sh: timed out after 1 s", why)
    assert.equal("ERR_TIMEOUT", code)
    local first, second = pids("pids", 2)
    assert.is_true(is_gone(first))
    goes(second)
  end)

  it("ends one that writes too much, and says so", function()
    local result, why, code = exec("yes", nil, { max_output = 1000, timeout = 60 })
    assert.same({ nil, "yes: more than 1000 bytes of output", "ERR_TOO_BIG" },
      { result, why, code })
    assert.equal("ERR_TOO_BIG", select(3, exec("yes", nil, { timeout = 60 })))
    assert.equal(1000, #assert(sh("yes | head -c 1000", { max_output = 1000 })).output)
    assert.equal("ERR_TOO_BIG", select(3, sh("echo x", { max_output = 0 })))
  end)

  it("does not wait for what it left behind, which ends with it", function()
    local before = support.descriptors()
    assert.same({ status = 0, output = "done\n" },
      sh(("sleep 1000 & echo $! >'%s/pids'; echo done"):format(folder), { timeout = 60 }))
    goes((pids("pids", 1)))
    assert.equal(before, support.descriptors())
  end)

  it("lets go of what made a session of its own, also if that writes for ever", function()
    write("flood", [[
      echo $$ >>pids
      head -c 10000000 /dev/zero
      echo >>flows
      exec cat /dev/zero]])
    local result = assert(sh([[
      for i in 1 2 3 4; do setsid sh flood & done
      until [ "$(wc -l <flows)" = 4 ]; do :; done 2>/dev/null
      exit 4]], { cwd = folder, timeout = 60, max_output = 1 << 40 }))
    local flooding = { pids("pids", 4) }
    assert.equal(4, result.status)
    for _, pid in ipairs(flooding) do goes(pid) end -- nobody reads their pipe any more
  end)

  it("says that somebody else took the exit status", function()
    local sys = require("corolua.sys")
    local task = corolua.spawn(sh, ("echo $$ >'%s/pids'; exec sleep 1000"):format(folder))
    local pid = pids("pids", 1)
    assert(sys.kill(pid, "KILL"))
    assert(sys.reap(pid))
    local result, why, code = task:wait(20)
    assert.same({ nil, "sh: somebody else took its exit status", "ECHILD" }, { result, why, code })
  end)

  it("goes on when somebody has killed its guard", function()
    assert(exec("true"))
    local own = io.open("/proc/self/stat"):read("n")
    local script = [[for f in /proc/[0-9]*/stat; do read -r pid name state parent rest <$f &&
      [ "$name $parent" = "(corolua-guard) %d" ] && kill -9 $pid; done 2>/dev/null; true]]
    assert(sh(script:format(own)))
    assert.same({ status = 0, output = "x\n" }, exec("echo", { "x" }))
  end)

  it("refuses at the caller's line what is wrong", function()
    for pattern, fn in pairs({
      ["exec: the program must be a string, got nil"] = function() exec() end,
      ["exec: the program must have a name, got \"\""] = function() exec("") end,
      ["exec: the program must have no NUL byte, got \"a\\0\""] = function() exec("a\0") end,
      ["exec: the arguments must be an array of strings, got \"x\""] =
        function() exec("true", "x") end,
      ["exec: argument 2 must be a string, got a table"] = function() exec("true", { 1, {} }) end,
      ["exec: argument 1 must have no NUL byte"] = function() exec("true", { "\0" }) end,
      ["exec: unknown option 'timout', did you mean 'timeout'%?"] =
        function() exec("true", nil, { timout = 1 }) end,
      ["exec: option 'timeout' must be a number of seconds, 0 or more, got \"1\""] =
        function() exec("true", nil, { timeout = "1" }) end,
      ["exec: option 'input' must be a string, got a table"] =
        function() exec("true", nil, { input = {} }) end,
      ["exec: option 'env' must be a table of values by name, got \"A=1\""] =
        function() exec("true", nil, { env = "A=1" }) end,
      ["exec: a variable of env must have a name without '=', got \"A=\""] =
        function() exec("true", nil, { env = { ["A="] = "x" } }) end,
      ["exec: env.A must be a string, got true"] =
        function() exec("true", nil, { env = { A = true } }) end,
      ["exec: option 'cwd' must be a string, got 1"] =
        function() exec("true", nil, { cwd = 1 }) end,
      ["exec: option 'max_output' must be an integer of 0 or more, got 1.5"] =
        function() exec("true", nil, { max_output = 1.5 }) end,
      ["exec waits, which a coroutine inside a task cannot"] =
        function() assert(coroutine.resume(coroutine.create(exec), "true")) end,
    }) do
      local ok, message = pcall(fn)
      assert.is_false(ok)
      assert.truthy(tostring(message):match(pattern), message)
      if not pattern:find("coroutine") then support.raises(pattern, fn) end
    end
    support.raises("exec: a condition of corolua.wait must not wait itself",
      function() corolua.wait(function() exec("true") end) end)
  end)

  -- The program in a process of its own.
  local function run(script, how)
    local pipe <close> = assert(io.popen(("cd '%s' && timeout -k 1 60 %s '%s' 2>&1; echo \" $?\"")
      :format(folder, how or ("'" .. support.program .. "'"), write("script.lua", script))))
    local output, status = pipe:read("a"):match("^(.*) (%d+)\n$")
    return output, tonumber(status)
  end

  local LONG = [[corolua.exec("sh", { "-c",
    "echo $$ >pids; sleep 1000 & echo $! >>pids; touch ready; wait" })]]

  it("is interrupted by a stop, and its program ended", function()
    local output, status = run(([[
      local corolua, lfs = require("corolua"), require("lfs")
      corolua.every(0.001, function() if lfs.attributes("ready") then corolua.stop() end end)
      print(%s)]]):format(LONG))
    assert.equal("nil\tstopping\tERR_INTERRUPT\n", output)
    assert.equal(0, status)
    local first, second = pids("pids", 2)
    goes(first)
    goes(second)
  end)

  it("leaves nobody behind when the script raises, exits or is killed", function()
    for _, the_end in ipairs({ "error('oops')", "os.exit(3)",
      "require('corolua.sys').kill(require('corolua.sys').id().pid, 'KILL')" }) do
      os.remove(folder .. "/ready")
      run(([[
        local corolua, lfs = require("corolua"), require("lfs")
        corolua.spawn(function() %s end)
        while not lfs.attributes("ready") do corolua.sleep(0.001) end
        %s]]):format(LONG, the_end))
      local first, second = pids("pids", 2)
      goes(first)
      goes(second)
    end
  end)

  it("says that the program stops when it is called after that", function()
    assert.equal("nil\tstopping\tERR_INTERRUPT\n", (run([[
      local corolua = require("corolua")
      corolua.stop()
      print(corolua.exec("touch", { "made" }))]])))
    assert.is_nil(lfs.attributes(folder .. "/made"))
  end)

  it("runs in stock lua5.4", function()
    local paths = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' %s")
      :format(support.build, support.build, support.build, support.preload_stub()) .. " lua5.4"
    assert.equal("0\tx\n", (run([[
      local corolua = require("corolua")
      corolua.run(function()
        local result = assert(corolua.exec("printf", { "x" }))
        print(result.status, result.output)
      end)]], "env " .. paths)))
    assert.matches("exec waits, which only a task can", (run([[
      print(pcall(require("corolua").exec, "true"))]], "env " .. paths)))
  end)
end)
