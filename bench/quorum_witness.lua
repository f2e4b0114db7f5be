--- What a node's libquorum says of each ring: to a thin handle beside the
--- groups, and to the connection that the groups of that node share.

local corolua = require("corolua")
local quorum = require("corolua.daemon.quorum")

---@class bench.Witness
---@field is_ready boolean? it has been told of a ring by the present daemon
---@field running boolean set to false, it ends
local methods = {}
local witness_mt = { __index = methods }

local quorum_witness = {}

local PAUSE = 0.005

local function key_of(ring) return ring.nodeid .. "." .. ring.seq end

--- A witness that is told by `note` alone.
---@return bench.Witness
function quorum_witness.new()
  return setmetatable({ said = {}, lives = {}, running = true }, witness_mt)
end

--- Another connection begins.
function methods:begin() table.insert(self.lives, {}) end

--- Notes what was said: true, false, or both where that changed within the ring.
---@param quorate boolean
---@param ring { nodeid: integer, seq: integer }
function methods:note(quorate, ring)
  local key, life = key_of(ring), self.lives[#self.lives]
  local before = self.said[key]
  self.said[key] = quorate
  if before ~= nil and before ~= quorate then self.said[key] = "both" end
  life.first = life.first or ring.seq
  life.last = ring.seq
  self.is_ready = true
end

local function connect(self, node)
  if not node:is_running() or node.paused then return nil end
  local handle = node:thin("quorum", {
    quorum = function(_, quorate, ring) self:note(quorate, ring) end,
  })
  if handle and handle:trackstart("changes") then return handle end
  if handle then handle:finalize() end
end

-- One daemon's life, as far as it can be told of.
local function follow(self, node)
  local handle = connect(self, node)
  if not handle then return end
  self:begin()
  while self.running and handle:dispatch("all") ~= nil do corolua.sleep(PAUSE) end
  handle:finalize()
  self.is_ready = false
end

--- Follows a node's quorum by a handle of its own until `running` is false.
---@param node corolua.lab.Node
---@return bench.Witness
function quorum_witness.start(node)
  local self = quorum_witness.new()
  corolua.spawn(function()
    while self.running do
      follow(self, node)
      corolua.sleep(PAUSE)
    end
  end)
  return self
end

-- A connection keeps its last states, so one that is new has lost none.
local function listen(self, tracker)
  local follower = {}
  self:begin()
  for _, state in ipairs(tracker.states) do self:note(state.quorate, state.ring) end
  function follower.has_read_state(_, state) self:note(state.quorate, state.ring) end
  function follower.lost() self.is_ready = false end
  tracker:follow(follower)
end

--- Notes what the connection is told that the groups of a place share, until
--- `running` is false. It never connects by itself.
---@param place corolua.Place
---@return bench.Witness
function quorum_witness.listen(place)
  local self = quorum_witness.new()
  corolua.spawn(function()
    while self.running do
      local tracker = quorum.at(place)
      if not self.is_ready and #tracker.states > 0 then listen(self, tracker) end
      corolua.sleep(PAUSE)
    end
  end)
  return self
end

--- Whether a ring was quorate: true, false, "both" where that changed within
--- it, "skipped" where the handle was told of rings before and after it alone,
--- and "unseen" where no handle was there to be told.
---@param ring { nodeid: integer, seq: integer }
---@return boolean|string
function methods:verdict(ring)
  local said = self.said[key_of(ring)]
  if said ~= nil then return said end
  for _, life in ipairs(self.lives) do
    if life.first and life.first < ring.seq and ring.seq < life.last then return "skipped" end
  end
  return "unseen"
end

--- What was said of a ring, and between which ones, for a person to read.
---@param ring { nodeid: integer, seq: integer }
---@return string
function methods:describe(ring)
  local parts = { tostring(self:verdict(ring)) }
  for _, life in ipairs(self.lives) do
    if life.first then parts[#parts + 1] = ("%x-%x"):format(life.first, life.last) end
  end
  return table.concat(parts, " ")
end

return quorum_witness
