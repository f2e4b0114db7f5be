-- A group that loses something at each event of its life in turn: the daemon, the
-- quorum connection, the patience of its tasks, or the program itself. Afterwards
-- its state says what is so, no message was lost in silence, and one that is sent
-- then arrives.
local corolua = require("corolua")
local cpg = require("corosync.cpg")
local fake = require("spec.support.fake")
local lab = require("corolua.lab")
local support = require("spec.support")
local sweep = require("spec.support.sweep")

local FORMS = { "raw", "packed", "fragmented" }

-- Runs of one form beside each other.
local SIDE_BY_SIDE = 40

-- Runs the function for each index, some at a time: what it found wrong.
local function for_each(last, fn)
  local found, index = {}, 0
  local function work()
    while index < last do
      index = index + 1
      local this = index
      for _, fault in ipairs(fn(this)) do
        found[#found + 1] = ("event %d: %s"):format(this, fault)
      end
    end
  end
  local tasks = {}
  for i = 1, SIDE_BY_SIDE do tasks[i] = corolua.spawn(work) end
  for _, task in ipairs(tasks) do task:wait() end
  return found
end

describe("a group that loses", function()
  setup(fake.install)
  teardown(fake.restore)

  for _, form in ipairs(FORMS) do
    for _, kind in ipairs(sweep.kinds) do
      it(("the %s at any event of its life goes on, %s"):format(kind, form), function()
        local faults, events = sweep.played(form, "none")
        assert.same({}, faults)
        local found = for_each(events, function(index) return (sweep.played(form, kind, index)) end)
        print(("%s, %s: %d events, %d failures"):format(form, kind, events, #found))
        assert.same({}, found)
        assert.is_true(events > 20)
      end)
    end
  end
end)

describe("a program that stops at any event of a group's life", function()
  local function run(form, at)
    local source = ("require([[spec.support.sweep]]).stopped([[%s]], %d)"):format(form, at)
    local pipe <close> = assert(io.popen(("timeout 20 '%s' -e '%s' 2>&1"):format(support.program,
      source)))
    local fates, accepted, events, rest = {}, {}, nil, {}
    for line in pipe:lines() do
      local what, key = line:match("^(%l+)\t(%S+)$")
      if what == "events" then events = tonumber(key)
      elseif what == "accepted" then accepted[key] = true
      elseif what then fates[key] = fates[key] and "twice" or what
      else table.insert(rest, line) end
    end
    return fates, accepted, events, rest
  end

  local function faults_of(form, at)
    local fates, accepted, _, rest = run(form, at)
    for key in pairs(accepted) do
      if not fates[key] then table.insert(rest, key .. " was lost in silence") end
    end
    for key, fate in pairs(fates) do
      if not accepted[key] or fate == "twice" then table.insert(rest, key .. " is " .. fate) end
    end
    return rest
  end

  for _, form in ipairs(FORMS) do
    it("loses no message in silence, " .. form, function()
      local _, _, events = run(form, 0)
      local found = {}
      for at = 1, events do
        for _, fault in ipairs(faults_of(form, at)) do
          table.insert(found, ("event %d: %s"):format(at, fault))
        end
      end
      print(("%s, stop: %d events, %d failures"):format(form, events, #found))
      assert.same({}, found)
      assert.is_true(events > 20)
    end)
  end
end)

describe("a group of a real daemon that loses", function()
  local EVERY = 5
  local PAUSED, SHORT = 0.3, 0.1
  local prepare = cpg.prepare
  local cluster, index, at, strike

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
    function cpg.prepare(callbacks, options)
      local counted = {}
      for kind, fn in pairs(callbacks) do
        counted[kind] = function(...)
          index = index + 1
          if index == at then strike() end
          return fn(...)
        end
      end
      return prepare(counted, options)
    end
  end)

  teardown(function()
    cpg.prepare = prepare
    cluster:close()
  end)

  local is_struck
  local strikes = {
    daemon = function()
      assert(cluster[1]:kill())
      assert(cluster[1]:start())
    end,
    wait = function()
      assert(cluster[1]:pause())
      corolua.sleep(PAUSED)
      assert(cluster[1]:resume())
    end,
  }

  local function run(form, kind, when)
    index, at, is_struck = 0, when, false
    function strike()
      is_struck = true
      corolua.spawn(function()
        strikes[kind]()
        is_struck = false
      end)
    end
    local life = sweep.new(cluster[1]:group("tea", sweep.forms[form]), form, {
      is_over = function() return not is_struck end,
      timeout = kind == "wait" and SHORT,
    })
    life:live()
    return life.faults, index
  end

  for _, form in ipairs(FORMS) do
    for _, kind in ipairs({ "daemon", "wait" }) do
      it(("the %s at every fifth event goes on, %s"):format(kind, form), function()
        local _, events = run(form, kind)
        local found, tried = {}, 0
        for when = 1, events, EVERY do
          tried = tried + 1
          for _, fault in ipairs((run(form, kind, when))) do
            table.insert(found, ("event %d: %s"):format(when, fault))
          end
        end
        print(("real, %s, %s: %d of %d events, %d failures"):format(form, kind, tried, events,
          #found))
        assert.same({}, found)
      end)
    end
  end
end)
