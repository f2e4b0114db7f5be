local crew = require("corolua.cli.crew")
local lab_options = require("corolua.lab.options")
local lfs = require("lfs")
local support = require("spec.support")
local words = require("corolua.cli.lab_command_line")

local folder

local function write(name, text)
  local path = folder .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return path
end

-- What a command line prints, errors included, and its exit status.
local function run(line)
  local pipe = assert(io.popen("timeout -k 5 60 " .. line .. " 2>&1"))
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  return output, status
end

local function command(rest) return run(("'%s' lab %s"):format(support.program, rest)) end

local function sorted_lines(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

local WHO = [[
local votequorum = require("corosync.votequorum")
local votes = assert(votequorum.initialize())
local id = assert(votes:getinfo(0)).node_id
]]

describe("corolua lab", function()
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
  end)

  teardown(function()
    for name in lfs.dir(folder) do os.remove(folder .. "/" .. name) end
    lfs.rmdir(folder)
  end)

  it("runs the script on every node, with its arguments, each line behind its node", function()
    local script = write("who.lua", WHO .. [[print("node " .. id, ...)]])
    local output, status = command("-n 3 " .. script .. " a 'b c'")
    assert.same({ "1| node 1\ta\tb c", "2| node 2\ta\tb c", "3| node 3\ta\tb c" },
      sorted_lines(output))
    assert.same(0, status)
  end)

  it("ends with the status of the first script that failed", function()
    local script = write("fail.lua", WHO .. [[
      local corolua = require("corolua")
      if id == 2 then os.exit(7) end
      assert(id ~= 3 or not corolua.wait(function()
        return #assert(require("corosync.cpg")) == 0
      end, 0))
    ]])
    local _, status = command("-n 2 " .. script)
    assert.same(7, status)
  end)

  it("says how a script ended that did not end well", function()
    local script = write("end.lua", WHO .. [[
      print("node", id)
      if id == 1 then os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n")) end
      os.exit(id == 2 and 3 or 0)
    ]])
    local output = command("-n 3 " .. script)
    assert.same({ "1| (killed by signal 9)", "1| node\t1", "2| (exit status 3)", "2| node\t2",
      "3| node\t3" }, sorted_lines(output))
  end)

  local PATIENT = [[
    local corolua = require("corolua")
    while corolua.sleep(60) do end
    print("stopped")
  ]]

  it("stops all as soon as one has failed, if it is asked to", function()
    local script = write("fast.lua", WHO .. [[
      local wait, room, ready = require("corolua").wait, require("corolua").group("fast"), 0
      function room.on.message() ready = ready + 1 end
      assert(room:join())
      assert(wait(function() return #room.members == 3 end, 20))
      assert(room:send("ready"))
      if id == 2 and wait(function() return ready == 3 end, 20) then os.exit(3) end
    ]] .. PATIENT)
    local output, status = command("-n 3 --fail-fast " .. script)
    assert.same({ "1| stopped", "2| (exit status 3)", "3| stopped" }, sorted_lines(output))
    assert.same(3, status)
  end)

  it("stops all after a time limit", function()
    local output, status = command("-n 2 --time-limit 0.5 " .. write("slow.lua", PATIENT))
    assert.matches("corolua lab: stopped after 0.5 s (--time-limit)\n", output, 1, true)
    assert.same(124, status)
  end)

  it("kills what does not stop", function()
    local script = write("deaf.lua", [[os.execute("trap '' TERM; sleep 60")]])
    local output, status = command("-n 1 --time-limit 0.5 " .. script)
    assert.same({ "1| (killed by signal 9)",
      "corolua lab: stopped after 0.5 s (--time-limit)" }, sorted_lines(output))
    assert.same(124, status)
  end)

  it("runs a text on every node, and a script behind it", function()
    local script = write("behind.lua", "print('script', ...)")
    local output = command("-n 1 -e 'print(1)' -l s=string -e 'print(s.rep(\"a\", 2))' "
      .. script .. " x")
    assert.same("1| 1\n1| aa\n1| script\tx\n", output)
    assert.same("1| 1\n", (command("-n 1 -e 'print(1)'")))
  end)

  it("runs standard input as the script on every node", function()
    local output, status = run(("sh -c 'echo \"print(arg[0], ...)\" | \"%s\" lab -n 2 - a b'")
      :format(support.program))
    assert.same({ "1| -\ta\tb", "2| -\ta\tb" }, sorted_lines(output))
    assert.same(0, status)
  end)

  local READER = "local all = io.read('a') print(#all .. ' bytes', all:sub(-12))"

  it("gives the input to one node, however much it is", function()
    local script = write("reader.lua", READER)
    for _, way in ipairs({ "seq 80000 | %s", "seq 80000 >numbers; %s <numbers" }) do
      local output = run(("sh -c 'cd %s; " .. way .. "'"):format(folder,
        ('"%s" lab -n 2 --stdin 2 %s'):format(support.program, script)))
      assert.matches("1| 0 bytes\t\n", output, 1, true)
      assert.matches("2| 468894 bytes\t79999\n2| 80000\n2| \n", output, 1, true)
    end
  end)

  it("says that the input cannot be read, and ends it", function()
    local output, status = run(("sh -c '\"%s\" lab -n 1 - <&-'"):format(support.program))
    assert.same({ "corolua lab: cannot read -\n", 1 }, { output, status })
    -- A socket has no name to be opened by.
    local script = write("unread.lua", READER)
    output, status = run(("bash -c '\"%s\" lab -n 1 --stdin 1 %s </dev/udp/127.0.0.1/9'")
      :format(support.program, script))
    assert.matches("corolua lab: cannot read the input: [^\n]*No such device", output)
    assert.matches("1| 0 bytes\t\n", output, 1, true)
    assert.equal(0, status)
  end)

  it("runs a script that has the name of an option or a command", function()
    for _, name in ipairs({ "-v", "help" }) do
      local script = write(name, "print(arg[0], ...)")
      local output = run(("sh -c 'cd %s && \"%s\" lab -n 1 -- %s a'")
        :format(folder, support.program, name))
      assert.equal(("1| %s\ta\n"):format(name), output)
      os.remove(script)
    end
  end)

  it("outlives a script that reads no further", function()
    local output, status = run(([[sh -c 'seq 80000 |
      "%s" lab -n 1 --stdin 1 -e "io.read() io.stdin:close() print(1)"']]):format(support.program))
    assert.same({ "1| 1\n", 0 }, { output, status })
  end)

  -- What is printed on a terminal where this was typed.
  local function typed(keys, rest)
    local line = ("printf \"%s\" | script -qec \"NO_COLOR=1 '%s' lab %s\" /dev/null")
      :format(keys, support.program, rest)
    local output = run("sh -c '" .. line:gsub("'", [['\'']]) .. "'"):gsub("\r", "")
    return output
  end

  it("types on a terminal to the node that a line begins with, until the end", function()
    local output = typed("2 hello\\nwho?\\n9 x\\n1  a b\\n2 again\\n\\004",
      "-n 2 " .. write("reader.lua", READER))
    assert.matches("\n1| 5 bytes\t a b\n", output, 1, true)
    assert.matches("\n2| 12 bytes\thello\n2| again\n", output, 1, true)
    assert.matches("corolua lab: which node? '2 hello' types hello on node 2\n", output, 1, true)
    assert.matches("corolua lab: there is no node 9; there are nodes 1 to 2\n", output, 1, true)
  end)

  it("lets people chat, until the end of the input", function()
    local output = typed("2 hello\\n\\004", "-n 2 examples/chat.lua")
    assert.matches("\n2| 2/%d+\thello\n", output)
  end)

  it("ends all of them when it is told to stop", function()
    local script = write("wait.lua", [[
      local corolua = require("corolua")
      print("waiting")
      while corolua.sleep(60) do end
      print("stopped")
    ]])
    local output, status = run(([[sh -c '"%s" lab -n 2 %s >%s/out & pid=$!
      until [ "$(grep -cs waiting %s/out)" = 2 ]; do :; done; kill -TERM $pid; wait $pid
      status=$?; cat %s/out; exit $status']])
      :format(support.program, script, folder, folder, folder))
    assert.same({ "1| stopped", "1| waiting", "2| stopped", "2| waiting" }, sorted_lines(output))
    assert.same(0, status)
  end)

  it("colours the nodes on a terminal, unless NO_COLOR is set", function()
    local script = write("short.lua", [[print("here")]])
    local line = ("script -qec '%%s \"%s\" lab -n 1 %s' /dev/null </dev/null")
      :format(support.program, script)
    assert.same("\27[36m1| \27[0mhere\r\n", (run(line:format("NO_COLOR= TERM=xterm"))))
    assert.same("1| here\r\n", (run(line:format("NO_COLOR=1 TERM=xterm"))))
  end)

  it("opens a shell in which corosync's own tools see the node", function()
    local output, status = run(([[sh -c 'echo "corosync-quorumtool -s; exit 4" |
      SHELL=/bin/sh "%s" lab -n 3 --shell 2']]):format(support.program))
    assert.is_truthy(output:find("Node ID:%s+2\n"), output)
    assert.is_truthy(output:find("node 3: nsenter %-t %d+ .*%-m %-n %-r\n"), output)
    assert.same(4, status)
  end)

  it("opens a shell that is named as the node, and finds this program", function()
    local before = run("hostname")
    local output = run(([[sh -c 'echo "hostname; echo \$PS1; command -v corolua" |
      SHELL=/bin/sh "%s" lab -n 3 --shell 2']]):format(support.program))
    assert.matches(("\nn2\nn2$\n%s\n"):format(support.program), output, 1, true)
    assert.same(before, (run("hostname")))
  end)

  it("gives the shell the terminal, and a line that enters a node from another one", function()
    local inner = write("inner.sh",
      ("#!/bin/sh\nps -o stat= $$\nread word <%s/gate\n"):format(folder))
    local outer = write("outer.sh", ([[
      mkfifo gate; chmod +x inner.sh
      script -qfec 'SHELL=%s "%s" lab -n 3 --shell 1' seen >/dev/null </dev/null &
      until line=$(grep -os 'nsenter.*[a-z]' seen | sed -n 2p) && [ -n "$line" ]; do :; done
      $line env PATH="$PATH:/usr/sbin" corosync-quorumtool -s
      echo >gate
      wait
      cat seen]]):format(inner, support.program))
    local output = run(("sh -c 'cd %s && . %s'"):format(folder, outer))
    assert.is_truthy(output:find("Node ID:%s+2\n"), output)
    assert.is_truthy(output:find("S%S*%+\r?\n"), "not in the foreground: " .. output)
  end)

  it("says what is wrong with its words", function()
    for rest, sentence in pairs({
      [""] = "no script given",
      ["--tokn 3 x.lua"] = "unknown option '--tokn', did you mean '--token'?",
      ["-x x.lua"] = "unknown option '-x'",
      ["-n 99 x.lua"] = "option 'nodes' must be an integer of 1 to 64, got 99",
      ["-n three x.lua"] = "'-n' takes a number, got 'three'",
      ["--crypto=1 x.lua"] = "'--crypto' takes no argument",
      ["--shell 4"] = "there is no node 4; there are nodes 1 to 3",
      ["--shell 1 x.lua"] = "--shell takes no script",
      ["--shell 1 -e x"] = "--shell takes no script",
      ["--stdin 4 x.lua"] = "there is no node 4; there are nodes 1 to 3",
      ["--stdin 1 -"] = "--stdin: the input is the script itself",
      ["--time-limit 0 x.lua"] = "'--time-limit' takes seconds above 0, got 0",
      ["--fail-fst x.lua"] = "unknown option '--fail-fst', did you mean '--fail-fast'?",
      ["-e"] = "'-e' needs an argument",
      ["--token"] = "'--token' needs an argument",
    }) do
      local output, status = command(rest)
      assert.same("corolua lab: " .. sentence .. "; see corolua lab --help\n", output)
      assert.same(2, status)
    end
  end)

  it("says that it cannot read a script before it starts anything", function()
    assert.same({ "corolua lab: cannot read no/such.lua\n", 1 }, { command("no/such.lua") })
  end)

  it("is a word of its own: a script of that name is ./lab", function()
    local script = write("lab", [[print("a script")]])
    local output = run(("sh -c 'cd %s && %s ./lab'"):format(folder, support.program))
    assert.same("a script\n", output)
    os.remove(script)
  end)

  it("tells its options", function()
    for _, word in ipairs({ "--help", "-h" }) do
      local output, status = command(word)
      assert.is_truthy(output:find("^usage: corolua lab"))
      assert.same(0, status)
    end
  end)
end)

describe("the words of corolua lab", function()
  it("name every option of lab.start but those that scripts alone have a use for", function()
    for _, name in ipairs(lab_options.names()) do
      if name ~= "initial" and name ~= "recorder" then
        local word = "--" .. name:gsub("_", "-")
        assert.is_truthy(words.help:find(word, 1, true), word)
      end
    end
  end)

  it("become the options of lab.start", function()
    local parsed = words.parse({
      "-n5", "--transport=knet", "--links", "2", "--crypto", "--two-node", "--expected-votes", "4",
      "--log-dir", "/x", "script", "--not-ours",
    })
    assert.same({
      nodes = 5, transport = "knet", links = 2, crypto = true, two_node = true,
      expected_votes = 4, log_dir = "/x",
    }, parsed.lab)
    assert.same({ "script", { "--not-ours" } }, { parsed.script, parsed.args })
  end)

  it("take a number behind --shell, or none", function()
    assert.same(2, words.parse({ "--shell", "2" }).shell)
    assert.same(1, words.parse({ "--shell", "-n", "2" }).shell)
  end)
end)

describe("the mark of a node", function()
  it("is its number, and a colour on a terminal", function()
    assert.same("2| ", crew.mark(2, false))
    assert.same("\27[33m2| \27[0m", crew.mark(2, true))
  end)
end)
