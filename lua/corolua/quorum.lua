--- Quorum as the daemon tells of it: one tracked connection per node and
--- process, which all groups there share.

local blocking = require("corolua.blocking")
local lists = require("corolua.lists")
local loop = require("corolua.loop")
local scheduler = require("corolua.scheduler")
local thin = require("corosync.quorum")
local votequorum = require("corosync.votequorum")
local worker = require("corolua.worker")

---@class corolua.Place where a connection is made
---@field key any equal for all connections to one daemon
---@field network userdata? its network namespace, the program's own without

---@class corolua.Tracker
---@field free boolean there is no quorum provider: everything is quorate
---@field newest corolua.QuorumState? the last state that was read
---@field states corolua.QuorumState[] the last few
local methods = {}
local tracker_mt = { __name = "corolua.tracker", __index = methods }

local quorum = {}

-- A group that joins may be told of rings that this connection has left behind.
local STATES_KEPT = 16

local OPEN_TIMEOUT = 30
local PAUSE_MIN, PAUSE_MAX = 0.05, 1

local trackers = {}

---@type corolua.Place
quorum.HERE = { key = "here" }

--- The tracker of a place.
---@param place corolua.Place
---@return corolua.Tracker
function quorum.at(place)
  local tracker = trackers[place.key]
  if not tracker then
    tracker = setmetatable({
      place = place, states = {}, followers = {}, free = false, joined = {}, left = {},
    }, tracker_mt)
    trackers[place.key] = tracker
  end
  return tracker
end

local function add_state(self, state)
  self.newest = state
  table.insert(self.states, state)
  if #self.states > STATES_KEPT then table.remove(self.states, 1) end
  for follower in pairs(self.followers) do follower:quorum(state) end
end

local function callbacks(self)
  return {
    nodelist = function(_, _, _, joined, left)
      lists.append(self.joined, joined)
      lists.append(self.left, left)
    end,
    quorum = function(_, quorate, ring, nodes)
      local state = {
        quorate = quorate, ring = ring, nodes = nodes, joined = self.joined, left = self.left,
      }
      self.joined, self.left = {}, {}
      add_state(self, state)
    end,
  }
end

local function forget(self)
  if self.watch then self.watch:cancel() end
  self.watch, self.handle, self.newest = nil, nil, nil
  self.states, self.joined, self.left = {}, {}, {}
end

local function lose(self, message, code)
  local handle = self.handle
  forget(self)
  blocking.finalize(handle)
  local followers = self.followers
  self.followers = {}
  for follower in pairs(followers) do follower:lost(message, code) end
end

-- As a program ends, a thread has all handles that are still there.
local function read(self)
  local handle = self.handle
  if not handle or not worker.is_open(handle) then return end
  local ok, more, code = handle:dispatch("all")
  if not ok then return lose(self, more, code) end
  if handle:pending() > 0 then loop.timer(0, function() read(self) end) end
end

local function connect(self, timeout)
  local deadline = scheduler.now() + timeout
  local handle = thin.prepare(callbacks(self))
  local network = self.place.network
  local kind, message, code = blocking.call(handle, "initialize", network, timeout)
  if not kind then return nil, message, code end
  local left = math.max(0, deadline - scheduler.now())
  local ok
  ok, message, code = blocking.call(handle, "trackstart", network, left, "changes")
  if not ok then
    blocking.finalize(handle)
    return nil, message, code
  end
  self.free = kind == "free"
  self.handle = handle
  self.watch = assert(loop.fd(handle:fd_get(), "r", function() read(self) end))
  self.watch:unref()
  return true
end

--- Connects, unless it is connected.
---@param timeout number in seconds
---@return true? connected, string? message, string? code
function methods:open(timeout)
  local deadline = scheduler.now() + timeout
  while self.opening do
    local _, message, code = scheduler.wait(function() return not self.opening end, timeout)
    if code then return nil, message, code end
  end
  if self.handle then return true end
  self.opening = true
  local _ <close> = setmetatable({}, { __close = function() self.opening = false end })
  return connect(self, math.max(0, deadline - scheduler.now()))
end

--- Has `follower:quorum(state)` called for each state that is read from here
--- on, and `follower:lost(message, code)` once, when the connection is gone.
---@param follower table
function methods:follow(follower) self.followers[follower] = true end

