--- Which nodes parted unseen between two rings that a daemon told of.
---
--- Rings may form and pass without a word to any client, so that a node parts and
--- comes back and stands in nobody's `left`. What tells of it is the daemon's count
--- of how often that node has joined its ring, which is read at each ring that is
--- told; where it cannot be read, a step of the ring's seq that leaves room for two
--- rings in between counts as a parting.

local calls = require("corolua.daemon.calls")
local cmap = require("corosync.cmap")
local scheduler = require("corolua.task.scheduler")

---@class corolua.Partings of the rings of one daemon
---@field private place corolua.Place
---@field private newest table|false the newest ring, with what is known of it
---@field private kept table[] rings, the oldest first
local methods = {}
local partings_mt = { __name = "corolua.partings", __index = methods }

local partings = {}

--- No node parts unseen at a smaller step.
partings.STEP = 12

local TIMEOUT = 1

-- The first count is not pressing: it leaves the daemon to who joins.
local FIRST_PAUSE = 0.02

-- A group that is behind asks for rings that others have asked for.
local KEPT = 8

local by_place = setmetatable({}, { __mode = "k" })

--- What is known of the daemon of a place.
---@param place corolua.Place
---@return corolua.Partings
function partings.at(place)
  local self = by_place[place.key]
  if not self then
    self = setmetatable({ place = place, newest = false, kept = {} }, partings_mt)
    by_place[place.key] = self
  end
  return self
end

--- The connections to the daemon of a place are closed: nothing is read any more.
---@param place corolua.Place
function partings.forget(place) by_place[place.key] = nil end

local function read_counts(place, nodes)
  local deadline = scheduler.now() + TIMEOUT
  local handle = cmap.prepare()
  if not calls.call(handle, "initialize", place.network, TIMEOUT) then return false end
  local left = math.max(0, deadline - scheduler.now())
  local counts = calls.call(handle, "join_counts", place.network, left, nodes)
  calls.finalize(handle)
  return counts or false
end

-- Of the nodes of both rings those that joined meanwhile. What came too late to
-- stand for the ring it was read at, or not at all, leaves the step to say so.
local function compare(ring, counts)
  local risen = {}
  for _, node in ipairs(ring.nodes) do
    if ring.before_nodes[node] then
      local count, before = counts and counts[node], ring.before and ring.before[node]
      local has_risen = ring.step >= partings.STEP
      if count and before then has_risen = count > before end
      risen[node] = has_risen or nil
    end
  end
  return risen
end

local function read(self, ring)
  if not ring.is_pressing then scheduler.sleep(FIRST_PAUSE) end
  if by_place[self.place.key] ~= self then return end
  local counts = read_counts(self.place, ring.nodes)
  if self.newest == ring then ring.counts = counts end
  ring.risen = compare(ring, counts)
  for _, told in ipairs(ring.waiting) do told(ring.risen) end
  ring.waiting = {}
end

local function set_of(nodes)
  local set = {}
  for _, node in ipairs(nodes) do set[node] = true end
  return set
end

local function begin(self, seq, nodes)
  local before = self.newest
  local ring = {
    seq = seq, nodes = nodes, step = before and seq - before.seq or 0,
    before = before and before.counts, before_nodes = before and set_of(before.nodes) or {},
    is_pressing = before ~= false, counts = false, risen = false, waiting = {},
  }
  self.newest = ring
  table.insert(self.kept, ring)
  if #self.kept > KEPT then table.remove(self.kept, 1) end
  scheduler.spawn(read, self, ring)
end

local function find(self, seq)
  for i = #self.kept, 1, -1 do
    if self.kept[i].seq == seq then return self.kept[i] end
  end
end

--- The daemon has told of a ring. `told` is called once, at once or later, with
--- the nodes of this ring and the one before that parted in between; of a ring
--- that is long past with none.
---@param seq integer
---@param nodes integer[]
---@param told fun(risen: table<integer, true>)?
function methods:see(seq, nodes, told)
  if not self.newest or seq > self.newest.seq then begin(self, seq, nodes) end
  if not told then return end
  local ring = find(self, seq)
  if not ring or ring.risen then return told(ring and ring.risen or {}) end
  table.insert(ring.waiting, told)
end

return partings
