-- What is written of bytes that others have sent, and how much is held.
local cjson = require("cjson")
local encoder = require("corolua.trace_encoder")
local files = require("spec.support.files")
local json_line = require("corolua.trace.json_line")
local lab = require("corolua.lab")
local support = require("spec.support")
local trace_files = require("spec.support.trace_files")

local KIB = 1024

-- Bytes as the characters that stand for them.
local function characters(bytes)
  return (bytes:gsub(".", function(byte) return utf8.char(byte:byte()) end))
end

describe("corolua.trace_encoder", function()
  local path

  before_each(function() path = trace_files.path() end)
  after_each(function() os.remove(path) end)

  describe(".quote", function()
    it("gives each byte back, whatever it is", function()
      local all = {}
      for byte = 0, 255 do all[byte + 1] = string.char(byte) end
      local bytes = table.concat(all)
      local quoted = encoder.quote(bytes)
      assert.is_nil(quoted:find("[^ -~]"))
      assert.equal(characters(bytes), cjson.decode("[" .. quoted .. "]")[1])
      assert.equal('""', encoder.quote(""))
    end)

    it("gives random bytes back", support.draws(function()
      for _ = 1, 200 do
        local list = {}
        for i = 1, math.random(0, 300) do list[i] = string.char(math.random(0, 255)) end
        local bytes = table.concat(list)
        assert.equal(characters(bytes), cjson.decode("[" .. encoder.quote(bytes) .. "]")[1])
      end
    end))
  end)

  describe(".hash", function()
    it("tells messages apart that differ in one bit, or in their length", function()
      local seen = {}
      local function add(bytes)
        local hash = encoder.hash(bytes)
        assert.is_truthy(hash:match("^%x%x%x%x%x%x%x%x%x%x%x%x%x$"))
        assert.is_nil(seen[hash], "two messages have one hash")
        seen[hash] = true
        assert.equal(hash, encoder.hash(bytes))
      end
      for length = 0, 300 do add(("\0"):rep(length)) end
      for place = 1, 64 do
        for bit = 0, 7 do
          local bytes = ("\0"):rep(place - 1) .. string.char(1 << bit)
          add(bytes .. ("\0"):rep(400 - #bytes))
        end
      end
    end)
  end)

  describe(".start", function()
    it("raises while a file is written, and writes over what was there", function()
      files.write(path, ("old\n"):rep(1000))
      assert(encoder.start(path, "first\n", 0, 0))
      assert.has_error(function() encoder.start(path, "second\n", 0, 0) end)
      assert(encoder.stop())
      assert.same({ "first" }, files.lines(path))
      assert.has_error(encoder.stop)
    end)

    it("writes lines of any length", function()
      assert(encoder.start(path, "first\n", 0, 0))
      local long = ("y"):rep(300 * KIB)
      encoder.line("note", ',"text":"short"')
      encoder.line("note", ',"text":"' .. long .. '"')
      encoder.line("note", ',"text":"last"')
      assert(encoder.stop())
      local lines = files.lines(path)
      assert.equal(4, #lines)
      assert.equal(long, cjson.decode(lines[3]).text)
      assert.equal("last", cjson.decode(lines[4]).text)
    end)
  end)

  -- A disk of 256 KiB, of this program alone.
  it("goes on with whole lines where a full disk has room again", function()
    local cluster <close> = assert(lab.start({ nodes = 1, recorder = false }))
    local sys = require("corolua.sys")
    local lfs = require("lfs")
    local folder = "/dev/shm/small"
    assert(lfs.mkdir(folder))
    assert(sys.mount("tmpfs", folder, "tmpfs", "size=256k"))
    files.write(folder .. "/ballast", ("x"):rep(192 * KIB))
    local text = ("z"):rep(500)
    assert(encoder.start(folder .. "/trace", '{"k":"run"}\n', 0, 0))
    for _ = 1, 1000 do encoder.line("note", ',"text":"' .. text .. '"') end
    local dropped = encoder.stats().dropped
    assert.is_true(dropped > 500)
    os.remove(folder .. "/ballast")
    encoder.line("note", ',"text":"again"')
    encoder.flush()
    local ok, _, code = encoder.stop()
    assert.same({ nil, "ENOSPC" }, { ok, code })
    local lines = trace_files.read(folder .. "/trace")
    assert.is_true(#lines > 60)
    for i = 2, #lines do assert.equal("note", lines[i].k) end
    assert.equal("again", lines[#lines].text)
    assert(sys.unmount(folder))
    cluster:close()
  end)

  it("leaves no broken line at the end of a disk that stays full", function()
    local cluster <close> = assert(lab.start({ nodes = 1, recorder = false }))
    local sys = require("corolua.sys")
    local folder = "/dev/shm/full"
    assert(require("lfs").mkdir(folder))
    assert(sys.mount("tmpfs", folder, "tmpfs", "size=64k"))
    assert(encoder.start(folder .. "/trace", '{"k":"run"}\n', 0, 0))
    for _ = 1, 1000 do encoder.line("note", ',"text":"' .. ("z"):rep(501) .. '"') end
    local ok, _, code = encoder.stop()
    assert.same({ nil, "ENOSPC" }, { ok, code })
    local lines = trace_files.read(folder .. "/trace")
    assert.is_true(#lines > 60)
    assert.equal("\n", files.read(folder .. "/trace"):sub(-1))
    assert(sys.unmount(folder))
    cluster:close()
  end)

  describe("the recorder", function()
    after_each(function() encoder.keep(0, 0) end)

    it("holds no more than it was told, and the latest of it", function()
      assert(encoder.keep(0, 64 * KIB))
      for n = 1, 5000 do encoder.line("note", (',"text":"%d"'):format(n)) end
      local stats = encoder.stats()
      assert.is_true(stats.kept <= 64 * KIB)
      assert(encoder.dump(path, '{"k":"run"}\n', 0))
      local lines = trace_files.read(path)
      local stop = lines[#lines]
      assert.equal("stop", stop.k)
      assert.equal(5000 - (#lines - 2), stop.dropped)
      for i = 2, #lines - 1 do
        assert.equal(tostring(5000 - (#lines - 1 - i)), lines[i].text)
      end
    end)

    it("leaves out what is longer than all of it", function()
      assert(encoder.keep(0, 4 * KIB))
      encoder.line("note", ',"text":"before"')
      encoder.line("note", ',"text":"' .. ("x"):rep(8 * KIB) .. '"')
      encoder.line("note", ',"text":"behind"')
      assert(encoder.dump(path, '{"k":"run"}\n', 0))
      local lines = trace_files.read(path)
      assert.same({ "before", "behind" }, { lines[2].text, lines[3].text })
      assert.equal(1, lines[4].dropped)
    end)

    it("writes into no file that is there", function()
      assert(encoder.keep(0, 4 * KIB))
      files.write(path, "mine\n")
      local ok, _, code = encoder.dump(path, "first\n", 0)
      assert.same({ nil, "EEXIST" }, { ok, code })
      assert.same({ "mine" }, files.lines(path))
    end)
  end)
end)

describe("corolua.trace.json_line", function()
  it("keeps text readable, and moves no cursor", function()
    assert.equal('"ä€😀 \\u0022\\u005c"', json_line.text('ä€😀 "\\'))
    assert.equal('"\\u001b[2J\\u009b2J\\u007f\\u0000"', json_line.text("\27[2J\u{9b}2J\127\0"))
    assert.equal('"a\\u00ff"', json_line.text("a\xff"))
  end)

  it("writes what JSON does not have as it prints", function()
    assert.equal('"nan"', json_line.value(0 / 0):gsub("%-", ""))
    assert.equal('"inf"', json_line.value(math.huge))
    assert.equal("[]", json_line.value({}))
    assert.equal('{"1":1,"x":2}', json_line.value({ 1, x = 2 }))
    local loop = {}
    loop[1] = loop
    assert.is_truthy(cjson.decode(json_line.value(loop)))
    assert.is_truthy(json_line.value(print):find("^\"function"))
  end)

  it("comes to an end of tables that refer to one another", function()
    local all = {}
    for i = 1, 3 do all[i] = { others = all, whole = all } end
    local started = os.clock()
    assert.is_truthy(cjson.decode(json_line.value(all)))
    assert.is_true(os.clock() - started < 5)
  end)

  it("keeps all digits of numbers", function()
    assert.equal("0.1", json_line.value(0.1))
    assert.equal(0.1 + 0.2, tonumber(json_line.value(0.1 + 0.2)))
    assert.equal(2.0 ^ 53 - 1, tonumber(json_line.value(2.0 ^ 53 - 1)))
  end)

  it("leaves out pairs without a value", function()
    assert.equal(',"a":1,"c":false', json_line.pairs("a", 1, "b", nil, "c", false))
  end)
end)
