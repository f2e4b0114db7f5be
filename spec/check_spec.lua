-- Not sanitized: Lua alone.
local check = require("corolua.check")
local files = require("spec.support.files")
local json = require("corolua.base.json")
local played = require("spec.support.played")
local support = require("spec.support")
local trace_files = require("spec.support.trace_files")

local MERGE, HIDDEN = "spec/fixtures/merge_loss.jsonl", "spec/fixtures/hidden_ring.jsonl"

describe("corolua.check", function()
  local folder, write = trace_files.folder()
  local read = files.read

  teardown(function() os.execute("rm -r " .. folder) end)

  -- What `corolua check` prints, and its exit status.
  local function run(arguments)
    local pipe = io.popen(("'%s' check %s 2>&1"):format(support.program, arguments))
    local text = pipe:read("a")
    local _, _, status = pipe:close()
    return text, status
  end

  local function file_of(name, events) return write(name, played.lines(events)) end

  local function shapes(verdict)
    local list = {}
    for i, finding in ipairs(verdict.findings) do
      list[i] = finding.property .. ", " .. finding.class
    end
    return list
  end

  describe("tells what corosync is known to lose:", function()
    local cases = {
      { MERGE, "merge prefix", 16, { 101, 116, 122 } },
      { HIDDEN, "hidden ring", 192, { 372, 821, 1098 } },
    }
    for _, case in ipairs(cases) do
      local path, class, count, places = table.unpack(case)
      it(class .. ", once", function()
        local verdict = assert(check.file(path))
        assert.same({ "Virtual Synchrony, " .. class }, shapes(verdict))
        assert.equal(count, verdict.findings[1].count)
        assert.equal("kept", verdict.status)
        assert.is_truthy(verdict.sentence:find("but for 1 known loss of corosync", 1, true))
        for i, seen in ipairs(verdict.findings[1].witness) do
          assert.equal(places[i], seen.line)
          assert.equal(path, seen.file)
          assert.is_truthy(seen.text:find('^{"k":'))
        end
      end)

      it(class .. " as a violation where that is wanted", function()
        local verdict = assert(check.file(path, { strict = true }))
        assert.equal("violated", verdict.status)
        assert.same({ "Virtual Synchrony, " .. class }, shapes(verdict))
        local _, status = run(path)
        assert.equal(0, status)
        _, status = run(path .. " --strict")
        assert.equal(1, status)
      end)
    end

    it("no loss of messages in the middle", function()
      -- Node 1 has the first of those that it lacks.
      local lines, list = read(MERGE), {}
      for line in lines:gmatch("[^\n]+") do list[#list + 1] = line end
      local first = list[101]:gsub('"h":3', '"h":1')
      table.insert(list, 122, first)
      local path = write("middle.jsonl", table.concat(list, "\n") .. "\n")
      local text, status = run(path)
      assert.equal(1, status, text)
      assert.is_truthy(text:find("nothing known of corosync explains it", 1, true), text)
    end)

    it("no loss at a step that hides no two rings", function()
      local path = write("step.jsonl", (read(HIDDEN):gsub('"1%.2d"', '"1.29"')))
      local text, status = run(path)
      assert.equal(1, status, text)
      assert.equal("violated: Virtual Synchrony", text:match("^[^:]+: [^:]+"))
    end)

    it("none of a member that has messages of those whose others it lacks", function()
      -- Node 2 has one of the last that it lacks.
      local list = {}
      for line in read(HIDDEN):gmatch("[^\n]+") do list[#list + 1] = line end
      local last = list[821]:gsub('"h":1', '"h":2')
      table.insert(list, 822, last)
      local _, status = run(write("later.jsonl", table.concat(list, "\n") .. "\n"))
      assert.equal(1, status)
    end)

    it("no loss of a real run that has another shape", function()
      -- At a step of 4 two members lack what those said last that went another way.
      local text, status = run("spec/fixtures/departed_senders.jsonl")
      assert.equal(1, status)
      assert.equal("violated: Virtual Synchrony: in ring 1.11 nodes 1 and 2 never delivered 40 "
        .. "messages of nodes 3 and 5 (the first 3#1921) that node 4 delivered, though all of them "
        .. "went on together to ring 1.15; nothing known of corosync explains it; besides, 1 known "
        .. "loss of corosync (1 by a merge, 0 by hidden rings)", text:match("^[^\n]*"))
    end)

    it("a step of 12, or what a group told, where the shape is that of hidden rings", function()
      for _, told in ipairs({ { 12, false }, { 4, true } }) do
        local run_of = played.run(3)
        run_of:fault("kill", false)
        run_of:say(1, "a")
        run_of:say(3, "b", { 1, 3 })
        run_of:say(2, "c", { 2 })
        run_of:form({ { 1, 2, 3 } }, told[1])
        if told[2] then
          table.insert(run_of.events, { k = "hidden", t = run_of.t, h = 1,
            ring = run_of.ring_of[1], nodes = { 2 } })
        end
        run_of:stop(true)
        local verdict = check.events(played.each(run_of.events))
        assert.same({ "Virtual Synchrony, hidden ring" }, shapes(verdict), verdict.sentence)
        assert.equal(2, verdict.findings[1].count)
      end
    end)
  end)

  describe("of messages with equal bytes", function()
    it("finds nothing where all is well", function()
      local events = played.split_and_heal(function() return "tick" end).events
      local verdict = check.events(played.each(events))
      assert.same({}, verdict.findings)
      assert.equal(45, verdict.counts.equal)
      assert.is_truthy(verdict.sentence:find("45 messages with equal bytes", 1, true))
    end)

    it("sees that one is missing, and which", function()
      local run_of = played.split_and_heal(function(node) return "tick" .. node end)
      for i, event in ipairs(run_of.events) do
        if event.k == "recv" and event.h == 2 and event.f == "4/100" then
          table.remove(run_of.events, i)
          break
        end
      end
      local verdict = check.events(played.each(run_of.events))
      assert.equal("violated", verdict.status)
      assert.same({ "Virtual Synchrony, violated" }, shapes(verdict))
      assert.equal(1, verdict.findings[1].count)
    end)

    it("knows which join of a member that came back in the same ring a list begins with", function()
      local run_of = played.run(3)
      run_of:say(1, "tick")
      run_of:come_back(3)
      for node = 1, 3 do run_of:say(node, "tick") end
      run_of:come_back(3)
      for node = 1, 3 do run_of:say(node, "tick") end
      run_of:fault("partition", false)
      run_of:form({ { 1, 2 }, { 3 } })
      run_of:stop(true)
      local verdict = check.events(played.each(run_of.events))
      assert.same({}, verdict.findings, verdict.sentence)
    end)

    it("finds nothing where the longest list of a ring ends before a member joins", function()
      local run_of = played.run(3)
      for _ = 1, 9 do run_of:say(1, "tick") end
      run_of:come_back(2)
      run_of:come_back(3)
      run_of:fault("isolate", false)
      for _, node in ipairs({ 2, 3, 2, 3 }) do run_of:say(node, "tick", { 2, 3 }) end
      run_of:form({ { 1 }, { 2, 3 } })
      run_of:stop(true)
      local verdict = check.events(played.each(run_of.events))
      assert.same({}, verdict.findings, verdict.sentence)
    end)

    it("tells the first ones of a merge as such", function()
      local run_of = played.run(3)
      run_of:fault("partition", false)
      run_of:form({ { 1, 2 }, { 3 } })
      run_of:form({ { 1, 2, 3 } })
      run_of:say(3, "tick", { 3 })
      run_of:say(1, "tick")
      run_of:say(3, "tick", { 3 })
      run_of:say(2, "tick")
      run_of:say(3, "tick")
      run_of:stop(true)
      local verdict = check.events(played.each(run_of.events))
      assert.same({ "Virtual Synchrony, merge prefix" }, shapes(verdict), verdict.sentence)
      assert.equal(2, verdict.findings[1].count)
    end)

    it("takes nodes that parted unseen for such as come from another ring", function()
      for _, is_told in ipairs({ true, false }) do
        local run_of = played.run(3)
        run_of:fault("pause", false)
        run_of:form({ { 1, 2, 3 } }, 12)
        if is_told then run_of:tell_hidden(1, { 3 }) end
        for _ = 1, 4 do run_of:say(3, "tick", { 2, 3 }) end
        for node = 1, 3 do run_of:say(node, "tick") end
        run_of:stop(true)
        local verdict = check.events(played.each(run_of.events))
        assert.same({ "Virtual Synchrony, " .. (is_told and "merge prefix" or "violated") },
          shapes(verdict), verdict.sentence)
        assert.equal(4, verdict.findings[1].count)
      end
    end)

    it("tells them on both sides, whatever else looks like them", support.draws(function()
      for _ = 1, 200 do
        local run_of, lost = played.run(4), 0
        run_of:fault("partition", false)
        run_of:form({ { 1, 2 }, { 3, 4 } })
        run_of:form({ { 1, 2, 3, 4 } })
        local left = { math.random(0, 3), math.random(0, 3), math.random(0, 3), math.random(0, 3) }
        for _ = 1, 30 do
          local node = math.random(4)
          local side = node <= 2 and { 1, 2 } or { 3, 4 }
          run_of:say(node, "tick", left[node] > 0 and side or nil)
          if left[node] > 0 then lost = lost + 1 end
          left[node] = left[node] - 1
        end
        for node = 1, 4 do run_of:say(node, "tick") end
        run_of:stop(true)
        local verdict = check.events(played.each(run_of.events))
        assert.equal("kept", verdict.status, verdict.sentence)
        local told = 0
        for _, finding in ipairs(verdict.findings) do told = told + finding.count end
        assert.equal(lost, told)
      end
    end))

    it("finds nothing where each side had its own last ones", support.draws(function()
      for _ = 1, 200 do
        local run_of = played.run(5)
        run_of:fault("partition", false)
        for _ = 1, 10 do run_of:say(math.random(5), "tick") end
        for _ = 1, 20 do
          local node = math.random(5)
          run_of:say(node, "tick", node <= 2 and { 1, 2 } or { 3, 4, 5 })
        end
        run_of:form({ { 1, 2 }, { 3, 4, 5 } })
        run_of:stop(true)
        local verdict = check.events(played.each(run_of.events))
        assert.same({}, verdict.findings)
      end
    end))

    it("tells those of hidden rings as such", support.draws(function()
      for _ = 1, 200 do
        local run_of, lost = played.run(4), 0
        run_of:fault("pause", false)
        for _ = 1, 10 do run_of:say(math.random(4), "tick") end
        for _ = 1, 10 do
          local node = math.random(4)
          run_of:say(node, "tick", node == 2 and { 2 } or { 1, 3, 4 })
          lost = lost + 1
        end
        run_of:form({ { 1, 2, 3, 4 } }, 12)
        run_of:stop(true)
        local verdict = check.events(played.each(run_of.events))
        assert.equal("kept", verdict.status, verdict.sentence)
        assert.same({ "Virtual Synchrony, hidden ring" }, shapes(verdict))
        assert.equal(lost, verdict.findings[1].count)
      end
    end))

    it("sees one that came more often than it was sent", function()
      local run_of = played.run(2)
      run_of:fault("kill", false)
      run_of:say(1, "tick")
      run_of:say(1, "tick")
      local last = run_of.events[#run_of.events]
      run_of.events[#run_of.events + 1] =
        { k = "recv", t = last.t, h = last.h, f = last.f, x = last.x, b = last.b }
      run_of:stop(true)
      local verdict = check.events(played.each(run_of.events))
      assert.equal("No Duplication", verdict.findings[1].property)
      assert.equal(1, #verdict.findings)
    end)
  end)

  describe("says that a run proves nothing:", function()
    local function sentence_of(events)
      local verdict = check.events(played.each(events))
      assert.equal("inconclusive", verdict.status)
      return verdict.sentence
    end

    it("without a fault", function()
      local run_of = played.run(2)
      run_of:form({ { 1 }, { 2 } })
      run_of:stop(true)
      assert.is_truthy(sentence_of(run_of.events):find("no fault was in force", 1, true))
    end)

    it("without a change of views", function()
      local run_of = played.run(2)
      run_of:fault("link", false)
      run_of:stop(true)
      assert.is_truthy(sentence_of(run_of.events):find("no view changed", 1, true))
    end)

    it("with nothing in it", function()
      local events = { played.run(1).events[1], { k = "stop", t = 1, settled = true, dropped = 0 } }
      local text, status = run(file_of("empty.jsonl", events))
      assert.equal(2, status, text)
    end)
  end)

  it("finds nothing in a run that was stopped in full flow", function()
    local events = played.split_and_heal().events
    for last = #events - 40, #events - 1 do
      local some = table.move(events, 1, last, 1, {})
      some[last + 1] = { k = "stop", t = some[last].t, settled = false, dropped = 0 }
      local verdict = check.events(played.each(some))
      assert.same({}, verdict.findings)
      assert.equal("kept", verdict.status)
    end
  end)

  describe("given a trace that is not whole", function()
    local function judge(text, strict)
      local verdict = assert(check.file(write("bad.jsonl", text), { strict = strict }))
      return verdict, verdict.problems[1]
    end

    local good = played.lines(played.split_and_heal().events)
    local _, count = good:gsub("\n", "\n")

    it("finds nothing wherever it was cut, and never says kept", function()
      for at = 1, #good - 1, 97 do
        local verdict, problem = judge(good:sub(1, at))
        assert.equal("inconclusive", verdict.status, verdict.sentence)
        assert.is_truthy(problem.line >= 1)
        assert.same({}, verdict.findings)
      end
    end)

    it("still tells what was broken before", function()
      local events = played.split_and_heal().events
      for i, event in ipairs(events) do
        if event.k == "recv" and event.h == 2 and event.f == "1/100" then
          table.insert(events, i, event)
          break
        end
      end
      local text = played.lines(events)
      local verdict = judge(text:sub(1, -3))
      assert.equal("violated", verdict.status)
      assert.equal("No Duplication", verdict.findings[1].property)
    end)

    local function with_line(text, at)
      local lines = {}
      for line in good:gmatch("[^\n]+") do lines[#lines + 1] = line end
      table.insert(lines, at, text)
      return table.concat(lines, "\n") .. "\n"
    end

    local cases = {
      { "is no JSON", 40, "not a line" },
      { "is no JSON", 41, '{"k":"recv","t":1,"h":1' },
      { "is no event", 42, "[1, 2]" },
      { "is no event", 42, "17" },
      { "no right 'nodes'", 50, '{"k":"ring","t":1,"h":1,"ring":"1.4","nodes":["a"]}' },
      { "no right 'left'", 50,
        '{"k":"conf","t":1,"h":1,"members":[],"left":[1],"joined":[]}' },
      { "no right 't'", 50, '{"k":"note","text":"x"}' },
      { "begins another run", 60, good:match("^[^\n]+") },
      { "is before any run", 1, '{"k":"note","t":0,"text":"x","level":"note"}' },
      { "newer than this program knows", 1, '{"k":"run","v":2,"mono":1,"boot":"b"}' },
      { "has no version", 1, '{"k":"run","mono":1,"boot":"b"}' },
    }
    for _, case in ipairs(cases) do
      local what, at, line = table.unpack(case)
      it("tells of the line that " .. what .. ": " .. line:sub(1, 30), function()
        local verdict, problem = judge(with_line(line, at))
        assert.equal("inconclusive", verdict.status, verdict.sentence)
        assert.equal(at, problem.line)
        assert.is_truthy(problem.text:find(what, 1, true), problem.text)
        assert.is_truthy(verdict.sentence:find("bad.jsonl:" .. at, 1, true))
        assert.same({}, verdict.findings)
      end)
    end

    it("tells of lines that were dropped", function()
      local verdict, problem = judge((good:gsub('"dropped":0', '"dropped":3')))
      assert.equal("inconclusive", verdict.status)
      assert.equal(count, problem.line)
      assert.is_truthy(problem.text:find("3 lines", 1, true))
    end)

    it("passes over kinds and keys that it does not know", function()
      local verdict = judge((with_line('{"k":"later","t":0,"x":1}', 30)
        :gsub('"k":"recv","t":', '"k":"recv","new":1,"t":')))
      assert.equal("kept", verdict.status, verdict.sentence)
    end)

    it("raises nothing whatever a line has in it", support.draws(function()
      local lines = {}
      for line in good:gmatch("[^\n]+") do lines[#lines + 1] = line end
      local others = { "null", "-1", "1e300", '"x"', "[]", "{}", "true", '"1.4"', "[[]]", "[null]" }
      for _ = 1, 400 do
        local at = math.random(2, #lines - 1)
        local line = lines[at]
        local fields = {}
        for from, to in line:gmatch('":()[^,%]}]+()') do fields[#fields + 1] = { from, to } end
        local field = fields[math.random(#fields)]
        lines[at] = line:sub(1, field[1] - 1) .. others[math.random(#others)] .. line:sub(field[2])
        judge(table.concat(lines, "\n") .. "\n")
        lines[at] = line
      end
    end))
  end)

  -- The events of some nodes, in a file of their own with numbers and a clock of its own.
  local function part_of(events, nodes, mono)
    local part = {}
    for _, event in ipairs(events) do
      local is_of = event.h and nodes[event.h] or event.n and not event.h and nodes[event.n]
      local is_own = nodes.faults and event.k == "fault"
      if is_of or is_own or event.k == "run" or event.k == "stop" then
        local copy = {}
        for key, value in pairs(event) do copy[key] = value end
        if copy.k == "run" and not nodes.faults then copy.nodes = nil end
        if copy.k == "run" then copy.mono = mono else copy.t = copy.t + 1000 - mono end
        if copy.h then copy.h = nodes[copy.h] end
        part[#part + 1] = copy
      end
    end
    return part
  end

  it("judges what it can of members that are not in the trace", function()
    for _, text in ipairs({ false, function() return "tick" end }) do
      local events = part_of(played.split_and_heal(text or nil).events,
        { [1] = 1, [2] = 2, [4] = 3, [5] = 4, faults = true }, 1000)
      local verdict = check.events(played.each(events))
      assert.same({}, verdict.findings)
      assert.equal("kept", verdict.status)
      assert.is_truthy(verdict.sentence:find("1 member is not in the trace", 1, true))
      assert.equal(1, verdict.counts.untraced)
    end
  end)

  describe("merges several files", function()
    local function halves(events)
      return file_of("one.jsonl", part_of(events, { [1] = 1, [2] = 2, faults = true }, 400)),
        file_of("two.jsonl", part_of(events, { [3] = 1, [4] = 2, [5] = 3 }, 900))
    end

    it("by their clocks", function()
      for _, text in ipairs({ false, function() return "tick" end }) do
        local one, two = halves(played.split_and_heal(text or nil).events)
        for _, paths in ipairs({ { one, two }, { two, one } }) do
          local verdict = assert(check.file(table.unpack(paths)))
          assert.same({}, verdict.findings)
          assert.equal("kept", verdict.status, verdict.sentence)
          assert.equal(189, verdict.counts.deliveries)
          assert.equal(5, verdict.counts.members)
        end
      end
    end)

    it("and names the file of each line", function()
      local events = played.split_and_heal().events
      for i, event in ipairs(events) do
        if event.k == "recv" and event.h == 4 and event.f == "1/100" then
          table.insert(events, i, event)
          break
        end
      end
      local one, two = halves(events)
      local verdict = assert(check.file(one, two))
      assert.same({ "No Duplication, violated" }, shapes(verdict))
      assert.equal(two, verdict.findings[1].witness[1].file)
      local slice = folder .. "/merged.jsonl"
      assert(check.file(one, two, { slice = slice }))
      local again = assert(check.file(slice))
      assert.same(shapes(verdict), shapes(again))
      assert.same({}, again.problems)
    end)

    it("but not those of another boot", function()
      local one, two = halves(played.split_and_heal().events)
      write("two.jsonl", (read(two):gsub('"boot":"b"', '"boot":"c"')))
      local verdict = assert(check.file(one, two))
      assert.equal("inconclusive", verdict.status)
      assert.equal(two, verdict.problems[1].file)
      assert.is_truthy(verdict.problems[1].text:find("another boot", 1, true))
      assert.same({}, verdict.findings)
    end)

    it("but not those of another lab", function()
      local one = halves(played.split_and_heal().events)
      local two = write("two.jsonl", read(one))
      local verdict = assert(check.file(one, two))
      assert.equal("inconclusive", verdict.status)
      assert.same({ two, 1 }, { verdict.problems[1].file, verdict.problems[1].line })
      assert.is_truthy(verdict.problems[1].text:find("two runs", 1, true))
    end)

    it("and says which of them was cut", function()
      local one, two = halves(played.split_and_heal().events)
      local text = read(one)
      write("one.jsonl", text:sub(1, #text // 2):match("^(.*\n)"))
      local verdict = assert(check.file(one, two))
      assert.equal("inconclusive", verdict.status, verdict.sentence)
      assert.equal(one, verdict.problems[1].file)
      assert.same({}, verdict.findings)
    end)
  end)

  describe("writes a slice", function()
    it("that shows the same", function()
      for _, path in ipairs({ MERGE, HIDDEN }) do
        local slice = folder .. "/slice.jsonl"
        local verdict = assert(check.file(path, { slice = slice }))
        assert.same(shapes(verdict), shapes(assert(check.file(slice))))
      end
    end)

    it("with none of the messages that are about nothing", function()
      local run_of = played.split_and_heal()
      local events = table.move(run_of.events, 1, #run_of.events - 1, 1, {})
      run_of.events = events
      for i = 1, 300 do run_of:say(1 + i % 5, "more " .. i) end
      local last = events[#events]
      events[#events + 1] =
        { k = "recv", t = last.t, h = last.h, f = last.f, x = last.x, b = last.b }
      run_of:stop(true)
      local path, slice = file_of("long.jsonl", events), folder .. "/short.jsonl"
      local text, status = run(path .. " --slice " .. slice)
      assert.equal(1, status)
      local _, lines = read(slice):gsub("\n", "\n")
      assert.is_true(lines < 100, lines)
      assert.equal(text:match("^[^;]*;"), run(slice):match("^[^;]*;"))
    end)
  end)

  it("judges the properties that its page has, in their order", function()
    local list = {}
    local page = read("docs/check.md"):match("\n## Properties\n(.-)\n## ")
    for property in page:gmatch("\n| ([%u][%a ]+) |") do list[#list + 1] = property end
    assert.same(require("corolua.check.findings").PROPERTIES, list)
  end)

  describe("the command", function()
    it("prints nothing of a payload as it is", function()
      local events = played.split_and_heal().events
      for _, event in ipairs(events) do
        if event.k == "recv" then event.d = "\27[31m\u{202e}" end
      end
      for i, event in ipairs(events) do
        if event.k == "recv" then
          table.insert(events, i, event)
          break
        end
      end
      local path = write("escape.jsonl",
        (played.lines(events):gsub("\\u001b", "\27", 2)))
      local text, status = run(path)
      assert.is_truthy(status == 1 or status == 2)
      assert.is_nil(text:find("[^\n\32-\126]"))
    end)

    it("prints JSON", function()
      local text, status = run(MERGE .. " --json")
      local verdict = assert(json.decode(text))
      assert.equal(0, status)
      assert.equal("kept", verdict.status)
      assert.equal("merge prefix", verdict.findings[1].class)
      assert.is_truthy(text:find('"problems":[]', 1, true))
    end)

    it("writes JUnit's XML", function()
      local path = folder .. "/junit.xml"
      run(("%s --strict --junit %s"):format(HIDDEN, path))
      local text = read(path)
      assert.is_truthy(text:find('failures="1" skipped="0"', 1, true), text)
      assert.is_truthy(text:find('name="Virtual Synchrony">%s*<failure message="in ring 1.21'))
      run(("%s --junit=%s"):format(write("cut.jsonl", read(HIDDEN):sub(1, -3)), path))
      assert.is_truthy(read(path):find('failures="0" skipped="20"', 1, true))
    end)

    it("refuses what it does not know", function()
      for arguments, what in pairs({
        [""] = "it needs the file of a trace",
        ["--strickt x"] = "did you mean '--strict'",
        ["-x"] = "unknown option '-x'",
        ["x --junit"] = "'--junit' needs an argument",
        ["x --slice x"] = "'--slice' must be another file than the trace",
        ["--json=1 x"] = "'--json' takes no argument",
        ["nowhere.jsonl"] = "nowhere.jsonl: No such file or directory",
      }) do
        local text, status = run(arguments)
        assert.equal(64, status)
        assert.is_truthy(text:find(what, 1, true), text)
      end
    end)

    it("says where it cannot write", function()
      for _, option in ipairs({ "--junit", "--slice" }) do
        local text, status = run(("%s %s /nowhere/x"):format(MERGE, option))
        assert.equal(64, status)
        assert.is_truthy(text:find("/nowhere/x: No such file or directory", 1, true), text)
      end
    end)

    it("prints how it is used", function()
      local text, status = run("--help")
      assert.equal(0, status)
      assert.is_truthy(text:find("^usage: corolua check"))
    end)
  end)

  describe("raises", function()
    local function refused(fn, ...)
      local ok, why = pcall(fn, ...)
      assert.is_false(ok)
      return why
    end

    it("where an argument is wrong, at the caller", function()
      assert.is_truthy(refused(check.file):find("the path of a trace must be a string", 1, true))
      assert.is_truthy(refused(check.file, 7):find("must be a string, got 7", 1, true))
      assert.is_truthy(refused(check.file, MERGE, { strikt = true }):find("strict", 1, true))
      assert.is_truthy(refused(check.file, MERGE, { strict = 1 })
        :find("check.file: option 'strict' must be a boolean, got 1", 1, true))
      assert.is_truthy(refused(check.file, MERGE, { slice = MERGE })
        :find("another file than the trace", 1, true))
      assert.is_truthy(refused(check.events, {}):find("must be a function", 1, true))
      local ok, why = pcall(function() check.events(1) end)
      assert.is_false(ok)
      assert.is_truthy(why:find("spec/check_spec.lua", 1, true))
    end)

    it("nothing where a file cannot be read", function()
      local verdict, why, code = check.file("nowhere.jsonl")
      assert.is_nil(verdict)
      assert.equal("nowhere.jsonl: No such file or directory", why)
      assert.equal(2, code)
    end)
  end)
end)
