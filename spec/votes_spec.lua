-- Not sanitized: it looks at what corosync counts, by calls that votequorum_spec.lua sanitizes.
-- Votes and quorum as votequorum counts them, on real clusters.
local lab = require("corolua.lab")
local loop = require("corolua.loop")
local scheduler = require("corolua.task.scheduler")
local votequorum = require("corosync.votequorum")

local TIMEOUT = 20

-- A votequorum handle on a node, whose events are read as they come.
local function voter(node)
  local self = { expected = {}, quorate = nil }
  self.handle = node:enter(function()
    return assert(votequorum.initialize({
      quorum = function(_, quorate) self.quorate = quorate end,
      expectedvotes = function(_, expected) table.insert(self.expected, expected) end,
    }))
  end)
  assert(self.handle:trackstart("changes"))
  self.watch = loop.fd(assert(self.handle:fd_get()), "r", function()
    if self.handle:dispatch("all") == nil then self.watch:cancel() end
  end)
  return self
end

local function close(self)
  self.watch:cancel()
  self.handle:finalize()
end

local function info(self, id) return assert(self.handle:getinfo(id or 0)) end

-- Not all changes come with an event, so the condition is asked in between too.
local function wait(condition, what)
  local tick = scheduler.every(0.05, function() end)
  local came = scheduler.wait(condition, TIMEOUT)
  tick:cancel()
  assert(came, "never came true: " .. what)
end

local function has_figures(self, expected)
  local all = info(self)
  for field, value in pairs(expected) do
    if all[field] ~= value then return false end
  end
  return true
end

-- corosync counts in several steps, so the figures may take a moment.
local function wait_figures(self, expected)
  wait(function() return has_figures(self, expected) end, "the figures of getinfo")
end

local function wait_quorate(self, quorate)
  wait(function() return self.quorate == quorate end, "quorate is " .. tostring(quorate))
end

local function code_of(_, _, code) return code end

