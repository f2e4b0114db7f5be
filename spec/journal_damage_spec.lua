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

  -- One frame for each list of records, as after kill -9: not closed. Gives the
  -- bytes of the file, and where each frame begins.
  local function make(lists, snapshot)
    local book = assert(journal.open(folder))
    if snapshot then assert(book:replace(0, snapshot, "meta")) end
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

  -- What opening a file of these bytes gives.
  local function open(bytes)
    journals.write(path, bytes)
    local book, message, code = journal.open(folder)
    if not book then return nil, message, code end
    local found, cut = journals.collect(book), book.recovered.cut
    book:close()
    return found, cut
  end

  -- Bits that have changed at any place of the file are found.
  local function assert_found_everywhere(bytes, bits)
    for position = 1, #bytes - frame.HEAD do
      local changed = string.char(bytes:byte(position) ~ bits)
      local found, _, code =
        open(bytes:sub(1, position - 1) .. changed .. bytes:sub(position + 1))
      assert.is_nil(found)
      assert.equal("ERR_CORRUPT", code)
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
    for position = 1, #bytes do
      for bit = 0, 7 do
        local changed = string.char(bytes:byte(position) ~ 1 << bit)
        local found, message, code =
          open(bytes:sub(1, position - 1) .. changed .. bytes:sub(position + 1))
        if position > starts[3] then
          assert.same(up_to(all, 3), found)
        else
          assert.is_nil(found, position)
          assert.equal("ERR_CORRUPT", code)
          assert.matches("log, offset %d+: ", message)
        end
      end
    end
  end)

  it("is found in the last records too, once the journal was closed", function()
    make(LISTS)
    assert(journal.open(folder)):close()
    local bytes = journals.read(path)
    assert_found_everywhere(bytes, 64)
  end)

  it("is found in all of a file that was compacted", function()
    local book = assert(journal.open(folder))
    for i = 1, 6 do book:append("record " .. i) end
    assert(book:compact(3, "three"))
    local bytes = journals.read(path)
    book.disk:close()
    assert_found_everywhere(bytes, 2)
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
    local _, offset, written, is_synced = table.unpack(writes[1])
    assert.is_true(offset <= starts[2] and offset % 4096 == 0)
    assert.equal(bytes:sub(offset + 1), written:sub(1, #bytes - offset))
    assert.is_true(is_synced)
  end)

  it("is found when a snapshot is not whole", function()
    local bytes, starts = make({ { "one" } }, ("s"):rep(3000))
    for size = 0, starts[1] - frame.HEAD - 1, 50 do
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

  it("is told from a file that is none of a journal", function()
    make({})
    for _, bytes in ipairs({ "", "short", ("no journal "):rep(20) }) do
      local found, _, code = open(bytes)
      assert.is_nil(found)
      assert.equal("ERR_CORRUPT", code)
    end
  end)

  it("is not mixed up with a format that is not known", function()
    local bytes = make({})
    local other = bytes:sub(1, 7) .. "\2" .. bytes:sub(9, 16)
    other = other .. string.pack("<I4", require("corolua.file").crc32(other)) .. bytes:sub(21)
    local _, message = open(other)
    assert.matches("version 2 of the format is not known", message)
  end)
end)
