--- What a node's corosync says about its ring and its quorum, from tracked
--- events and never from a call: a call would wait for a daemon that is paused.

local quorum = require("corosync.quorum")
local scheduler = require("corolua.task.scheduler")

---@class corolua.lab.View
---@field ring corosync.Ring
---@field nodes integer[] nodeids
---@field quorate boolean
---@field joined integer[] since the ring before
---@field left integer[] since the ring before

---@class corolua.lab.Tracker
---@field ring corosync.Ring? the newest ring that was told of, perhaps without its quorum
---@field view corolua.lab.View? the newest ring with its quorum state
---@field changes integer how many events there were
---@field lacks_space boolean? whether there was no room in memory for the connection
local methods = {}
local tracker_mt = { __name = "corolua.quorum_tracker", __index = methods }

local quorum_tracker = {}

-- A daemon that does not listen yet is asked again so soon; many at once are
-- asked less often, to leave the processors to them.
local RETRY = 0.003
local RETRY_PER_NODE = 0.0008

--- A tracker that follows nothing yet.
---@param run_in fun(fn: function): any runs a function in the node's network
---@return corolua.lab.Tracker
function quorum_tracker.new(run_in)
  return setmetatable({ run_in = run_in, changes = 0 }, tracker_mt)
end

local function forget(self)
  self.ring, self.view = nil, nil
  self.changes = self.changes + 1
end

-- The nodes that came and went are told before the quorum state of their ring.
-- Without a quorum provider corosync tells of the nodes alone, and all counts as
-- quorate.
local function callbacks(self)
  local came, went = {}, {}
  local function see(ring, nodes, quorate)
    self.view = { ring = ring, nodes = nodes, quorate = quorate, joined = came, left = went }
  end
  return {
    nodelist = function(_, ring, nodes, joined, left)
      self.ring, self.changes = ring, self.changes + 1
      came, went = joined, left
      if self.is_free then see(ring, nodes, true) end
    end,
    quorum = function(_, quorate, ring, nodes)
      if self.is_free then return end
      self.ring, self.changes = ring, self.changes + 1
      see(ring, nodes, quorate)
    end,
  }
end

-- A connection that fails is made anew, unless the daemon has ended.
local function read(self)
  local ok, more, code
  repeat ok, more, code = self.handle:dispatch("all") until not ok or not more
  if ok or code == "ERR_TRY_AGAIN" then return end
  self:close()
  self:start(1, self.may_call)
end

local function connect(self)
  local handle, why, code = quorum.initialize(callbacks(self))
  self.lacks_space = code == "ERR_NO_SPACE"
  if not handle then return nil, why, code end
  self.is_free = why == "free"
  local ok
  ok, why, code = handle:trackstart("changes")
  if not ok then
    handle:finalize()
    return nil, why, code
  end
  self.handle = handle
  return true
end

local function follow(self)
  self.watch = scheduler.readable(self.handle:fd_get(), function() read(self) end)
  self.watch:unref()
end

--- Connects as soon as the daemon listens, and follows it until it dies.
---@param nodes integer how many are being connected to
---@param may_call fun(): boolean? whether to try now; nil gives up
function methods:start(nodes, may_call)
  local pause = math.max(RETRY, RETRY_PER_NODE * nodes)
  self.may_call = may_call
  forget(self)
  scheduler.spawn(function()
    repeat
      local may = may_call()
      if may == nil then return end
      if may and self.run_in(function() return connect(self) end) then return follow(self) end
    until not scheduler.sleep(pause)
  end)
end

--- Lets the connection go.
function methods:close()
  local handle, watch = self.handle, self.watch
  self.handle, self.watch = nil, nil
  forget(self)
  if watch then watch:cancel() end
  if handle then handle:finalize() end
end

return quorum_tracker
