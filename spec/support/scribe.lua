-- A program that writes a journal until it is killed: argument 1 is the folder,
-- 2 a seed. Before everything it does it says so, and after what it waited for
-- that this is on the disk: "append 7 3 120" (number, generation, length), "cut 5",
-- "replace 9 4", "written". Numbers come again after a cut, with another
-- generation.
local journal = require("corolua.journal")

math.randomseed(tonumber(arg[2]))
io.stdout:setvbuf("no")

local book = assert(journal.open(arg[1]))
local generation = 0

local function say(...) io.write(table.concat({ ... }, " "), "\n") end

local function append()
  local length = math.random(20) == 1 and math.random(300000) or math.random(0, 200)
  say("append", book.last + 1, generation, length)
  assert(book:append(("%d %d "):format(book.last + 1, generation) .. ("x"):rep(length)))
end

local actions = {}

function actions.append()
  for _ = 1, math.random(10) do append() end
end

function actions.cut()
  local index = math.random(math.max(book.base.index, book.last - 5), book.last)
  say("cut", index)
  generation = generation + 1
  book:cut(index)
end

function actions.compact()
  local index = math.random(book.base.index, book.last)
  assert(book:compact(index, "stands for " .. index))
end

function actions.replace()
  local index = math.random(0, 20)
  generation = generation + 1
  say("replace", index, generation)
  assert(book:replace(index, ("stands for %d %d"):format(index, generation)))
end

local KINDS = { "append", "append", "append", "append", "append", "append", "cut", "compact" }

say("open")
while true do
  actions[math.random(100) == 1 and "replace" or KINDS[math.random(#KINDS)]]()
  if math.random(2) == 1 then
    assert(book:sync())
    say("written")
  end
end
