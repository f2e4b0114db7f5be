local lab_options = require("corolua.lab.options")
local lfs = require("lfs")
local terminal = require("corolua.lab.terminal")
local support = require("spec.support")
local words = require("corolua.lab.words")

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

  it("gives the shell the terminal, and a line that enters a node from another one", function()
    local inner = write("inner.sh",
      ("#!/bin/sh\nps -o stat= $$\nread word <%s/gate\n"):format(folder))
    local outer = write("outer.sh", ([[
      mkfifo gate; chmod +x inner.sh
      script -qfec 'SHELL=%s "%s" lab -n 3 --shell 1' seen >/dev/null </dev/null &
      until line=$(grep -os 'nsenter.*[a-z]' seen | sed -n 2p) && [ -n "$line" ]; do :; done
      $line corosync-quorumtool -s
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
      ["-n 99 x.lua"] = "lab option 'nodes' must be an integer of 1 to 64, got 99",
      ["-n three x.lua"] = "'--nodes' takes a number, got 'three'",
      ["--crypto=1 x.lua"] = "'--crypto' takes no argument",
      ["--shell 4"] = "there is no node 4; there are nodes 1 to 3",
      ["--shell 1 x.lua"] = "--shell takes no script",
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
    local output, status = command("--help")
    assert.is_truthy(output:find("^usage: corolua lab"))
    assert.same(0, status)
  end)
end)

describe("the words of corolua lab", function()
  it("name every option of lab.start but those nodes that start later", function()
    for _, name in ipairs(lab_options.names()) do
      if name ~= "initial" then
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
    assert.same("2| ", terminal.mark(2, false))
    assert.same("\27[33m2| \27[0m", terminal.mark(2, true))
  end)
end)
