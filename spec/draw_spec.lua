-- Not sanitized: Lua alone.
local draw = require("corolua.draw")
local files = require("spec.support.files")
local json = require("corolua.base.json")
local model = require("corolua.draw.model")
local palette = require("corolua.draw.palette")
local played = require("spec.support.played")
local printable = require("corolua.draw.printable")
local spans = require("corolua.draw.spans")
local support = require("spec.support")
local trace_files = require("spec.support.trace_files")

local MERGE, HIDDEN = "spec/fixtures/merge_loss.jsonl", "spec/fixtures/hidden_ring.jsonl"

describe("corolua.draw", function()
  local folder, write = trace_files.folder()
  local read = files.read

  teardown(function() os.execute("rm -r " .. folder) end)

  local HEAD = '{"k":"run","v":1,"at":"2026-11-24T09:00:00Z","mono":0,"boot":"b","where":"lab",'
    .. '"script":%s,"seed":1,"nodes":3,"token":300,"consensus":360,"two_node":false}\n'

  -- A trace of one member that says and hears these texts, previews as they stand in it.
  local function trace_of(name, texts, more, title)
    local parts = { HEAD:format(json.encode(title or "one.lua")),
      '{"k":"ring","t":1,"h":1,"ring":"1.1","nodes":[1]}\n',
      '{"k":"join","t":2,"h":1,"n":1,"p":7,"g":"room","packed":false}\n',
      '{"k":"conf","t":3,"h":1,"members":["1/7"],"left":[],"joined":[["1/7","join"]]}\n' }
    for i, text in ipairs(texts) do
      for _, line in ipairs({ '{"k":"send","t":%d,"h":1,"m":%d,"x":"%013x","b":9,"d":%s}\n',
        '{"k":"recv","t":%d,"h":1,"f":"1/7","x":"%013x","b":9,"d":%s}\n' }) do
        local is_send = line:find("send", 1, true)
        parts[#parts + 1] = is_send and line:format(i * 10, i, i, json.encode(text))
          or line:format(i * 10 + 5, i, json.encode(text))
      end
    end
    parts[#parts + 1] = more or ""
    local stop = '{"k":"stop","t":%d,"settled":true,"dropped":0}\n'
    parts[#parts + 1] = stop:format(#texts * 10 + 20)
    return write(name, table.concat(parts))
  end

  -- The data that stands in a page.
  local function data_of(page)
    local text = page:match('<script id="data" type="application/json">(.-)</script>')
    return assert(json.decode(text))
  end

  describe("model", function()
    it("has a lane for each member, with what it delivered", function()
      local drawn = assert(model.read({ MERGE }))
      assert.equal(3, #drawn.lanes)
      local counts = {}
      for i, lane in ipairs(drawn.lanes) do counts[i] = #lane.m end
      assert.same({ 3, 3, 19 }, counts)
      assert.equal("node 3", drawn.lanes[3].name)
      assert.equal("merge", drawn.lanes[3].g)
    end)

    it("puts a message in one column at everybody, behind what was read before", function()
      local drawn = assert(model.read({ HIDDEN }))
      for _, lane in ipairs(drawn.lanes) do
        for i = 2, #lane.m do
          local before, after = drawn.messages[lane.m[i - 1]], drawn.messages[lane.m[i]]
          assert.is_true(before.column < after.column)
        end
      end
      local count = 0
      for _, lane in ipairs(drawn.lanes) do count = count + #lane.m end
      assert.equal(798, count)
    end)

    it("gives each ring a column of its own, the same at all its members", function()
      local drawn, columns = assert(model.read({ MERGE })), {}
      for _, band in ipairs(drawn.bands) do
        assert.is_true(band.x1 > band.x)
        columns[band.ring] = columns[band.ring] or band.x
        assert.equal(columns[band.ring], band.x)
      end
    end)

    it("knows which bands have no quorum", function()
      local found = {}
      for _, band in ipairs(assert(model.read({ MERGE })).bands) do
        if band.quorate == false then found[#found + 1] = band.lane .. ": " .. band.ring end
      end
      assert.same({ "3: 3.11", "3: 3.19", "3: 3.21" }, found)
    end)

    it("names what is lost, who lacks it, and the witnesses", function()
      local finding = assert(model.read({ MERGE })).findings[1]
      assert.equal("merge prefix", finding.class)
      assert.equal(16, #finding.missing)
      assert.same({ 1, 2 }, finding.lacks)
      assert.equal(3, #finding.marks)
      assert.equal(3, finding.marks[1].lane)
    end)

    it("says what of a trace it leaves out, and why", function()
      local text = read(MERGE)
      local path = write("cut.jsonl", text:sub(1, #text // 2))
      local drawn = assert(model.read({ path }))
      assert.is_truthy(drawn.limits[1]:find("not whole", 1, true))
    end)

    it("tells processes of one node apart", function()
      local second = '{"k":"ring","t":30,"h":2,"ring":"1.1","nodes":[1]}\n'
        .. '{"k":"join","t":31,"h":2,"n":1,"p":8,"g":"room","packed":false}\n'
        .. '{"k":"conf","t":32,"h":2,"members":["1/7","1/8"],"left":[],"joined":[["1/8","join"]]}\n'
      local drawn = assert(model.read({ trace_of("two.jsonl", { "a" }, second) }))
      assert.equal("node 1/7", drawn.lanes[1].name)
      assert.equal("node 1/8", drawn.lanes[2].name)
    end)

    it("merges the files of one run", function()
      local first = trace_of("first.jsonl", { "a" })
      local other = write("other.jsonl", '{"k":"run","v":1,"at":"2026-11-24T09:00:00Z",'
        .. '"mono":0,"boot":"b","where":"node","script":"two.lua"}\n'
        .. '{"k":"ring","t":1,"h":1,"ring":"1.1","nodes":[1]}\n'
        .. '{"k":"join","t":2,"h":1,"n":2,"p":7,"g":"room","packed":false}\n'
        .. '{"k":"conf","t":3,"h":1,"members":["2/7"],"left":[],"joined":[["2/7","join"]]}\n'
        .. '{"k":"stop","t":40,"settled":true,"dropped":0}\n')
      assert.equal(2, #assert(model.read({ first, other })).lanes)
    end)

    it("has operations, steps and notes", function()
      local more = '{"k":"op","t":11,"n":1,"id":1,"type":"invoke","f":"read","value":"x"}\n'
        .. '{"k":"op","t":12,"n":1,"id":1,"type":"ok","f":"read","value":"x"}\n'
        .. '{"k":"note","t":13,"text":"a step","level":"step"}\n'
        .. '{"k":"note","t":14,"text":"a note","n":1,"level":"note"}\n'
      local drawn = assert(model.read({ trace_of("more.jsonl", {}, more) }))
      assert.same({ { n = 1, t = 11, t1 = 12, text = "read x", outcome = "ok" } },
        drawn.operations)
      assert.same({ { t = 13, text = "a step", is_step = true },
        { t = 14, text = "a note", n = 1, is_step = false } }, drawn.notes)
    end)
  end)

  describe("spans", function()
    local function past(faults)
      return { faults = faults, processes = {} }
    end

    local function shown(faults)
      local list = {}
      for i, span in ipairs(spans.faults(past(faults), 100)) do
        list[i] = ("%s %d-%d"):format(span.text, span.t, span.t1)
      end
      return list
    end

    it("last until what mends them", function()
      assert.same({ "cut 1-5", "kill node 2 2-9", "heal 5-5", "start node 2 9-9", "pause 10-100" },
        shown({
          { t = 1, op = "partition", args = {}, text = "cut", mends = false, ok = true },
          { t = 2, op = "kill", args = { 2 }, text = "kill node 2", mends = false, ok = true },
          { t = 5, op = "heal", args = {}, text = "heal", mends = true, ok = true },
          { t = 9, op = "start", args = { 2 }, text = "start node 2", mends = true, ok = true },
          { t = 10, op = "pause", args = { 3 }, text = "pause", mends = false, ok = true },
        }))
    end)

    it("end where another shape of the network takes their place, and add up otherwise", function()
      assert.same({ "cut 1-4", "isolate node 1 2-100", "ring 4-100" }, shown({
        { t = 1, op = "partition", args = {}, text = "cut", mends = false, ok = true },
        { t = 2, op = "isolate", args = { 1 }, text = "isolate node 1", mends = false, ok = true },
        { t = 4, op = "ring", args = {}, text = "ring", mends = false, ok = true },
      }))
    end)

    it("have a length of none where they could not be put in force", function()
      assert.same({ "cut 1-1" },
        shown({ { t = 1, op = "partition", args = {}, text = "cut", mends = false, ok = false } }))
    end)

    it("are one for the links of a node that are broken in one go", function()
      local function link(t, b, text)
        return { t = t, op = "link", args = {}, text = ("link 1 - %d: %s"):format(b, text),
          mends = false, ok = true }
      end
      assert.same({ "link 1 - 2, 3: loss = 0.1 1-100", "link 1 - 4: loss = 0.2 3-100" },
        shown({ link(1, 2, "loss = 0.1"), link(2, 3, "loss = 0.1"), link(3, 4, "loss = 0.2") }))
    end)
  end)

  describe("printable", function()
    local cases = {
      { "caf\u{e9}", "caf\u{e9}" }, { "a\0b", "a\\x00b" }, { "a\u{202e}b", "a\\u{202e}b" },
      { "a\u{2066}b\u{200b}", "a\\u{2066}b\\u{200b}" }, { "\xff\xfe", "\\xff\\xfe" },
      { "a\nb\x1b[31m", "a\\x0ab\\x1b[31m" }, { "\u{feff}", "\\u{feff}" },
    }
    for i, case in ipairs(cases) do
      it("spells what is not seen: " .. i, function()
        assert.equal(case[2], printable.text(case[1]))
      end)
    end

    it("takes the characters of a preview as bytes", function()
      assert.equal("caf\u{e9}", printable.payload("caf\u{c3}\u{a9}"))
      assert.equal("\\xe9", printable.payload("\u{e9}"))
    end)
  end)

  describe("html", function()
    local evil = "</script><script>alert(1)</script><!-- \u{202e}\0"

    it("has nothing of a payload, a title, a group or a note that a browser could run", function()
      local note = '{"k":"note","t":11,"level":"step","text":' .. json.encode(evil) .. "}\n"
      local path = trace_of("evil.jsonl", { "</script><b>", "<!--", "a\0b" }, note, evil)
      local plain = assert(draw.html(trace_of("plain.jsonl", {})))
      local page = assert(draw.html(path, { title = evil }))
      local function count(text, what) return select(2, text:gsub(what, "")) end
      for _, what in ipairs({ "</script", "<script", "<!%-%-", "<b>" }) do
        assert.equal(count(plain, what), count(page, what))
      end
      local data = data_of(page)
      assert.equal(printable.text(evil), data.title)
      assert.equal("</script><b>", data.messages.text[1])
      assert.equal("a\\x00b", data.messages.text[3])
      assert.is_nil(page:find("\0", 1, true))
    end)

    it("names no address and loads nothing", function()
      local page = assert(draw.html(MERGE))
      assert.is_nil(page:find("https?://"))
      assert.is_nil(page:find("%ssrc="))
      assert.is_nil(page:find("@import", 1, true))
    end)

    it("has all deliveries of a run", function()
      local data, count = data_of(assert(draw.html(HIDDEN))), 0
      for _, lane in ipairs(data.lanes) do count = count + #lane.m end
      assert.equal(798, count)
      assert.equal(192, #data.findings[1].missing)
    end)

    it("shows first what it is asked for, and has the rest too", function()
      local page = assert(draw.html(MERGE, { from = 1, to = 2, order = true, title = "T" }))
      local data = data_of(page)
      assert.same({ 1000000, 2000000 }, data.window)
      assert.equal("order", data.axis)
      assert.equal("T", data.title)
      assert.equal(25, #data.lanes[1].m + #data.lanes[2].m + #data.lanes[3].m)
    end)

    it("draws a run of nothing, and of one event", function()
      assert.equal(0, #data_of(assert(draw.html(write("none.jsonl", HEAD:format('"x"'))))).lanes)
      local one = write("one.jsonl", HEAD:format('"x"') .. '{"k":"stop","t":0,"settled":true}\n')
      assert.equal(2, data_of(assert(draw.html(one))).events)
      assert.is_truthy(assert(draw.svg(one)):find("</svg>", 1, true))
      assert.is_truthy(assert(draw.ladder(one)):find("inconclusive", 1, true))
    end)
  end)

  -- A run of so many members, in which each says something.
  local function crowd_of(count)
    local nodes, members, parts = {}, {}, { HEAD:format('"crowd.lua"') }
    for n = 1, count do nodes[n], members[n] = n, ('"%d/7"'):format(n) end
    local all = table.concat(members, ",")
    for n = 1, count do
      parts[#parts + 1] = ('{"k":"ring","t":%d,"h":%d,"ring":"1.1","nodes":[%s]}\n'
        .. '{"k":"join","t":%d,"h":%d,"n":%d,"p":7,"g":"room","packed":false}\n'
        .. '{"k":"conf","t":%d,"h":%d,"members":[%s],"left":[],"joined":[["%d/7","join"]]}\n')
        :format(n, n, table.concat(nodes, ","), n, n, n, n, n, all, n)
    end
    for n = 1, count do
      parts[#parts + 1] = ('{"k":"send","t":%d,"h":%d,"m":1,"x":"%013x","b":1}\n')
        :format(1000 + n, n, n)
      for h = 1, count do
        parts[#parts + 1] = ('{"k":"recv","t":%d,"h":%d,"f":"%d/7","x":"%013x","b":1}\n')
          :format(1000 + n, h, n, n)
      end
    end
    parts[#parts + 1] = '{"k":"stop","t":2000,"settled":true,"dropped":0}\n'
    return write("crowd.jsonl", table.concat(parts))
  end

  it("draws a hundred lanes", function()
    local path = crowd_of(100)
    assert.equal(100, #data_of(assert(draw.html(path))).lanes)
    local picture = assert(draw.svg(path))
    assert.is_truthy(picture:find("node 100", 1, true))
    assert.is_truthy(picture:find("arrows of deliveries: 10000", 1, true))
    local lines = 0
    for _ in assert(draw.ladder(path)):gmatch("\n") do lines = lines + 1 end
    assert.is_true(lines < 20)
  end)

  describe("svg", function()
    -- Another run with the same story: other clocks, processes and rings.
    local function retold(text)
      return (text:gsub('"t":(%d+)', function(t) return ('"t":%d'):format(t * 3 + 17) end)
        :gsub("/11482", "/977"):gsub('"p":11482', '"p":977')
        :gsub('"ring":"(%d)%.(%x+)"', function(node, seq)
          return ('"ring":"%s.%x"'):format(node, tonumber(seq, 16) + 64)
        end))
    end

    it("is the same picture of the same story on the order axis", function()
      local text = read(MERGE)
      local first = assert(draw.svg(write("a.jsonl", text), { order = true, title = "x" }))
      local again = assert(draw.svg(write("b.jsonl", retold(text)), { order = true, title = "x" }))
      assert.equal(first, again)
    end)

    it("is of the same bytes each time", function()
      assert.equal(assert(draw.svg(HIDDEN)), assert(draw.svg(HIDDEN)))
    end)

    it("has a hollow tick for each message and member that lacks it", function()
      local picture = assert(draw.svg(MERGE, { order = true }))
      assert.equal(32, select(2, picture:gsub("never delivered: ", "")))
      assert.equal(25, select(2, picture:gsub('stroke%-width="2%.4"><title>node %d #[1-9]', "")))
    end)

    it("hatches what has no quorum", function()
      local picture = assert(draw.svg(MERGE, { order = true }))
      assert.equal(3, select(2, picture:gsub('fill="url%(#hatch%)"', "")))
    end)

    it("is XML whatever the payload", function()
      local path = trace_of("xml.jsonl", { '<&>"\0\u{1}' }, "", "<t>&")
      local picture = assert(draw.svg(path))
      assert.is_nil(picture:find("[%z\1-\8\11\12\14-\31]"))
      assert.is_truthy(picture:find("<title>&lt;t&gt;&amp;</title>", 1, true))
      assert.is_truthy(picture:find('&lt;&amp;&gt;&quot;\\x00\\x01', 1, true))
    end)

    it("shows a part, and nothing outside of it", function()
      local part = assert(draw.svg(HIDDEN, { from = 0, to = 1 }))
      assert.is_nil(part:find("kill node 3", 1, true))
      assert.is_truthy(assert(draw.svg(HIDDEN)):find("pause node 1", 1, true))
    end)

    it("is bounded, and counts what has no room", function()
      local texts = {}
      for i = 1, 5000 do texts[i] = "m" .. i end
      local picture = assert(draw.svg(trace_of("many.jsonl", texts)))
      assert.is_true(#picture < 100000)
      assert.is_truthy(picture:find("logarithmic height: 5000", 1, true))
    end)
  end)

  describe("ladder", function()
    it("has a row for each message, with who lacks it", function()
      local text = assert(draw.ladder(MERGE))
      assert.is_truthy(text:find("○ lacks it   ○ lacks it   ◆ 3-6781", 1, true))
      assert.is_truthy(text:find("⋮ 11 messages more", 1, true))
      assert.is_truthy(text:find("╞{12}        ╞{12}        ┊", 1, true))
      assert.is_truthy(text:find("══ partition { 1, 2 } | { 3 } ══", 1, true))
      assert.is_truthy(text:find("kept: 25 deliveries", 1, true))
    end)

    it("has no colours but where they are asked for", function()
      assert.is_nil(assert(draw.ladder(MERGE)):find("\27", 1, true))
      assert.is_truthy(assert(draw.ladder(MERGE, { colour = true })):find("\27[31m", 1, true))
    end)

    it("shows a part", function()
      local text = assert(draw.ladder(MERGE, { from = 1, to = 1.3 }))
      assert.is_nil(text:find("round 1", 1, true))
      assert.is_truthy(text:find("heal, while node 3 sends", 1, true))
      assert.is_nil(text:find("round 2", 1, true))
    end)
  end)

  describe("palette", function()
    local function linear(value)
      value = value / 255
      return value <= 0.04045 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4
    end

    local function rgb(colour)
      local r, g, b = colour:match("^#(%x%x)(%x%x)(%x%x)$")
      return linear(tonumber(r, 16)), linear(tonumber(g, 16)), linear(tonumber(b, 16))
    end

    local function contrast(one, two)
      local function light(colour)
        local r, g, b = rgb(colour)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
      end
      local a, b = light(one), light(two)
      return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
    end

    -- How people see a colour who lack one kind of cone, in linear light (Viénot,
    -- Brettel, Mollon 1999); "none" is as it is.
    local SEEN = {
      none = { 1, 0, 0, 0, 1, 0, 0, 0, 1 },
      protan = { 0.11238, 0.88762, 0, 0.11238, 0.88762, 0, 0.00401, -0.00401, 1 },
      deutan = { 0.29275, 0.70725, 0, 0.29275, 0.70725, 0, -0.02234, 0.02234, 1 },
    }

    local function lab(colour, kind)
      local r, g, b = rgb(colour)
      local m = SEEN[kind]
      r, g, b = m[1] * r + m[2] * g + m[3] * b, m[4] * r + m[5] * g + m[6] * b,
        m[7] * r + m[8] * g + m[9] * b
      local l = math.max(0, 0.4122 * r + 0.5363 * g + 0.0514 * b) ^ (1 / 3)
      local p = math.max(0, 0.2119 * r + 0.6807 * g + 0.1074 * b) ^ (1 / 3)
      local s = math.max(0, 0.0883 * r + 0.2817 * g + 0.6300 * b) ^ (1 / 3)
      return 0.2105 * l + 0.7936 * p - 0.0041 * s, 1.9780 * l - 2.4286 * p + 0.4506 * s,
        0.0259 * l + 0.7828 * p - 0.8087 * s
    end

    local function distance(one, two, kind)
      local a1, b1, c1 = lab(one, kind)
      local a2, b2, c2 = lab(two, kind)
      return 100 * ((a1 - a2) ^ 2 + (b1 - b2) ^ 2 + (c1 - c2) ^ 2) ^ 0.5
    end

    for _, name in ipairs({ "light", "dark" }) do
      local theme = palette[name]

      it("has senders that stand out from every band: " .. name, function()
        for _, sender in ipairs(theme.senders) do
          for _, list in ipairs({ theme.calm, theme.parts }) do
            for _, band in ipairs(list) do
              assert.is_true(contrast(sender, band) >= 3, sender .. " on " .. band)
            end
          end
        end
      end)

      it("has words that can be read: " .. name, function()
        for _, key in ipairs({ "ink", "soft", "broken", "mended", "known" }) do
          assert.is_true(contrast(theme[key], theme.paper) >= 4.5, key)
        end
      end)

      for _, kind in ipairs({ "none", "protan", "deutan" }) do
        it(("has senders that are told apart: %s, %s"):format(name, kind), function()
          for i, one in ipairs(theme.senders) do
            for j = i + 1, #theme.senders do
              local other = theme.senders[j]
              assert.is_true(distance(one, other, kind) >= 7,
                ("%s and %s: %.1f"):format(one, other, distance(one, other, kind)))
            end
          end
        end)
      end
    end
  end)

  describe("the command", function()
    local function run(arguments)
      local pipe = io.popen(("'%s' draw %s 2>&1"):format(support.program, arguments))
      local text = pipe:read("a")
      local _, _, status = pipe:close()
      return text, status
    end

    it("writes a page or a still picture, by the ending of the path", function()
      for ending, mark in pairs({ html = "^<!doctype html>", svg = "^<svg " }) do
        local path = folder .. "/out." .. ending
        local text, status = run(("%s -o %s --order"):format(MERGE, path))
        assert.same({ "", 0 }, { text, status })
        assert.is_truthy(read(path):find(mark))
      end
    end)

    it("prints a ladder without one, options standing anywhere", function()
      local text, status = run("--from 4 " .. MERGE .. " --to 5 --title x")
      assert.equal(0, status)
      assert.is_truthy(text:find("3-6781", 1, true))
    end)

    it("tells what it is for", function()
      local text, status = run("--help")
      assert.equal(0, status)
      assert.is_truthy(text:find("^usage: corolua draw"))
    end)

    local bad = {
      { "", "it needs the file of a trace" }, { MERGE .. " -o x.png", "must end in .html or .svg" },
      { MERGE .. " --from x", "seconds" }, { MERGE .. " --from 2 --to 1", "more than --from" },
      { "/nowhere/t.jsonl", "No such file" }, { MERGE .. " -o /nowhere/x.svg", "No such file" },
      { MERGE .. " --ordr", "did you mean '--order'" },
    }
    for _, case in ipairs(bad) do
      it("says what is wrong: " .. case[2], function()
        local text, status = run(case[1])
        assert.equal(64, status)
        assert.is_truthy(text:find(case[2], 1, true), text)
      end)
    end
  end)

  it("raises at the caller's line what is asked for wrongly", function()
    for _, call in ipairs({
      function() draw.html(7) end, function() draw.svg({}) end, function() draw.svg({ 7 }) end,
      function() draw.html(MERGE, { titel = "x" }) end,
      function() draw.html(MERGE, { from = 2, to = 1 }) end,
    }) do
      local ok, why = pcall(call)
      assert.is_false(ok)
      assert.is_truthy(why:find("draw_spec.lua:%d+: draw%.%l+"), why)
    end
  end)

  it("draws a partition and a merge", function()
    local path = write("played.jsonl", played.lines(played.split_and_heal().events))
    local text = assert(draw.ladder(path))
    assert.is_truthy(text:find("╞{12}        ╞{12}        │", 1, true))
    assert.is_truthy(text:find("╞{12345}", 1, true))
  end)
end)
