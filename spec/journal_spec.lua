local frame = require("corolua.journal.frame")
local journal = require("corolua.journal")
local journals = require("spec.support.journals")
local lfs = require("lfs")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")

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

  it("keeps records apart from those that were cut off before they were written", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 6 do book:append("old " .. i) end
    book:cut(3)
    book:append("new 4")
    book:cut(2)
    book:append("newer 3")
    assert.same({ "old 1", "old 2", "newer 3" }, journals.collect(book))
    assert(book:sync())
    assert.equal(3, book.written)
    assert.same({ "old 1", "old 2", "newer 3" }, journals.collect(book))
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same({ "old 1", "old 2", "newer 3" }, journals.collect(again))
  end)

  it("takes records while it compacts", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("record " .. i) end
    local done
    local task = scheduler.spawn(function()
      assert(book:compact(10, ("s"):rep(20 << 20)))
      done = true
    end)
    local during = 0
    while not done do
      book:append("record " .. book.last + 1)
      assert(book:sync())
      if not done then during = book.last end
    end
    task:wait()
    assert.is_true(during > 12)
    local before = journals.collect(book)
    assert.equal("record 11", before[11])
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same({ 10, 20 << 20 }, { again.base.index, #again.base.snapshot })
    assert.same(before, journals.collect(again))
  end)

  it("reads records while others are written behind them", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("record " .. i) end
    assert(book:sync())
    local writing = scheduler.spawn(function()
      for i = 11, 200 do
        book:append("record " .. i)
        assert(book:sync())
      end
    end)
    local reads = 0
    while not writing:is_done() do
      reads = reads + 1
      assert.equal("record " .. reads % 10 + 1, book:record(reads % 10 + 1))
      scheduler.sleep(0)
    end
    writing:wait()
    assert.is_true(reads > 10)
  end)

  it("is read while it is written and compacted", support.draws(function()
    local book <close> = assert(journal.open(folder))
    local reads, is_over = 0, false
    local reader = scheduler.spawn(function()
      while not is_over do
        local index = math.random(book.base.index + 1, math.max(book.last, book.base.index + 1))
        local bytes, message, code = book:record(index)
        local is_there = bytes == nil and code == "ERR_NOT_EXIST"
          or bytes ~= nil and bytes:find("^" .. index .. " ") ~= nil
        assert(is_there, message)
        reads = reads + 1
        scheduler.sleep(0)
      end
    end)
    for i = 1, 3000 do
      book:append(i .. " " .. ("x"):rep(100))
      if i % 3 == 0 then assert(book:sync()) end
      if i % 500 == 0 then assert(book:compact(i - 400)) end
    end
    is_over = true
    reader:wait()
    assert.is_true(reads > 100)
  end))

  it("compacts once at a time, and not what is replaced meanwhile", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 10 do book:append("record " .. i) end
    local task = scheduler.spawn(function() return select(3, book:compact(5, "five")) end)
    scheduler.sleep(0)
    assert.equal("ERR_BUSY", (select(3, book:compact(6, "six"))))
    support.raises("cut: index must be an integer of 5 to 10, got 4", function()
      book:cut(4)
    end)
    assert(book:replace(20, "twenty"))
    assert.equal("ERR_BUSY", task:wait())
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same({ 20, "twenty", 20 }, { again.base.index, again.base.snapshot, again.last })
    assert.is_nil(lfs.attributes(folder .. "/log.compact"))
  end)

  it("has what a list would have, after whatever was done", support.draws(function()
    local book <close> = assert(journal.open(folder))
    local list, base = {}, 0
    local actions = {
      function()
        for _ = 1, math.random(20) do
          local bytes = ("%g "):format(math.random()) .. ("x"):rep(math.random(0, 9000))
          list[book:append(bytes)] = bytes
        end
      end,
      function() assert(book:sync()) end,
      function()
        local index = math.random(math.max(base, book.last - 30), book.last)
        assert(book:cut(index))
        for i in pairs(list) do if i > index then list[i] = nil end end
      end,
      function()
        if math.random(5) > 1 then return end
        local index = math.random(base, book.last)
        assert(book:compact(index))
        for i in pairs(list) do if i <= index then list[i] = nil end end
        base = index
      end,
      function()
        if math.random(20) > 1 then return end
        base, list = math.random(0, 5), {}
        assert(book:replace(base))
      end,
    }
    for _ = 1, 400 do
      actions[math.random(#actions)]()
      if book.last > base then
        local index = math.random(base + 1, book.last)
        assert.equal(list[index], assert(book:record(index)))
      end
    end
    assert.same(list, journals.collect(book))
    assert(book:sync())
    assert.same(list, journals.collect(book))
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.same(list, journals.collect(again))
    assert.equal(base, again.base.index)
  end))

  it("returns the same from each close, also from those that wait for another", function()
    local book <close> = assert(journal.open(folder, { retry = 0 }))
    book:append("one")
    assert(book:sync())
    local is_sealing, is_full = false, false
    function book.writer.log.seal()
      is_sealing = true
      assert(scheduler.wait(function() return is_full end, 20))
      return nil, "No space left on device", "ENOSPC"
    end
    local function close() return select("#", book:close()), select(3, book:close()) end
    local first = scheduler.spawn(close)
    assert(scheduler.wait(function() return is_sealing end, 20))
    local second = scheduler.spawn(close)
    scheduler.sleep(0)
    assert.is_false(second:is_done())
    is_full = true
    for _, task in ipairs({ first, second }) do
      assert.same({ 3, "ERR_NO_SPACE" }, { task:wait(20) })
    end
    assert(journal.open(folder)):close()
  end)

  it("is closed by the next one where a close is left before its end", function()
    local book <close> = assert(journal.open(folder))
    local disk, is_waiting = book.disk, false
    function disk.close(self)
      self.close = nil
      is_waiting = true
      scheduler.sleep(0)
      error("left", 0)
    end
    local first = scheduler.spawn(function() return pcall(book.close, book) end)
    assert(scheduler.wait(function() return is_waiting end, 20))
    assert(book:close())
    assert.same({ false, "left" }, { first:wait() })
    assert(journal.open(folder)):close()
  end)

  it("tells how far it is written, and which wait was too short", function()
    local book <close> = assert(journal.open(folder))
    local told = {}
    function book.on.written(index) table.insert(told, index) end
    local log, is_free = book.writer.log, false
    local add = log.add
    function log.add(...)
      assert(scheduler.wait(function() return is_free end))
      return add(...)
    end
    book:append("one")
    local done, message, code = book:sync(0.01)
    is_free = true
    assert.same({ "timed out after 0.01 s", "ERR_TIMEOUT" }, { message, code })
    assert.is_nil(done)
    is_free = true
    assert(book:sync(20))
    book:append("two")
    assert(book:sync(20))
    assert(scheduler.wait(function() return told[2] end, 20))
    assert.same({ 1, 2 }, told)
  end)

  it("commits all that was appended while it waited for the disk at once", function()
    local book <close> = assert(journal.open(folder))
    for i = 1, 1000 do book:append("record " .. i) end
    local begin, bytes = book.writer.log.stop, 0
    for _, record in book:records() do bytes = bytes + 4 + #record end
    assert(book:sync())
    assert.equal(begin + frame.HEAD + bytes, book.writer.log.stop)
  end)

  it("seals its file a while after the last write, until the next one", function()
    local book <close> = assert(journal.open(folder))
    local log = book.writer.log
    assert.is_true(log:is_sealed())
    book:append("one")
    assert(book:sync())
    assert.is_false(log:is_sealed())
    assert(scheduler.wait(function() return log:is_sealed() end, 20))
    book:cut(0)
    assert(book:sync())
    assert.is_false(log:is_sealed())
    assert(book:close())
    assert.is_true(log:is_sealed())
  end)

  it("marks what is written while it goes on writing", function()
    local book <close> = assert(journal.open(folder))
    local log, marks = book.writer.log, {}
    local mark = log.mark
    function log.mark(self)
      local done, message, code = mark(self)
      if done then table.insert(marks, self.stop) end
      return done, message, code
    end
    local deadline = scheduler.now() + 20
    while #marks < 2 and scheduler.now() < deadline do
      book:append("one")
      assert(book:sync())
    end
    assert.is_true(#marks >= 2 and marks[2] > marks[1])
    assert.is_false(log:is_sealed())
  end)

  it("takes a record of many megabytes, in memory and from the disk", function()
    local book <close> = assert(journal.open(folder))
    local huge = ("0123456789abcdef"):rep(4 << 20)
    book:append("before")
    book:append(huge)
    book:append("behind")
    assert.is_true(huge == book:record(2))
    assert(book:sync(20))
    assert.is_true(huge == book:record(2))
    book:close()
    local again <close> = assert(journal.open(folder))
    assert.is_true(huge == again:record(2))
    assert.same({ "before", "behind" }, { again:record(1), again:record(3) })
  end)

  it("takes little memory for a long log", function()
    local book <close> = assert(journal.open(folder))
    for _ = 1, 20 do
      for _ = 1, 10000 do book:append(("x"):rep(100)) end
      assert(book:sync())
    end
    assert.is_nil(next(book.memory))
    local spans = book.writer.log.index
    assert.is_true(#spans.list <= 20 * 2)
    assert(book:cut(1))
    book:append("two")
    assert(book:sync())
    assert.equal("two", book:record(2))
    local last = spans.list[#spans.list]
    assert.is_true(last.stop - last.offset < 100)
  end)

  it("ends a program in good order that does not wait for the disk", function()
    for _ = 1, 5 do
      local output = journals.run("", [[
        local book = assert(require("corolua.journal").open(arg[1]))
        for i = 1, 100 do book:append(("x"):rep(100000)) end
        require("corolua").spawn(function() os.exit(7) end)
      ]], folder .. "; echo $?")
      assert.equal("7\n", output)
    end
  end)

  it("says where the folder cannot be", function()
    journals.write(folder, "a file")
    local book, message, code = journal.open(folder .. "/below")
    assert.is_nil(book)
    assert.same("ERR_FAILED_OPERATION", code)
    assert.matches("journal '/.*/below': mkdir: Not a directory", message)
    book, message, code = journal.open(folder)
    assert.is_nil(book)
    assert.matches("open: Not a directory", message)
    assert.same("ERR_FAILED_OPERATION", code)
    os.remove(folder)
  end)

  it("raises for what it cannot be meant to do", function()
    local book <close> = assert(journal.open(folder))
    book:append("one")
    local cases = {
      { "dir must be the path of a folder", function() journal.open(7) end },
      { "journal.open: unknown option 'rety', did you mean 'retry'%?", function()
        journal.open(folder, { rety = 1 })
      end },
      { "option 'retry' must be a number of seconds, 0 or more, got \"x\"", function()
        journal.open(folder, { retry = "x" })
      end },
      { "append: the record must be a string, got a table", function()
        book:append({})
      end },
      { "index must be an integer of 0 to 1, got 2", function() book:cut(2) end },
      { "compact: index must be an integer of 0 to %d+, got nil",
        function() book:compact(nil) end },
      { "snapshot must be a string, got a table", function() book:compact(1, {}) end },
      { "meta must be a string, got a table", function() book:replace(1, "", {}) end },
      { "replace: index must be an integer of 0 to %d+, got %-1", function() book:replace(-1) end },
      { "record: index must be an integer of 1 to %d+, got \"one\"",
        function() book:record("one") end },
      { "index must be an integer of 1 to 2, got 3", function() book:records(3) end },
      { "sync: the time must be a number of seconds, 0 or more", function() book:sync(-1) end },
      { "unknown event 'writen', did you mean 'written'%?", function()
        book.on.writen = print
      end },
    }
    for _, case in ipairs(cases) do support.raises(case[1], case[2]) end
    book:close()
    support.raises("journal '.*' is closed", function() book:append("two") end)
    assert.is_true(book:close())
  end)
end)
