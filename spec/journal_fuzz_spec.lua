local damage = require("spec.support.damage")
local journal = require("corolua.journal")
local journals = require("spec.support.journals")

-- How many damages, and the seed: of the clock unless it is set.
local DAMAGES = math.tointeger(tonumber(os.getenv("JOURNAL_DAMAGES"))) or 1200
local SEED = math.tointeger(tonumber(os.getenv("JOURNAL_SEED"))) or os.time()

local DAMAGES_OF_ONE = 40

-- What a journal holds: base, snapshot, and the records by number.
local function copy(state)
  return { base = state.base, snapshot = state.snapshot, last = state.last,
    records = table.move(state.records, state.base + 1, state.last, state.base + 1, {}) }
end

-- A journal that is written, with all states that it has passed since it was last
-- known to the file to be whole.
local function start(folder)
  local book = assert(journal.open(folder))
  local now = { base = 0, last = 0, records = {} }
  return { folder = folder, book = book, now = now, passed = { copy(now) }, borders = {},
    before = { journals.read(folder .. "/log") } }
end

local function pass(self) table.insert(self.passed, copy(self.now)) end

-- All that was passed is known to be on the disk.
local function settle(self) self.passed = { copy(self.now) } end

local function keep(self)
  table.insert(self.before, journals.read(self.folder .. "/log"))
end

local steps = {}

function steps.append(self)
  local now = self.now
  for _ = 1, math.random(4) do
    local bytes = ("%g "):format(math.random()) .. ("x"):rep(math.random(0, 2000))
    now.last = self.book:append(bytes)
    now.records[now.last] = bytes
    pass(self)
  end
end

function steps.cut(self)
  local now = self.now
  local index = math.random(math.max(now.base, now.last - 4), now.last)
  assert(self.book:cut(index))
  for i = index + 1, now.last do now.records[i] = nil end
  now.last = index
  pass(self)
end

local function begin_file(self, index)
  keep(self)
  self.now.base, self.now.snapshot = index, ("stands for %d "):format(index)
    .. ("s"):rep(math.random(0, 9000))
  self.borders = {}
end

function steps.compact(self)
  local now = self.now
  local index = math.random(now.base, now.last)
  begin_file(self, index)
  for i in pairs(now.records) do if i <= index then now.records[i] = nil end end
  assert(self.book:compact(index, now.snapshot))
  settle(self)
end

function steps.replace(self)
  local now = self.now
  begin_file(self, math.random(0, 9))
  now.last, now.records = now.base, {}
  assert(self.book:replace(now.base, now.snapshot))
  settle(self)
end

function steps.mark(self)
  assert(self.book.writer.log:mark())
  settle(self)
end

function steps.reopen(self)
  assert(self.book:close())
  keep(self)
  self.book = assert(journal.open(self.folder))
  settle(self)
end

local WEIGHTS = { append = 12, cut = 3, compact = 1, replace = 1, mark = 2, reopen = 2 }
local drawn = {}
for _, name in ipairs({ "append", "cut", "compact", "replace", "mark", "reopen" }) do
  for _ = 1, WEIGHTS[name] do drawn[#drawn + 1] = name end
end

local ends = {}

function ends.closed(self)
  assert(self.book:close())
  settle(self)
end

function ends.sealed(self)
  assert(self.book.writer.log:seal())
  settle(self)
  self.book.disk:close()
end

function ends.unclosed(self) self.book.disk:close() end

-- Writes a journal, lets it go in one of the three ways, and gives what it was.
local function write(folder, ending)
  local self = start(folder)
  for _ = 1, math.random(3, 40) do
    steps[drawn[math.random(#drawn)]](self)
    assert(self.book:sync())
    self.borders[#self.borders + 1] = self.book.writer.log.stop
    if math.random(8) == 1 then keep(self) end
  end
  ends[ending](self)
  self.bytes = journals.read(folder .. "/log")
  return self
end

local function is_same(found, state)
  if found.base ~= state.base or found.last ~= state.last then return false end
  if found.snapshot ~= state.snapshot then return false end
  for i = state.base + 1, state.last do
    if found.records[i] ~= state.records[i] then return false end
  end
  return true
end

-- What opening gives: the state that it is in and how much was cut off, or a code.
local function open(folder)
  local book, _, code = journal.open(folder)
  if not book then return nil, code end
  local found = { base = book.base.index, snapshot = book.base.snapshot, last = book.last,
    records = journals.collect(book) }
  local cut = book.recovered.cut
  found.last = book:append("one more")
  found.records[found.last] = "one more"
  assert(book:close())
  local again <close> = assert(journal.open(folder))
  local kept = { base = again.base.index, snapshot = again.base.snapshot, last = again.last,
    records = journals.collect(again) }
  assert(is_same(kept, found), "what was recovered is not what is there afterwards")
  found.records[found.last], found.last = nil, found.last - 1
  return found, cut
end

-- One of the states that were passed; all that came after the first one may be
-- lost, but not in silence, unless the file was cut where a write of it ended.
local function judge(self, found, cut, changed)
  for place = #self.passed, 1, -1 do
    if is_same(found, self.passed[place]) then
      local is_cut_short = #changed < #self.bytes
        and self.bytes:sub(1, #changed) == changed
      assert(place == #self.passed or cut > 0 or is_cut_short, "a loss without a word")
      return place == #self.passed and "whole" or "cut"
    end
  end
  error(("a state that never was: base %d, last %d"):format(found.base, found.last), 0)
end

local function damage_once(self, name)
  local changed = damage.kinds[name](self.bytes, self)
  if changed == self.bytes then return nil end
  journals.write(self.folder .. "/log", changed)
  local found, cut = open(self.folder)
  if not found then
    assert(cut == "ERR_CORRUPT" or cut == "ERR_VERSION", cut)
    return "told"
  end
  return judge(self, found, cut, changed)
end

describe("a journal that is damaged at random", function()
  local folder

  before_each(function() folder = journals.folder() end)

  after_each(function() journals.remove(folder) end)

  -- What became of all damages, by name.
  local function play(ending, damages)
    local number = ending:byte() -- so that the three draw other numbers
    local count, told, seed = 0, { told = 0, whole = 0, cut = 0 }, SEED
    while count < damages do
      seed = seed + 1
      math.randomseed(seed, number)
      local self = write(folder, ending)
      for i = 1, DAMAGES_OF_ONE do
        local name = damage.names[math.random(#damage.names)]
        local ok, outcome = pcall(damage_once, self, name)
        assert(ok, ("JOURNAL_SEED=%d, %s, damage %d, %s: %s"):format(
          seed - 1, ending, i, name, tostring(outcome)))
        if outcome then
          told[outcome], count = told[outcome] + 1, count + 1
        end
      end
      journals.remove(folder)
    end
    if os.getenv("JOURNAL_DAMAGES") then
      print(("%s, seed %d: %d damages, %d told, %d harmless, %d cut"):format(
        ending, SEED, count, told.told, told.whole, told.cut))
    end
    return told
  end

  for _, ending in ipairs({ "closed", "sealed" }) do
    it(("is whole or says that it is not, when it was %s"):format(ending), function()
      local told = play(ending, DAMAGES // 3)
      assert.equal(0, told.cut)
      assert.is_true(told.told > 4 * told.whole, SEED)
    end)
  end

  it("holds what it held up to the last mark at least, when it was not closed", function()
    local told = play("unclosed", DAMAGES // 3)
    assert.is_true(told.cut > 0 and told.told > 0, SEED)
  end)
end)