---@param follower table
function methods:unfollow(follower) self.followers[follower] = nil end

--- Whether its connection keeps the program running.
---@param keeps boolean
function methods:keep_running(keeps)
  if not self.handle then return end
  self.watch:cancel()
  self.watch = assert(loop.fd(self.handle:fd_get(), "r", function() read(self) end))
  if not keeps then self.watch:unref() end
end

--- Lets the connection of a place go.
---@param place corolua.Place
function quorum.close(place)
  local tracker = trackers[place.key]
  trackers[place.key] = nil
  if not tracker or not tracker.handle then return end
  local handle = tracker.handle
  forget(tracker)
  blocking.finalize(handle)
end

--- The newest state, read from the daemon if nobody follows it yet.
---@param place corolua.Place
---@param timeout number? in seconds, 30 unless told
---@return corolua.QuorumState? state, string? message, string? code
function quorum.now(place, timeout)
  local tracker = quorum.at(place)
  timeout = timeout or OPEN_TIMEOUT
  if not tracker.newest then
    local ok, message, code = tracker:open(timeout)
    if not ok then return nil, message, code end
  end
  if tracker.free then return { quorate = true, nodes = {}, joined = {}, left = {} } end
  return scheduler.wait(function() return tracker.newest end, timeout)
end

-- The votes of the nodes, as far as the daemon knows of them.
local function ask_votes(place, handle, nodes, deadline)
  local votes = {}
  for _, nodeid in ipairs(nodes) do
    local left = math.max(0, deadline - scheduler.now())
    local info, message, code = blocking.call(handle, "getinfo", place.network, left, nodeid)
    if not info and code ~= "ERR_NOT_EXIST" then return nil, message, code end
    votes[nodeid] = info and info.node_votes or 0
  end
  return votes
end

--- The votes of the nodes of the ring, and how many the cluster expects in all, as
--- the daemon of a place has them now. Without a quorum provider nothing is
--- expected, and no node has votes.
---@param place corolua.Place
---@param timeout number in seconds
---@return { votes: table<integer, integer>?, expected: integer }? found
---@return string? message, string? code
function quorum.votes(place, timeout)
  local tracker = quorum.at(place)
  if tracker.free then return { expected = 0 } end
  if not tracker.newest then return nil, "no quorum state has been read", "ERR_TRY_AGAIN" end
  local nodes, deadline = tracker.newest.nodes, scheduler.now() + timeout
  local handle = votequorum.prepare()
  local ok, message, code = blocking.call(handle, "initialize", place.network, timeout)
  if not ok then return nil, message, code end
  local left = math.max(0, deadline - scheduler.now())
  local info, votes
  info, message, code = blocking.call(handle, "getinfo", place.network, left, 0)
  if info then votes, message, code = ask_votes(place, handle, nodes, deadline) end
  blocking.finalize(handle)
  if not votes then return nil, message, code end
  return { votes = votes, expected = info.highest_expected }
end

-- Follows the program's own node for `corolua.on.quorum`, daemon after daemon.
local own = {}

function own:quorum(state)
  local told = {
    quorate = state.quorate, changed = state.quorate ~= self.told, ring = state.ring,
    nodes = state.nodes, joined = state.joined, left = state.left,
  }
  self.told = state.quorate
  scheduler.spawn(self.handler, told)
end

local function follow_own()
  local pause = PAUSE_MIN
  while own.handler do
    local tracker = quorum.at(quorum.HERE)
    if tracker:open(OPEN_TIMEOUT) then
      tracker:keep_running(true)
      tracker:follow(own)
      if tracker.newest then own:quorum(tracker.newest) end
      return
    end
    if not scheduler.sleep(pause) then return end
    pause = math.min(PAUSE_MAX, pause * 2)
  end
end

function own:lost()
  if self.handler then scheduler.spawn(follow_own) end
end

--- Has a handler called for each state of the program's own node; nil ends it.
---@param handler fun(state: corolua.QuorumState)?
function quorum.set_handler(handler)
  local was_set = own.handler ~= nil
  own.handler = handler
  if handler and not was_set then
    own.told = nil
    scheduler.spawn(follow_own)
  elseif not handler then
    local tracker = quorum.at(quorum.HERE)
    tracker:unfollow(own)
    tracker:keep_running(false)
  end
end

return quorum