describe("votes", function()
  local cluster
  local voters = {}

  local function start(options)
    options.token = options.token or 500
    cluster = assert(lab.start(options))
    for _, node in ipairs(cluster) do
      if node:is_running() then voters[node.nodeid] = voter(node) end
    end
    return table.unpack(voters)
  end

  after_each(function()
    for _, one in pairs(voters) do close(one) end
    voters = {}
    cluster:close()
  end)

  describe("setvotes", function()
    it("leaves the quorum as it was when a node gives its vote away", function()
      local one = start({ nodes = 3 })
      assert(one.handle:setvotes(3, 0))
      wait_figures(one, { total_votes = 2, quorum = 2, highest_expected = 3 })
      assert.same(0, info(one, 3).node_votes)
    end)

    it("raises the expected votes with a node's own, and does not lower them", function()
      local one, two = start({ nodes = 3 })
      assert(one.handle:setvotes(2, 5))
      wait_figures(two, { total_votes = 7, highest_expected = 7, quorum = 4 })
      wait(function() return two.expected[1] == 7 end, "an event with 7 expected votes")
      assert.same("ERR_INVALID_PARAM", code_of(one.handle:setvotes(2, 1)))
    end)

    it("does not know a node that never was there", function()
      local one = start({ nodes = 1 })
      assert.same("ERR_NAME_NOT_FOUND", code_of(one.handle:setvotes(9, 1)))
    end)

    it("lasts until that node starts again", function()
      local one = start({ nodes = 2, votes = 2 })
      assert(one.handle:setvotes(2, 3))
      wait(function() return info(one, 2).node_votes == 3 end, "3 votes")
      assert(cluster[2]:restart())
      assert(cluster:settle())
      wait(function() return info(one, 2).node_votes == 2 end, "2 votes again")
    end)
  end)

  describe("setexpected", function()
    it("takes what neither is below the votes present nor loses quorum", function()
      local one = start({ nodes = 3 })
      local codes = {}
      for expected = 1, 6 do
        codes[expected] = code_of(one.handle:setexpected(expected)) or "OK"
      end
      assert.same({
        "ERR_INVALID_PARAM", "ERR_INVALID_PARAM", "OK", "OK", "OK", "ERR_INVALID_PARAM",
      }, codes)
      wait_figures(one, { highest_expected = 5, quorum = 3 })
    end)

    it("makes a lone node quorate at once; after a heal the highest value counts", function()
      local one, _, three = start({ nodes = 3 })
      assert(cluster:partition({ { 1, 2 }, { 3 } }))
      assert(cluster:settle())
      wait_quorate(three, false)
      assert(three.handle:setexpected(1))
      wait_quorate(three, true)
      assert.is_true(info(one).flags.quorate)
      assert(cluster:heal())
      assert(cluster:settle())
      wait(function() return info(three).highest_expected == 3 end, "3 expected votes")
      assert.is_true(info(three).flags.quorate)
    end)
  end)

  describe("two_node", function()
    it("keeps the quorum of one node, and wants both after a start", function()
      local one = start({ nodes = 2, two_node = true })
      wait_figures(one, { total_votes = 2, quorum = 1 })
      assert.same({ true, true, true }, {
        info(one).flags.quorate, info(one).flags.two_node, info(one).flags.wait_for_all,
      })
      assert(cluster[2]:kill())
      assert(cluster:settle())
      wait_figures(one, { total_votes = 1 })
      assert.is_true(info(one).flags.quorate)
      close(one)
      assert(cluster[1]:restart())
      voters[1] = voter(cluster[1])
      wait_quorate(voters[1], false)
      assert.is_false(info(voters[1]).flags.quorate)
      assert(cluster[2]:start())
      assert(cluster:settle())
      wait_quorate(voters[1], true)
    end)

    it("gives quorum to both sides of a partition", function()
      local one, two = start({ nodes = 2, two_node = true })
      assert(cluster:partition({ { 1 }, { 2 } }))
      assert(cluster:settle())
      for _, side in ipairs({ one, two }) do
        wait_figures(side, { total_votes = 1 })
        assert.is_true(info(side).flags.quorate)
      end
    end)
  end)

  describe("wait_for_all", function()
    it("gives no quorum until all nodes have been there once", function()
      local one = start({ nodes = 3, initial = { 1, 2 }, wait_for_all = true })
      wait_figures(one, { total_votes = 2, quorum = 2 })
      assert.is_false(info(one).flags.quorate)
      assert(cluster[3]:start())
      assert(cluster:settle())
      wait_quorate(one, true)
      assert(cluster[3]:kill())
      assert(cluster:settle())
      wait_figures(one, { total_votes = 2 })
      assert.is_true(info(one).flags.quorate)
    end)
  end)

  describe("last_man_standing", function()
    it("lowers the expected votes, without an event, once the window has passed", function()
      local one = start({ nodes = 5, last_man_standing = true, last_man_standing_window = 1000 })
      for id = 5, 3, -1 do
        assert(cluster[id]:kill())
        wait_figures(one, { highest_expected = id - 1, quorum = (id - 1) // 2 + 1 })
        assert.is_true(info(one).flags.quorate)
      end
      assert.same({}, one.expected)
      assert(cluster[2]:kill())
      wait_quorate(one, false)
    end)
  end)

  describe("auto_tie_breaker", function()
    it("gives quorum to the half with the lowest nodeid, against the count", function()
      local one, _, three = start({ nodes = 4, auto_tie_breaker = true })
      assert(cluster:partition({ { 1, 2 }, { 3, 4 } }))
      assert(cluster:settle())
      wait_quorate(three, false)
      wait_figures(one, { total_votes = 2, quorum = 3 })
      assert.is_true(info(one).flags.quorate)
      assert.is_false(info(three).flags.quorate)
    end)
  end)

  describe("a node without a vote", function()
    it("does not count, and stands in the list all the same", function()
      local one = start({ nodes = 3, votes = { [3] = 0 } })
      wait_figures(one, { total_votes = 2, highest_expected = 2 })
      assert(cluster[3]:kill())
      assert(cluster:settle())
      assert.is_true(info(one).flags.quorate)
      assert.same("dead", info(one, 3).node_state)
    end)
  end)
end)
