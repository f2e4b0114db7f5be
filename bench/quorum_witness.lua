--- What a node's own libquorum says of each ring, by a thin handle beside the
--- groups, daemon after daemon.

local corolua = require("corolua")

local methods = {}
local witness_mt = { __index = methods }

local quorum_witness = {}

local PAUSE = 0.005

local function key_of(ring) return ring.nodeid .. "." .. ring.seq end

-- Notes what was said: true, false, or both where that changed within the ring.
local function note(self, life, quorate, ring)
  local key = key_of(ring)
  local before = self.said[key]
  self.said[key] = quorate
  if before ~= nil and before ~= quorate then self.said[key] = "both" end
  life.first = life.first or ring.seq
  life.last = ring.seq
end

local function connect(self, life)
  local node = self.node
  if not node:is_running() or node.paused then return nil end
  local handle = node:quorum_handle({
    quorum = function(_, quorate, ring) note(self, life, quorate, ring) end,
  })
  if handle and handle:trackstart("changes") then return handle end
  if handle then handle:finalize() end
end

-- One daemon's life, as far as it can be told of.
local function follow(self)
  local life = {}
  local handle = connect(self, life)
  if not handle then return end
  table.insert(self.lives, life)
  while self.running and handle:dispatch("all") ~= nil do
    self.is_ready = life.first ~= nil
    corolua.sleep(PAUSE)
  end
  handle:finalize()
end

--- Follows a node's quorum until `running` is false.
---@param node corolua.lab.Node
function quorum_witness.start(node)
  local self = setmetatable({ node = node, said = {}, lives = {}, running = true }, witness_mt)
  corolua.spawn(function()
    while self.running do
      follow(self)
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

--- What was said of the rings around one, for a person to read.
---@param ring { nodeid: integer, seq: integer }
---@return string
function methods:describe(ring)
  local parts = { tostring(self:verdict(ring)) }
  for _, life in ipairs(self.lives) do
    parts[#parts + 1] = ("%s-%s"):format(life.first, life.last)
  end
  return table.concat(parts, " ")
end

return quorum_witness
