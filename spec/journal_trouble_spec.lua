local journal = require("corolua.journal")
local journals = require("spec.support.journals")
local support = require("spec.support")
local sys = require("corolua.sys")

-- The beginning of every script here. `fail` says which calls of the system are
-- to fail from now on, and how (spec/support/disk.c).
local PRELUDE = [[
local journal = require("corolua.journal")
local scheduler = require("corolua.task.scheduler")
local folder = arg[1]
local function fail(calls)
  local file <close> = assert(io.open(folder .. ".calls", "w"))
  file:write(calls)
end
local told = {}
local function open(options)
  local book = assert(journal.open(folder, options))
  function book.on.trouble(message, code)
    table.insert(told, ("trouble %s: %s"):format(code, message))
  end
  function book.on.recovered() table.insert(told, "recovered") end
  function book.on.failed(message, code) table.insert(told, "failed " .. code) end
  return book
end
local function show(...)
  local words = table.pack(...)
  for i = 1, words.n do words[i] = tostring(words[i]) end
  print((table.concat(words, " "):gsub(folder:gsub("%p", "%%%0"), "FOLDER")))
end
]]

local EIO, ENOSPC, EINTR, EROFS = 5, 28, 4, 30

describe("a journal whose disk fails", function()
  local folder

  before_each(function() folder = journals.folder() end)

  after_each(function()
    journals.remove(folder)
    os.remove(folder .. ".calls")
  end)

  local function run(script, before)
    before = before or ("DISK=%s.calls %s"):format(folder, support.preload_stub("disk"))
    return journals.run(before, PRELUDE .. script, folder)
  end

  local function records()
    local book <close> = assert(journal.open(folder))
    return journals.collect(book)
  end

  local WRITES = {
    { "pwrite", ENOSPC, "ERR_NO_SPACE", "pwrite: No space left on device" },
    { "pwrite", EIO, "ERR_FAILED_OPERATION", "pwrite: Input/output error" },
    { "pwrite", EROFS, "ERR_ACCESS", "pwrite: Read-only file system" },
    { "fdatasync", EIO, "ERR_FAILED_OPERATION", "fdatasync: Input/output error" },
    { "fdatasync", ENOSPC, "ERR_NO_SPACE", "fdatasync: No space left on device" },
  }
  for _, case in ipairs(WRITES) do
    local call, errno, code, text = table.unpack(case)
    it(("tries again when %s gives %d, until it is on the disk"):format(call, errno), function()
      local output = run(([[
        local book = open()
        book:append("one")
        assert(book:sync())
        fail("%s=%d")
        book:append("two")
        assert(scheduler.wait(function() return told[1] end, 5))
        book:append("three")
        show(book.last, book.written, (select(3, book:sync(0.1))))
        fail("")
        assert(book:sync(5))
        scheduler.sleep(0)
        show(book.written, table.concat(told, " "))
        book.disk:close()
      ]]):format(call, errno))
      assert.equal(("3 1 ERR_TIMEOUT\n3 trouble %s: FOLDER/log: %s recovered\n"):format(code, text),
        output)
      assert.same({ "one", "two", "three" }, records())
    end)
  end

  -- The end of a file is taken back before anything is added, and what then was
  -- lost with its page is the note of it alone.
  for _, calls in ipairs({ "pwrite=28", "fdatasync=5", "fdatasync=-5" }) do
    it("adds nothing before its end is taken back, when " .. calls, function()
      local output = run(([[
        local book = open()
        book:append("one")
        assert(book:close())
        book = open()
        local size = require("lfs").attributes(folder .. "/log").size
        fail("%s")
        book:append("two")
        assert(scheduler.wait(function() return told[1] end, 20))
        show(require("lfs").attributes(folder .. "/log").size - size)
        os.execute(("mkdir %%s.copy; cp %%s/* %%s.copy"):format(folder, folder, folder))
        fail("")
        assert(book:sync(20))
        assert(book:close())
        show(table.concat(told, " "):match("recovered"))
        local copy <close> = assert(journal.open(folder .. ".copy"))
        show(copy.last, copy.recovered.cut)
      ]]):format(calls))
      journals.remove(folder .. ".copy")
      assert.equal("0\nrecovered\n1 0\n", output)
      assert.same({ "one", "two" }, records())
    end)
  end

  for _, calls in ipairs({ "pwrite=28", "fdatasync=5", "fdatasync=-5" }) do
    it("says that it could not be closed when " .. calls .. ", and has all", function()
      local output = run(([[
        local book = open({ retry = 0.1 })
        book:append("one")
        assert(book:sync())
        fail("%s")
        local done, _, code = book:close()
        show(done, code:match("^ERR_"), table.concat(told, " "):match("failed"))
      ]]):format(calls))
      assert.equal("nil ERR_ failed\n", output)
      assert.same({ "one" }, records())
    end)
  end

  it("writes again what shares a page with what was lost", function()
    run([[
      local book = open()
      for i = 1, 300 do
        book:append("record " .. i)
        fail(i % 7 == 0 and "fdatasync=-5" or "")
        book:sync(0.02)
        fail("")
        assert(book:sync(5))
      end
      book.disk:close()
    ]])
    local found = records()
    assert.equal(300, #found)
    for i = 1, 300 do assert.equal("record " .. i, found[i]) end
  end)

  it("goes on by itself after short and interrupted calls", function()
    local output = run(([[
      local book = open()
      fail("pwrite=-1 pread=-1")
      for i = 1, 20 do book:append(("x"):rep(i * 1000)) end
      assert(book:sync(5))
      fail("pwrite=%d fdatasync=%d")
      book:append("interrupted")
      show((select(3, book:sync(0.1))))
      fail("pread=-1")
      assert(book:sync(5))
      show(#book:record(20), book:record(21), #told)
      book:close()
    ]]):format(EINTR, EINTR))
    assert.equal("ERR_TIMEOUT\n20000 interrupted 0\n", output)
    assert.equal(21, #records())
  end)

  it("gives up for good after a time, and says so from then on", function()
    local output = run(([[
      local book = open({ retry = 0.2 })
      book:append("one")
      assert(book:sync())
      fail("fdatasync=%d")
      book:append("two")
      local waiting = scheduler.spawn(function() return book:sync() end)
      show(select(2, book:sync()))
      show((select(3, waiting:wait())))
      fail("")
      local calls = { append = "x", sync = 1, cut = 1, replace = 1, compact = 1 }
      for _, call in ipairs({ "append", "sync", "cut", "replace", "compact" }) do
        local done, _, code = book[call](book, calls[call])
        show(call, done, code)
      end
      show(book.written, told[#told], book.failed.code)
      show((select(3, book:close())))
    ]]):format(EIO))
    assert.equal([[
FOLDER/log: fdatasync: Input/output error ERR_FAILED_OPERATION
ERR_FAILED_OPERATION
append nil ERR_FAILED_OPERATION
sync nil ERR_FAILED_OPERATION
cut nil ERR_FAILED_OPERATION
replace nil ERR_FAILED_OPERATION
compact nil ERR_FAILED_OPERATION
1 failed ERR_FAILED_OPERATION ERR_FAILED_OPERATION
ERR_FAILED_OPERATION
]], output)
    assert.same({ "one" }, records())
  end)

  for _, calls in ipairs({ "pwrite=28", "fdatasync=5", "rename=5", "fsync=5" }) do
    it("replaces its file in the end when " .. calls, function()
      local output = run(([[
        local book = open()
        for i = 1, 5 do book:append("old " .. i) end
        assert(book:sync())
        fail("%s")
        local task = scheduler.spawn(function() return book:replace(3, "three", "meta") end)
        assert(scheduler.wait(function() return told[1] end, 5))
        show(book.last, book.written, book:append("four"))
        fail("")
        assert(task:wait(5))
        assert(book:sync(5))
        show(book.last, book.written)
        book.disk:close()
      ]]):format(calls))
      assert.equal("3 0 4\n4 4\n", output)
      local book <close> = assert(journal.open(folder))
      assert.same({ 3, "three", "meta" }, { book.base.index, book.base.snapshot, book.base.meta })
      assert.same({ [4] = "four" }, journals.collect(book))
    end)
  end

  for _, calls in ipairs({ "pwrite=28", "fdatasync=5", "rename=5", "pread=5" }) do
    it("is as it was when it cannot be compacted since " .. calls, function()
      local output = run(([[
        local book = open()
        for i = 1, 5 do book:append("record " .. i) end
        assert(book:sync())
        fail("%s")
        local done, message, code = book:compact(3, ("s"):rep(5000))
        fail("")
        show(done, code, #told, book.base.index, book:append("record 6"))
        assert(book:sync(5))
        assert(book:compact(4, "four"))
        show(book.written, book.base.index)
        book.disk:close()
      ]]):format(calls))
      assert.matches("^nil ERR_%u+_%u+ 0 0 6\n6 4\n$", output)
      assert.same({ [5] = "record 5", [6] = "record 6" }, records())
    end)
  end

  it("does not go on in a compacted file whose name is not on the disk", function()
    local output = run([[
      local book = open()
      for i = 1, 5 do book:append("record " .. i) end
      assert(book:sync())
      fail("fsync=5")
      local task = scheduler.spawn(function() return book:compact(3, "three") end)
      assert(scheduler.wait(function() return told[1] end, 5))
      book:append("record 6")
      show((select(3, book:sync(0.1))), book.written)
      fail("")
      assert(task:wait(5))
      assert(book:sync(5))
      show(book.written)
      book:close()
    ]])
    assert.equal("ERR_TIMEOUT 5\n6\n", output)
  end)

  it("is not opened while it cannot be read or written", function()
    local output = run([[
      local book = open()
      book:append("one")
      assert(book:close())
      for _, calls in ipairs({ "pread=5", "pwrite=28", "fdatasync=5", "fsync=5" }) do
        fail(calls)
        show(select(2, journal.open(folder)))
      end
      fail("")
      local again <close> = assert(journal.open(folder))
      show(again:record(1))
    ]])
    assert.equal([[
journal 'FOLDER': pread: Input/output error ERR_FAILED_OPERATION
journal 'FOLDER': pwrite: No space left on device ERR_NO_SPACE
journal 'FOLDER': fdatasync: Input/output error ERR_FAILED_OPERATION
journal 'FOLDER': fsync: Input/output error ERR_FAILED_OPERATION
one
]], output)
  end)

  -- A file system of 256 KiB that is filled to its end.
  local FULL = [[
    local book = open({ retry = %s })
    local filler = assert(io.open(folder .. "/filler", "w"))
    filler:setvbuf("no")
    while filler:write(("x"):rep(4096)) do end
    filler:close()
    local acked = 0
    repeat
      for _ = 1, 10 do book:append(("record %%d "):format(book.last + 1) .. ("x"):rep(500)) end
      if book:sync(0.5) then acked = book.written end
    until told[1]
    show(told[1], acked == book.written)
  ]]
  local ENDS = [[
    if book.failed then
      show(book.failed.code)
      book:close()
      assert(os.remove(folder .. "/filler"))
    else
      assert(os.remove(folder .. "/filler"))
      assert(book:sync(5))
      acked = book.last
      book:close()
    end
    local again <close> = assert(journal.open(folder))
    for index, bytes in again:records() do assert(bytes:find("^record " .. index .. " x")) end
    show(again.last >= acked)
  ]]
  local TROUBLE = "trouble ERR_NO_SPACE: FOLDER/log: pwrite: No space left on device true\n"

  local function on_small_disk(unshare)
    local shell = ([[unshare %s sh -c 'mount -t tmpfs -o size=256k corolua "$3" && exec "$@"' sh]])
      :format(unshare)
    local function small(retry)
      require("lfs").mkdir(folder)
      return run(FULL:format(retry) .. ENDS, shell)
    end

    it("waits for room on a full disk, and then has all", function()
      assert.equal(TROUBLE .. "true\n", small(10))
    end)

    it("gives up on a disk that stays full", function()
      assert.equal(TROUBLE .. "ERR_NO_SPACE\ntrue\n", small(0))
    end)
  end

  if sys.id().uid == 0 then
    describe("as root", function() on_small_disk("-m") end)
  end

  support.describe_user("in a user namespace", function() on_small_disk("-rm") end)
end)
