--- Quorum as the daemon tells of it: one tracked connection per node and
--- process, which all groups there share.

local calls = require("corolua.daemon.calls")
local condition = require("corolua.task.condition")
local events = require("corolua.task.events")
local inspect = require("corolua.base.inspect")
local lists = require("corolua.base.lists")
local partings = require("corolua.daemon.partings")
local scheduler = require("corolua.task.scheduler")
local thin = require("corosync.quorum")

---@class corolua.Place where a connection is made
---@field key any equal for all connections to one daemon
---@field network userdata? its network namespace, the program's own without

---@class corolua.Tracker
---@field free boolean there is no quorum provider: everything is quorate
---@field newest corolua.QuorumState? the last state that was read
---@field states corolua.QuorumState[] the last few
---@field private followers table[] in the order they came; never changed, but replaced
---@field private changed corolua.Condition of all that is here
---@field private handle userdata|false
---@field private opening boolean a task connects
---@field private exit corolua.AtExit|false closes it at the end of the program
---@field private is_closed boolean nobody opens it again; its place gets another one
local methods = {}
local tracker_mt = { __name = "corolua.tracker", __index = methods }

local quorum = {}

-- A group that joins may be told of rings that this connection has left behind.
local STATES_KEPT = 16

local OPEN_TIMEOUT = 30

-- At the end of the program it goes after the groups that need it, and before
-- all handles are finalized by whoever reads them.
local EXIT_RANK = 2
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
      changed = condition.new(), handle = false, opening = false, is_closed = false, exit = false,
    }, tracker_mt)
    trackers[place.key] = tracker
  end
  return tracker
end

local function add_state(self, state)
  self.newest = state
  table.insert(self.states, state)
  if #self.states > STATES_KEPT then table.remove(self.states, 1) end
  for _, follower in ipairs(self.followers) do follower:has_read_state(state) end
  self.changed:notify()
end

local function callbacks(self)
  return {
    nodelist = function(_, _, _, joined, left)
      lists.append(self.joined, joined)
      lists.append(self.left, left)
    end,
    quorum = function(_, quorate, ring, nodes)
      local state = inspect.readable({
        quorate = quorate, ring = ring, nodes = nodes, joined = self.joined, left = self.left,
      })
      self.joined, self.left = {}, {}
      add_state(self, state)
    end,
  }
end

local function forget(self)
  if self.watch then self.watch:cancel() end
  if self.exit then self.exit:cancel() end
  self.watch, self.handle, self.newest, self.exit = nil, false, nil, false
  self.states, self.joined, self.left = {}, {}, {}
  self.changed:notify()
end

local function lose(self, message, code)
  local handle = self.handle
  forget(self)
  calls.finalize(handle)
  local followers = self.followers
  self.followers = {}
  for _, follower in ipairs(followers) do follower:lost(message, code) end
end

local function read(self)
  local handle = self.handle
  if not handle then return end
  local ok, more, code = handle:dispatch("all")
  if not ok then return lose(self, more, code) end
  if handle:pending() > 0 then scheduler.timer(0, function() read(self) end) end
end

local CLOSED = { "the connection has been closed", "ERR_NOT_EXIST" }

-- A connection that tells of states, or why there is none. Who closes the
-- tracker meanwhile does not see the handle, so it is looked after here.
local function connect(self, timeout)
  local deadline = scheduler.now() + timeout
  local handle = thin.prepare(callbacks(self))
  local network = self.place.network
  local kind, message, code = calls.call(handle, "initialize", network, timeout)
  if not kind then return nil, message, code end
  local ok
  if not self.is_closed then
    local left = math.max(0, deadline - scheduler.now())
    ok, message, code = calls.call(handle, "trackstart", network, left, "changes")
  end
  if not ok or self.is_closed then
    calls.finalize(handle)
    return nil, message or CLOSED[1], code or CLOSED[2]
  end
  self.free = kind == "free"
  self.handle = handle
  self.watch = assert(scheduler.readable(handle:fd_get(), function() read(self) end))
  self.watch:unref()
  self.exit = scheduler.at_exit(function() quorum.close(self.place) end, EXIT_RANK)
  return true
end

local function done_opening(self)
  self.opening = false
  self.changed:notify()
end

--- Connects, unless it is connected.
---@param timeout number in seconds
---@return true? connected, string? message, string? code
function methods:open(timeout)
  local deadline = scheduler.now() + timeout
  local free, message, code =
    condition.wait_until(self.changed, function() return not self.opening end, timeout)
  if not free then return nil, message, code end
  if self.is_closed then return nil, CLOSED[1], CLOSED[2] end
  if self.handle then return true end
  self.opening = true
  local _ <close> = setmetatable({}, { __close = function() done_opening(self) end })
  return connect(self, math.max(0, deadline - scheduler.now()))
end

