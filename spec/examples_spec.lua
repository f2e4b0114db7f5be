-- Not sanitized: it compares what programs print, and reaches no C of its own.
local election = require("corolua.election")
local lab = require("corolua.lab")
local files = require("spec.support.files")
local lfs = require("lfs")
local support = require("spec.support")

-- The examples that are for each node of a cluster, as `corolua lab` runs them.
describe("the example", function()
  local cluster
  local shown = {}

  setup(function() cluster = assert(lab.start({ nodes = 3 })) end)

  teardown(function() cluster:close() end)

  local function start(name, ...)
    local scripts = {}
    for i, node in ipairs(cluster) do
      scripts[i] = assert(node:run("examples/" .. name .. ".lua", ...))
    end
    return scripts
  end

  -- What a script printed until its end, which was a good one.
  local function finish(script)
    local lines = {}
    for line in script:lines() do table.insert(lines, line) end
    assert.same(0, assert(script:wait(20)), table.concat(lines, "\n"))
    return lines
  end

  -- Runs it on all nodes to its end: what each printed.
  local function run(name, ...)
    local printed = start(name, ...)
    for i, script in ipairs(printed) do printed[i] = finish(script) end
    return printed
  end

  local function example(name, sentence, check)
    shown[name .. ".lua"] = true
    it(name .. " " .. sentence, check)
  end

  -- The lines that match, in their order.
  local function matching(lines, pattern)
    local found = {}
    for _, line in ipairs(lines) do table.insert(found, line:match(pattern)) end
    return found
  end

  local function sorted(list)
    table.sort(list)
    return list
  end

  example("chat", "shows all the same words in the same order", function()
    local printed = run("chat")
    local words = matching(printed[1], "hello from node %d")
    assert.same(words, matching(printed[2], "hello from node %d"))
    assert.same(words, matching(printed[3], "hello from node %d"))
    assert.same({ "hello from node 1", "hello from node 2", "hello from node 3" }, sorted(words))
  end)

  it("chat says what is typed, until the end of the input", function()
    local room <close> = cluster[1]:group("chat")
    assert(room:join())
    local result = assert(cluster[2]:tool("sh", "-c",
      ("printf 'one\\ntwo\\n' | '%s' examples/chat.lua"):format(support.program)))
    assert.same(0, result.status, result.output)
    assert.equal("one", (room:next("message", 5)))
    assert.equal("two", (room:next("message", 5)))
    assert.same({ "one", "two" }, matching({ result.output:match("(one)\n.*(two)\n") }, "%a+"))
  end)

  example("counter", "comes to the same value by the same steps everywhere", function()
    local printed = run("counter")
    assert.same({ "counter 600 after 300 messages" }, matching(printed[1], "^counter.*messages"))
    assert.same(printed[1], printed[2])
    assert.same(printed[1], printed[3])
  end)

  example("quorum_watch", "tells of quorum lost and won, with the nodes that are there", function()
    local scripts = start("quorum_watch", "60")
    local function next_line(i) return assert(scripts[i]:next(10)) end
    for i = 1, 3 do assert.equal("quorate\tnodes 1 2 3", next_line(i)) end
    assert(cluster:partition({ { 1, 2 }, { 3 } }))
    assert.equal("no quorum\tnodes 3", next_line(3))
    assert.equal("quorate\tnodes 1 2", next_line(1))
    assert(cluster:heal())
    assert(cluster:settle())
    local last
    repeat last = next_line(3) until last:find("1 2 3", 1, true)
    assert.equal("quorate\tnodes 1 2 3", last)
    for i = 1, 3 do
      assert(scripts[i]:kill("TERM"))
      finish(scripts[i])
    end
  end)

  example("votes", "changes the votes of all, and changes them back", function()
    local five, three = "told of expected votes\t5", "told of expected votes\t3"
    assert.same({
      {
        five, "setvotes\t5 votes, 5 expected, 3 needed",
        "setvotes\t3 votes, 5 expected, 3 needed",
        three, "setexpected\t3 votes, 3 expected, 2 needed",
      },
      { five, three },
      { five, three },
    }, run("votes"))
  end)

  example("dispatch", "shows which modes wait and how much they take", function()
    for _, lines in ipairs(run("dispatch")) do
      assert.same({
        "one_nonblocking\tnil\tcpg_dispatch: try again\tERR_TRY_AGAIN",
        "  the own join", "one\ttrue",
        "  message 1", "one\ttrue",
        "  message 2", "  message 3", "all\ttrue\tfalse",
        "  end", "blocking\ttrue",
      }, lines)
    end
  end)

  example("groups", "hears in each group only its own members", function()
    local all, odd = "all\tmessages from nodes 1 2 3", "odd\tmessages from nodes 1 3"
    assert.same({ { all, odd }, { all, "even\tmessages from nodes 2" }, { all, odd } },
      run("groups"))
  end)

  example("processes", "has two members on each node", function()
    local printed = run("processes")
    local lists, members = {}, {}
    for _, lines in ipairs(printed) do
      assert.same(2, #lines)
      for _, line in ipairs(lines) do
        local own, list = line:match("^(%d+/%d+)\tof (.*)$")
        table.insert(members, own)
        table.insert(lists, list)
      end
    end
    for _, list in ipairs(lists) do assert.equal(lists[1], list) end
    local listed = {}
    for member in lists[1]:gmatch("%d+/%d+") do table.insert(listed, member) end
    assert.same(6, #listed)
    assert.same(sorted(members), sorted(listed))
  end)

  example("lock", "lets one in at a time, with a token that rises", function()
    local printed = run("lock")
    assert.same(printed[1], printed[2])
    assert.same(printed[1], printed[3])
    local holders, last = {}, 0
    for _, line in ipairs(printed[1]) do
      local node, token = line:match("^(%d+)/%d+\thas the lock, token (%d+)$")
      assert.is_true(tonumber(token) > last)
      last = tonumber(token)
      table.insert(holders, node)
    end
    assert.same({ "1", "2", "3" }, sorted(holders))
  end)

  example("leader", "has each node serve once, one after the other", function()
    local terms = {}
    for _, lines in ipairs(run("leader")) do
      assert.same(2, #lines)
      local term = lines[1]:match("^serves 10%.77%.0%.100/32 in term (%d+)$")
      assert.equal("no longer serves in term " .. term, lines[2])
      table.insert(terms, term)
    end
    assert.same(3, #terms)
    assert.is_true(terms[1] ~= terms[2] and terms[1] ~= terms[3] and terms[2] ~= terms[3])
  end)

  local function has_address(i)
    local addresses = assert(cluster[i]:tool("ip", "-o", "address")).output
    return addresses:find("10.77.0.100", 1, true) ~= nil
  end

  -- The node that has the address.
  local function serving()
    local found
    for i = 1, 3 do
      if has_address(i) then found = found and "two nodes" or i end
    end
    return found
  end

  local function stop_all(scripts)
    for i = 1, 3 do
      assert(scripts[i]:kill("TERM"))
      finish(scripts[i])
    end
    assert.is_nil(serving())
  end

  it("leader keeps the address through rings that leave the leader in place", function()
    local scripts = start("leader", "60")
    support.eventually(serving, 10)
    local first = serving()
    local watcher <close> = assert(election.open(cluster[first]:group("leader")))
    support.comes(function() return watcher.leader end)
    assert.matches("^serves", scripts[first]:next(10))
    local leader, other = watcher.leader, cluster[first % 3 + 1]
    for _, what in ipairs({ "kill", "start" }) do
      local term = watcher.term
      assert(other[what](other))
      support.comes(function() return watcher.leader == leader and watcher.term > term end)
    end
    assert.is_nil(scripts[first]:take())
    assert.is_true(has_address(first))
    assert(watcher:close())
    stop_all(scripts)
  end)

  it("leader with a lease gives the address up when its corosync hangs", function()
    local scripts = start("leader", "60", "0.3")
    support.eventually(serving, 10)
    local first = serving()
    assert(cluster[first]:pause())
    assert.matches("^serves", scripts[first]:next(10))
    assert.matches("^no longer serves", scripts[first]:next(10))
    assert.is_false(has_address(first))
    support.eventually(serving, 10)
    assert(cluster[first]:resume())
    assert(cluster:settle())
    stop_all(scripts)
  end)

  it("leader takes the address along when the leader is cut off", function()
    local scripts = start("leader", "60")
    local first
    support.eventually(function() first = serving() return first end, 10)
    assert.is_number(first)
    assert(cluster:isolate(first))
    assert(scripts[first]:next(10):find("^serves"))
    assert(scripts[first]:next(10):find("^no longer serves"))
    assert.is_false(has_address(first))
    local second
    support.eventually(function() second = serving() return second end, 10)
    assert.is_number(second)
    assert.is_true(second ~= first)
    assert(cluster:heal())
    assert(cluster:settle())
    stop_all(scripts)
  end)

  local SQUARES = "1 4 9 16 25 36 49 64 81 100 121 144 169 196 225 256 289 324 361 400"

  local function jobs_of(lines) return matching(lines, "^works on\t(%d+)$") end

  example("jobs", "does every job once, and the results are in their order", function()
    local printed = run("jobs")
    assert.equal(SQUARES, table.remove(printed[1]))
    local done = {}
    for _, lines in ipairs(printed) do
      for _, job in ipairs(jobs_of(lines)) do
        assert.is_nil(done[job])
        done[job] = true
      end
    end
    for n = 1, 20 do assert.is_true(done[tostring(n)]) end
  end)

  it("jobs gives the job of a worker that is killed to another one", function()
    local scripts = start("jobs", "0.1")
    local line = assert(scripts[3]:next(10))
    assert(scripts[3]:kill("KILL"))
    local printed = { finish(scripts[1]), finish(scripts[2]) }
    assert.equal(SQUARES, table.remove(printed[1]))
    local lost = jobs_of({ line })[1]
    local again = {}
    for _, lines in ipairs(printed) do
      for _, job in ipairs(jobs_of(lines)) do
        if job == lost then table.insert(again, job) end
      end
    end
    assert.same({ lost }, again)
    assert.same(137, scripts[3]:wait(5))
  end)

  example("kv", "finds in its second life what was stored in the first, by all nodes", function()
    local printed = run("kv")
    local values
    for _, lines in ipairs(printed) do
      assert.same({ "true" }, matching(lines, "^the first life was killed\t(.*)$"))
      local found = matching(lines, "^node %d\tstored by %d+/%d+$")
      assert.same(3, #found)
      for node, line in ipairs(found) do
        assert.is_truthy(line:find(("node %d\tstored by %d/"):format(node, node), 1, true))
      end
      values = values or found
      assert.same(values, found)
    end
  end)

  it("has at most 25 lines, or says why it is longer; but for those of the book", function()
    for _, path in ipairs(files.below("examples")) do
      if not path:find("^book/") then
        local lines = files.lines("examples/" .. path)
        local head = table.concat(lines, "\n", 1, math.min(#lines, 8))
        assert.is_true(#lines <= 25 or head:find("onger than 25 lines") ~= nil, path)
      end
    end
  end)

  it("is in this spec, or starts a lab by itself and is in spec/docs_spec.lua", function()
    for name in lfs.dir("examples") do
      if name:match("%.lua$") and not shown[name] then
        local file <close> = assert(io.open("examples/" .. name))
        assert(file:read("a"):find('require("corolua.lab")', 1, true), name .. " is run by no spec")
      end
    end
  end)
end)
