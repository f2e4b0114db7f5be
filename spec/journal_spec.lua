local journal = require("corolua.journal")
local journals = require("spec.support.journals")

describe("corolua.journal", function()
  local folder

  before_each(function() folder = journals.folder() end)

  after_each(function() journals.remove(folder) end)

  it("has after opening again what it had before", function()
    local book <close> = assert(journal.open(folder))
    assert.same({ 0, 0, 0 }, { book.base.index, book.last, book.written })
    for _, bytes in ipairs({ "one", "", ("x"):rep(3000000), "\0\xC5frm" }) do book:append(bytes) end
    local before = journals.collect(book)
    assert(book:sync())
    assert.equal(4, book.written)
    assert.same(before, journals.collect(book))
    assert(book:close())
    local again <close> = assert(journal.open(folder))
    assert.same(before, journals.collect(again))
    assert.equal(4, again.written)
  end)

  it("keeps the folder to one object", function()
    local book <close> = assert(journal.open(folder))
    local other, _, code = journal.open(folder)
    assert.is_nil(other)
    assert.equal("ERR_BUSY", code)
    book:close()
    assert(journal.open(folder)):close()
  end)

  it("cuts records off, and goes on behind them", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("old " .. i) end
    book:sync()
    book:cut(7)
    book:append("new 8")
    assert.equal(7, book.written)
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.equal(8, again.last)
    assert.same({ "old 7", "new 8" }, { again:record(7), again:record(8) })
  end)

  it("compacts, and keeps the records behind the snapshot", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("record " .. i) end
    assert(book:compact(6, "six", "meta"))
    book:append("record 11")
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same({ 6, "six", "meta" }, { again.base.index, again.base.snapshot, again.base.meta })
    assert.same({ 11, "record 7", "record 11" }, { again.last, again:record(7), again:record(11) })
    assert.is_nil((again:record(6)))
  end)

  it("replaces everything", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("record " .. i) end
    assert(book:replace(4, "four"))
    assert.equal(5, book:append("five"))
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same({ 4, "four", 5 }, { again.base.index, again.base.snapshot, again.last })
    assert.equal("five", again:record(5))
  end)
end)
