local disk = require("corolua.journal.disk")
local frame = require("corolua.journal.frame")
local journal = require("corolua.journal")
local journals = require("spec.support.journals")

local disk_methods = getmetatable(assert(disk.new("."))).__index

-- What a journal makes of a file that was not written to its end, or that has
-- changed since.
describe("damage to a journal", function()
  local folder, path

  before_each(function()
    folder = journals.folder()
    path = folder .. "/log"
  end)

  after_each(function() journals.remove(folder) end)

  -- One frame for each list of records, as after kill -9 before the file was
  -- marked or sealed. Gives the bytes of the file, and where each frame begins.
  local function make(lists, snapshot)
    local book = assert(journal.open(folder))
    if snapshot then assert(book:replace(0, snapshot, "meta")) end
    journals.keep_open(book)
    local starts, all = {}, {}
    for _, list in ipairs(lists) do
      starts[#starts + 1] = book.writer.log.stop
      for _, bytes in ipairs(list) do all[book:append(bytes)] = bytes end
      assert(book:sync())
    end
    local bytes = journals.read(path)
    book.disk:close()
    return bytes, starts, all
  end

  -- The same, closed.
  local function make_closed(lists, snapshot)
    local _, starts, all = make(lists, snapshot)
    assert(journal.open(folder)):close()
    return journals.read(path), starts, all
  end

  -- What opening a file of these bytes gives.
  local function open(bytes)
    journals.write(path, bytes)
    local book, message, code = journal.open(folder)
    if not book then return nil, message, code end
    local found, cut = journals.collect(book), book.recovered.cut
    book:close()
    return found, cut
  end

  local function change(bytes, position, bits)
    local changed = string.char(bytes:byte(position) ~ bits)
    return bytes:sub(1, position - 1) .. changed .. bytes:sub(position + 1)
  end

  -- The positions that hold anything, and some of those that hold nothing.
  local function positions(bytes)
    local list = {}
    for position = 1, #bytes do
      local is_blank = position <= frame.FIRST and bytes:byte(position) == 0
      if not is_blank or position % 509 == 0 then list[#list + 1] = position end
    end
    return list
  end

  local NOTE = #frame.pack_note(0, 0, 0)

  local function is_in_note(position)
    for _, offset in ipairs(frame.NOTES) do
      if position > offset and position <= offset + NOTE then return true end
    end
  end

  -- Bits that have changed at any place of a closed file are found; one of the
  -- two notes of the end is made good from the other one.
  local function assert_found_everywhere(bytes, bits, all)
    for _, position in ipairs(positions(bytes)) do
      local found, _, code = open(change(bytes, position, bits))
      if is_in_note(position) then
        assert.same(all, found)
        assert.is_true(bytes == journals.read(path))
      else
        assert.is_nil(found, position)
        assert.equal("ERR_CORRUPT", code)
      end
    end
  end

  local function up_to(all, last) return table.move(all, 1, last, 1, {}) end

  local LISTS = { { "one", "two" }, { "three" }, { "four", "", "six" } }

  it("cuts off a last frame that ends anywhere", function()
    local bytes, starts, all = make(LISTS)
    for size = starts[3], #bytes - 1 do
      local found, cut = open(bytes:sub(1, size))
      assert.same(up_to(all, 3), found, size)
      assert.equal(size - starts[3], cut)
    end
    assert.same(all, (open(bytes)))
  end)

  it("cuts off a last frame with pages that were not written", function()
    local bytes, starts = make({ { "one" }, { ("x"):rep(20000) } })
    for page = starts[2] // 4096 * 4096, #bytes - 1, 4096 do
      local from, to = math.max(page, starts[2]), math.min(page + 4096, #bytes)
      local found, cut = open(bytes:sub(1, from) .. ("\0"):rep(to - from) .. bytes:sub(to + 1))
      assert.same({ "one" }, found)
      assert.equal(#bytes - starts[2], cut)
    end
  end)

  it("is gone once it was cut off: what is written next is found", function()
    local bytes, starts = make({ { "one" }, { ("x"):rep(20000) } })
    journals.write(path, bytes:sub(1, starts[2] + 10000))
    local book = assert(journal.open(folder))
    book:append("two")
    assert(book:close())
    local again <close> = assert(journal.open(folder))
    assert.same({ "one", "two" }, journals.collect(again))
    assert.equal(0, again.recovered.cut)
  end)

  it("is found wherever a bit has changed, but in a write that nothing followed", function()
    local bytes, starts, all = make(LISTS, "snapshot")
    for _, position in ipairs(positions(bytes)) do
      for bit = 0, 7 do
        local found, message, code = open(change(bytes, position, 1 << bit))
        if position > starts[3] then
          assert.same(up_to(all, 3), found)
        elseif is_in_note(position) then
          assert.same(all, found)
        else
          assert.is_nil(found, position)
          assert.equal("ERR_CORRUPT", code)
          assert.matches("log, offset %d+: ", message)
        end
      end
    end
  end)

  it("is found in the last records too, once the journal was closed", function()
    local bytes, _, all = make_closed(LISTS)
    assert_found_everywhere(bytes, 64, all)
  end)

  it("is found where a closed file ends anywhere but at its end", function()
    local bytes, starts = make_closed(LISTS, "snapshot")
    for size = 0, #bytes - 1, 1 do
      if size > starts[1] or size % 509 == 0 or size % frame.BLOCK == 0 then
        local found, _, code = open(bytes:sub(1, size))
        assert.is_nil(found, size)
        assert.equal("ERR_CORRUPT", code)
      end
    end
    local found, message, code = open(bytes .. "\0")
    assert.is_nil(found)
    assert.equal("ERR_CORRUPT", code)
    assert.matches(("offset %d: the file ends here, and %d bytes of it were on the disk"):format(
      #bytes + 1, #bytes), message)
  end)

  it("is found where a byte of a closed file is gone, or one too many", function()
    local bytes = make_closed(LISTS, "snapshot")
    for _, position in ipairs(positions(bytes)) do
      for _, changed in ipairs({
        bytes:sub(1, position - 1) .. bytes:sub(position + 1),
        bytes:sub(1, position) .. "x" .. bytes:sub(position + 1),
      }) do
        local found, _, code = open(changed)
        assert.is_nil(found, position)
        assert.equal("ERR_CORRUPT", code)
      end
    end
  end)

  it("is found before the last mark of a file that goes on", function()
    local book = assert(journal.open(folder))
    for i = 1, 3 do
      book:append("record " .. i)
      assert(book:sync())
    end
    local log = book.writer.log
    assert(log:mark())
    local marked = log.stop
    journals.keep_open(book)
    book:append("record 4")
    assert(book:sync())
    local bytes = journals.read(path)
    book.disk:close()
    for size = 0, #bytes - 1, 7 do
      local found, cut = open(bytes:sub(1, size))
      if size < marked then
        assert.is_nil(found, size)
      else
        assert.same({ "record 1", "record 2", "record 3" }, found)
        assert.equal(size - marked, cut)
      end
    end
    assert.is_nil((open(bytes:sub(1, marked - 30) .. bytes:sub(marked - 28))))
  end)

  it("is a log that is gone", function()
    make_closed(LISTS)
    os.remove(path)
    local book, message, code = journal.open(folder)
    assert.is_nil(book)
    assert.equal("ERR_CORRUPT", code)
    assert.matches("/log: it is gone, and was there$", message)
  end)

  -- What a crash leaves of the two notes, in the order in which they are written.
  it("is not a note of the end whose write was interrupted", function()
    local open_file, _, all = make(LISTS)
    assert(journal.open(folder)):close()
    local closed = journals.read(path)
    local function with(bytes, note, block)
      local offset = frame.NOTES[note]
      return bytes:sub(1, offset) .. block .. bytes:sub(offset + #block + 1)
    end
    local function note(bytes, number)
      return bytes:sub(frame.NOTES[number] + 1, frame.NOTES[number] + frame.BLOCK)
    end
    for _, torn in ipairs({ ("\0"):rep(NOTE), ("?"):rep(NOTE), "\xC5end" .. ("\0"):rep(9) }) do
      local closing = with(open_file, 2, torn)
      local closing_again = with(with(open_file, 2, note(closed, 2)), 1, torn)
      local taking_back = with(closed, 1, torn)
      local opening = with(open_file, 1, torn)
      for _, bytes in ipairs({ closing, closing_again, taking_back, opening }) do
        local found, cut = open(bytes)
        assert.same(all, found)
        assert.equal(0, cut)
      end
    end
    assert.same(all, (open(with(open_file, 2, note(closed, 2)))))
    assert.same(all, (open(with(closed, 1, note(open_file, 1)))))
  end)

  it("is not made by closing when both notes are damaged at once", function()
    local bytes = make_closed(LISTS)
    local blocks = ("\0"):rep(2 * frame.BLOCK)
    local found, message, code =
      open(bytes:sub(1, frame.BLOCK) .. blocks .. bytes:sub(frame.FIRST + 1))
    assert.is_nil(found)
    assert.equal("ERR_CORRUPT", code)
    assert.matches("both notes of the end are damaged", message)
  end)

  it("is found in all of a file that was compacted", function()
    local book = assert(journal.open(folder))
    for i = 1, 6 do book:append("record " .. i) end
    assert(book:compact(3, "three"))
    local bytes, all = journals.read(path), journals.collect(book)
    book.disk:close()
    assert_found_everywhere(bytes, 2, all)
  end)

  -- What a process sees of it may be in memory alone, after a failed write.
  it("cannot come from a last frame that was read: it is written again", function()
    local bytes, starts = make({ { "one" }, { ("x"):rep(9000), "three" } })
    local call, writes = disk_methods.call, {}
    disk_methods.call = function(self, operation, ...)
      if operation == "write" then table.insert(writes, { ... }) end
      return call(self, operation, ...)
    end
    local book <close> = journal.open(folder)
    disk_methods.call = call
    assert.equal("three", book:record(3))
    local offsets = {}
    for i, write in ipairs(writes) do
      offsets[i] = write[2]
      assert.is_true(write[4], "synced")
    end
    local from = starts[2] - starts[2] % frame.BLOCK
    assert.same({ frame.NOTES[1], from, frame.NOTES[2], frame.NOTES[1] }, offsets)
    assert.equal(bytes:sub(from + 1), writes[2][3])
  end)

  it("is found when a snapshot is not whole", function()
    local bytes, starts = make({ { "one" } }, ("s"):rep(3000))
    for size = 0, starts[1] - 1, 50 do
      local found, _, code = open(bytes:sub(1, size))
      assert.is_nil(found)
      assert.equal("ERR_CORRUPT", code)
    end
  end)

  it("is told with the place of it", function()
    local bytes, starts = make(LISTS)
    local found, message = open(bytes:sub(1, starts[2] + 40) .. "?" .. bytes:sub(starts[2] + 42))
    assert.is_nil(found)
    assert.matches(("log, offset %d: what stands here is damaged, and it was on the disk "
      .. "before the frame at offset %d was written"):format(starts[2], starts[3]), message)
    journals.remove(folder)
    bytes, starts = make_closed(LISTS)
    found, message = open(bytes:sub(1, starts[3] + 40) .. "?" .. bytes:sub(starts[3] + 42))
    assert.is_nil(found)
    assert.matches(("log, offset %d: what stands here has changed since it was on the disk")
      :format(starts[3]), message)
  end)

  it("is not mistaken for what a record holds", function()
    local inner = make({ { "inner" }, { "frames" } })
    journals.remove(folder)
    local bytes, starts = make({ { "one" }, { inner .. inner } })
    local found, cut = open(bytes:sub(1, #bytes - 1))
    assert.same({ "one" }, found)
    assert.equal(#bytes - 1 - starts[2], cut)
  end)

  it("is found in a record that is read later", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 3 do
      book:append(("record %d "):format(i) .. ("x"):rep(70000))
      assert(book:sync())
    end
    local bytes = journals.read(path)
    local file = assert(io.open(path, "r+b"))
    file:seek("set", (bytes:find("record 2", 1, true)))
    file:write("?")
    file:close()
    assert.matches("^record 1", (book:record(1)))
    local found, message, code = book:record(2)
    assert.is_nil(found)
    assert.equal("ERR_CORRUPT", code)
    assert.matches("offset %d+ has changed", message)
    assert.error_matches(book:records(2), "has changed")
  end)

  -- As nobody but a program that knows the format writes them.
  it("is what frames say that are whole and cannot be", function()
    local base = frame.pack_base({ meta = "" })
    local with_snapshot = frame.pack_base({ snapshot = "four", meta = "" })
    local record = frame.pack_records({ "one" })
    local cases = {
      { { "base", 0, 0, "short" } },
      { { "base", 0, 0, base .. "x" } },
      { { "base", 0, 0, base }, { "base", 0, 0, base } },
      { { "records", 1, 1, record } },
      { { "base", 0, 0, base }, { "records", 2, 1, record } },
      { { "base", 0, 0, base }, { "piece", 0, 0, "four" } },
      { { "base", 0, 0, base }, { "cut", 1, 0, "" } },
      { { "base", 0, 0, with_snapshot }, { "records", 1, 1, record } },
      { { "base", 0, 0, with_snapshot }, { "piece", 0, 1, "four" } },
      { { "base", 0, 0, with_snapshot }, { "piece", 0, 0, "fours" } },
      { { "base", 0, 0, with_snapshot }, { "piece", 0, 0, "fou" } },
    }
    for number, frames in ipairs(cases) do
      assert(journal.open(folder)):close()
      local bytes = journals.read(path):sub(1, frame.FIRST)
      local id = frame.unpack_head(bytes)
      for _, one in ipairs(frames) do
        bytes = bytes .. frame.pack(id, #bytes, table.unpack(one))
      end
      local notes = {}
      for i, offset in ipairs(frame.NOTES) do notes[i] = frame.pack_note(id, offset, #bytes) end
      local from, to = frame.NOTES[1], frame.NOTES[2]
      bytes = bytes:sub(1, from) .. notes[1] .. bytes:sub(from + NOTE + 1, to) .. notes[2]
        .. bytes:sub(to + NOTE + 1)
      local found, _, code = open(bytes)
      assert.is_nil(found, number)
      assert.equal("ERR_CORRUPT", code)
      journals.remove(folder)
    end
    for payload, count in pairs({ [""] = 1, ["\1\0\0"] = 1, ["\9\0\0\0x"] = 1, [record] = 2,
      [record .. "x"] = 1 }) do
      assert.is_nil(frame.unpack_records(payload, count))
    end
    assert.same({ "one" }, frame.unpack_records(record, 1))
  end)

  it("is told from a file that is none of a journal", function()
    make_closed({})
    for _, bytes in ipairs({ "", "short", ("no journal "):rep(20) }) do
      local found, _, code = open(bytes)
      assert.is_nil(found)
      assert.equal("ERR_CORRUPT", code)
    end
  end)

  it("is not mixed up with a format that is not known", function()
    local bytes = make_closed({})
    for _, version in ipairs({ 1, 3 }) do
      local other = bytes:sub(1, 7) .. string.char(version) .. bytes:sub(9, 16)
      other = other .. string.pack("<I4", require("corolua.file").crc32(other)) .. bytes:sub(21)
      local found, message, code = open(other)
      assert.is_nil(found)
      assert.equal("ERR_VERSION", code)
      assert.matches(("written in version %d of the format, and this program reads version 2")
        :format(version), message)
      assert.is_true(other == journals.read(path))
    end
  end)
end)