local function without(followers, follower)
  local rest = {}
  for _, other in ipairs(followers) do
    if other ~= follower then rest[#rest + 1] = other end
  end
  return rest
end

--- Has `follower:has_read_state(state)` called for each state that is read from
--- here on, and `follower:lost(message, code)` once, when the connection is gone.
---@param follower table
function methods:follow(follower)
  local followers = without(self.followers, follower)
  followers[#followers + 1] = follower
  self.followers = followers
end

---@param follower table
function methods:unfollow(follower) self.followers = without(self.followers, follower) end

--- Whether its connection keeps the program running.
---@param keeps boolean
function methods:keep_running(keeps)
  if not self.handle then return end
  self.watch:cancel()
  self.watch = assert(scheduler.readable(self.handle:fd_get(), function() read(self) end))
  if not keeps then self.watch:unref() end
end

--- Lets the connection of a place go, also one that is being opened.
---@param place corolua.Place
function quorum.close(place)
  local tracker = trackers[place.key]
  trackers[place.key] = nil
  partings.forget(place)
  if not tracker then return end
  tracker.is_closed = true
  local handle = tracker.handle
  forget(tracker)
  if handle then calls.finalize(handle) end
end

local GONE = { "the connection to corosync is gone", "ERR_LIBRARY" }

--- The newest state, read from the daemon if nobody follows it yet.
---@param place corolua.Place
---@param timeout number? in seconds, 30 unless told
---@return corolua.QuorumState? state, string? message, string? code
function quorum.now(place, timeout)
  local tracker = quorum.at(place)
  local deadline = scheduler.now() + (timeout or OPEN_TIMEOUT)
  if not tracker.newest then
    local ok, message, code = tracker:open(timeout or OPEN_TIMEOUT)
    if not ok then return nil, message, code end
  end
  if tracker.free then
    return inspect.readable({ quorate = true, nodes = {}, joined = {}, left = {} })
  end
  local handle = tracker.handle
  local found, message, code = condition.wait_until(tracker.changed, function()
    return tracker.newest or tracker.handle ~= handle
  end, math.max(0, deadline - scheduler.now()))
  if not found then return nil, message, code end
  if not tracker.newest then return nil, GONE[1], GONE[2] end
  return tracker.newest
end

-- The votes of the nodes, as far as the daemon knows of them.
local function ask_votes(place, handle, nodes, deadline)
  local votes = {}
  for _, nodeid in ipairs(nodes) do
    local left = math.max(0, deadline - scheduler.now())
    local info, message, code = calls.call(handle, "getinfo", place.network, left, nodeid)
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
  local handle = require("corosync.votequorum").prepare() -- few scripts need it
  local ok, message, code = calls.call(handle, "initialize", place.network, timeout)
  if not ok then return nil, message, code end
  local left = math.max(0, deadline - scheduler.now())
  local info, votes
  info, message, code = calls.call(handle, "getinfo", place.network, left, 0)
  if info then votes, message, code = ask_votes(place, handle, nodes, deadline) end
  calls.finalize(handle)
  if not votes then return nil, message, code end
  return { votes = votes, expected = info.highest_expected }
end

-- Follows the program's own node for `corolua.on.quorum`, daemon after daemon.
local own = {
  events = events.new("corolua.on.quorum", { "quorum" }),
  is_wanted = false, -- the script has set a handler
  is_looking = false, -- the one loop that connects runs
  told = nil, -- whether the last state told of was quorate
}
own.events:begin()

function own:has_read_state(state)
  local told = inspect.readable({
    quorate = state.quorate, changed = state.quorate ~= self.told, ring = state.ring,
    nodes = state.nodes, joined = state.joined, left = state.left,
  })
  self.told = state.quorate
  self.events:tell("quorum", told)
end

-- Waits for a daemon for as long as the script wants to be told.
local function connect_own()
  local pause = PAUSE_MIN
  while own.is_wanted do
    local tracker = quorum.at(quorum.HERE)
    local is_open = tracker:open(OPEN_TIMEOUT)
    if not own.is_wanted then return end
    if is_open and tracker.handle then return tracker end
    if not scheduler.sleep(pause) then return end
    pause = math.min(PAUSE_MAX, pause * 2)
  end
end

local function follow_own()
  if own.is_looking then return end
  own.is_looking = true
  scheduler.spawn(function()
    local tracker = connect_own()
    own.is_looking = false
    if not tracker then return end
    tracker:keep_running(true)
    tracker:follow(own)
    if tracker.newest then own:has_read_state(tracker.newest) end
  end)
end

function own:lost()
  if self.is_wanted then follow_own() end
end

--- Has a handler called for each state of the program's own node, one at a time;
--- nil ends it, and no state that was read before is told then.
---@param handler fun(state: corolua.QuorumState)?
function quorum.set_handler(handler)
  local was_wanted = own.is_wanted
  own.events.on.quorum, own.is_wanted = handler, handler ~= nil
  if handler and not was_wanted then
    own.told = nil
    follow_own()
  elseif not handler then
    own.events:clear()
    local tracker = quorum.at(quorum.HERE)
    tracker:unfollow(own)
    tracker:keep_running(false)
  end
end

return quorum
