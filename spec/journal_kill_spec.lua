-- Not sanitized: it ends programs by signals, which leaves a sanitizer nothing to tell.
local journal = require("corolua.journal")
local journals = require("spec.support.journals")
local support = require("spec.support")

-- What a journal holds, as far as it was told: the records that do not stand in
-- the snapshot, by number.
local function copy(state)
  return { base = state.base, last = state.last,
    records = table.move(state.records, state.base + 1, state.last, state.base + 1, {}) }
end

local steps = {}

function steps.append(state, index, generation, length)
  state.last = index
  state.records[index] = ("%d %d "):format(index, generation) .. ("x"):rep(length)
end

function steps.cut(state, index)
  for i = index + 1, state.last do state.records[i] = nil end
  state.last = index
end

function steps.replace(state, index)
  state.base, state.last, state.records = index, index, {}
end

-- Whether the journal holds what the state has; a compaction may have put a
-- snapshot in the place of records.
local function holds(book, state)
  if book.last ~= state.last or book.base.index < state.base then return false end
  for index, bytes in book:records() do
    if state.records[index] ~= bytes then return false end
  end
  return true
end

-- Reads what the program said: the state on the disk, and what it began later.
local function follow(pipe, state, lines)
  local begun = {}
  for line in pipe:lines() do
    if line == "written" then
      for _, step in ipairs(begun) do steps[step[1]](state, table.unpack(step, 2)) end
      begun = {}
    elseif line ~= "open" then
      local step = {}
      for word in line:gmatch("%S+") do step[#step + 1] = math.tointeger(word) or word end
      begun[#begun + 1] = step
    end
    lines = lines - 1
    if lines == 0 then pipe.kill() end
  end
  return begun
end

describe("a journal whose process is killed", function()
  local folder

  before_each(function() folder = journals.folder() end)

  after_each(function() journals.remove(folder) end)

  -- Starts the program and kills it after so many lines.
  local function write_and_kill(state, seed, lines)
    local pipe <close> = assert(io.popen(("echo $$; exec %s spec/support/scribe.lua %s %d 2>&1")
      :format(support.program, folder, seed)))
    local pid = assert(pipe:read("n", "l"))
    local output = {
      lines = function() return pipe:lines() end,
      kill = function() os.execute("kill -9 " .. pid) end,
    }
    return follow(output, state, lines)
  end

  -- The first state, in order, that the journal holds; or nil.
  local function find(book, state, begun)
    state = copy(state)
    for i = 0, #begun do
      if i > 0 then steps[begun[i][1]](state, table.unpack(begun[i], 2)) end
      if holds(book, state) then return state end
    end
  end

  it("has what was written, in order and once, and nothing else", support.draws(function(seed)
    local state = { base = 0, last = 0, records = {} }
    for round = 1, 40 do
      local begun = write_and_kill(state, seed + round, math.random(2, 150))
      local book <close> = assert(journal.open(folder))
      state = assert(find(book, state, begun), ("seed %d, round %d"):format(seed, round))
      local snapshot = book.base.snapshot
      assert.is_true(book.base.index == 0 or snapshot == nil
        or snapshot:find("^stands for " .. book.base.index) ~= nil)
      state.base = book.base.index
    end
  end))
end)
