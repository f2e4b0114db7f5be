--- The view fence: brings what two sockets tell of one cluster into one order.
---
--- CPG events and quorum events come over different sockets, in either order,
--- and a ring may never get a quorum event. So what is behind the
--- totem_confchg of a ring waits until the quorum socket has told of that ring
--- or of a later one; in the second case the ring was skipped, and counts as
--- inquorate. Rings of one life of a daemon compare by seq, which only rises.
---
--- It knows no handles and no tasks: events go in by its methods, and come out
--- in order by those of `out`.

local inspect = require("corolua.base.inspect")
local lists = require("corolua.base.lists")

---@class corolua.group.Out
---@field view fun(self, view: corolua.View, changed: boolean) a ring, or a list
---@field quorum fun(self, state: corolua.QuorumState, view: corolua.View)
---@field message fun(self, payload: string, from: corosync.Member)
---@field entered fun(self) the view and the state of a ring have come out

---@class corolua.View
---@field members corosync.Member[] sorted by nodeid and pid
---@field joined corosync.cpg.Change[]
---@field left corosync.cpg.Change[]
---@field ring corosync.Ring
---@field quorate boolean
---@field hidden integer[]|false nodes of members that parted and came back without a word:
--- they may lack what we delivered, and we what they did

---@class corolua.QuorumState
---@field quorate boolean
---@field changed boolean whether it differs from the state told of before
---@field ring corosync.Ring
---@field nodes integer[]
---@field joined integer[] since the state told of before
---@field left integer[] since the state told of before

---@class corolua.group.Fence
---@field is_open boolean messages go through as they are
---@field view corolua.View? the newest that came out
local methods = {}
local fence_mt = { __name = "corolua.group.fence", __index = methods }

local fence = {}

local append, is_in, readable = lists.append, lists.contains, inspect.readable

local NOBODY = {}

---@class corolua.group.FenceOptions
---@field free boolean? no quorum provider, all is quorate
---@field previous corolua.View? the last view of the connection before
---@field step integer? of seq, from which on a ring waits for `partings`; none does without

--- A fence that waits for the first ring of a connection.
---@param out corolua.group.Out
---@param options corolua.group.FenceOptions?
---@return corolua.group.Fence
function fence.new(out, options)
  options = options or {}
  return setmetatable({
    out = out,
    free = options.free,
    previous = options.previous,
    step = options.step,
    is_open = false,
    waiting = {}, -- events behind a ring whose state is not known
    first = 1, last = 0,
    states = {}, -- quorum events of rings that are still to come
    pending = nil, -- changes of the list that the next ring brings
    nodes_joined = {}, nodes_left = {}, -- by rings that were skipped
    skipped = 0,
    risen = {}, -- by seq, of rings that wait: who parted, false while that is not known
  }, fence_mt)
end

local function append_new(list, more)
  local known = {}
  for i = 1, #list do known[list[i]] = true end
  for i = 1, #more do
    if not known[more[i]] then list[#list + 1] = more[i] end
  end
end

-- NODEDOWN and NODEUP come before the ring they belong to; so does what comes
-- between them and the ring, and all that comes before the first ring.
local function is_of_next_ring(self, left, joined)
  if self.pending or not self.view then return true end
  for i = 1, #left do
    if left[i].reason == "nodedown" then return true end
  end
  for i = 1, #joined do
    if joined[i].reason == "nodeup" then return true end
  end
  return false
end

local function show(self, members, left, joined, ring, quorate, changed, hidden)
  local view = readable({
    members = members, left = left, joined = joined, ring = ring, quorate = quorate,
    hidden = hidden or false,
  })
  self.view = view
  self.out:view(view, changed)
  return view
end

local function apply_confchg(self, members, left, joined)
  if is_of_next_ring(self, left, joined) then
    local pending = self.pending or { left = {}, joined = {} }
    pending.members = members
    append(pending.left, left)
    append(pending.joined, joined)
    self.pending = pending
  else
    local view = self.view
    show(self, members, left, joined, view.ring, view.quorate, true)
  end
end

-- The first state that is told of has none before it to compare with.
local function add_nodes(self, state)
  if self.told == nil then return end
  append_new(self.nodes_joined, state.joined)
  append_new(self.nodes_left, state.left)
end

-- Tells of the nodes that came and went since the last state that was told of.
local function tell_quorum(self, state)
  add_nodes(self, state)
  local told = readable({
    quorate = state.quorate, changed = state.quorate ~= self.told,
    ring = state.ring, nodes = state.nodes,
    joined = self.nodes_joined, left = self.nodes_left,
  })
  self.told = state.quorate
  self.nodes_joined, self.nodes_left = {}, {}
  local view = self.view
  if view.quorate ~= state.quorate then
    view = readable({
      members = view.members, left = NOBODY, joined = NOBODY,
      ring = view.ring, quorate = state.quorate, hidden = false,
    })
    self.view = view
  end
  self.out:quorum(told, view)
end

-- The first view of a new connection against the last of the one before: who
-- is gone has left, who is new has joined, and we have done both.
local function compare(previous, pending)
  local left, joined = {}, {}
  append(joined, pending.joined)
  local came = {}
  for _, change in ipairs(joined) do came[change.member] = true end
  for _, member in ipairs(previous.members) do
    if came[member] or not is_in(pending.members, member) then
      left[#left + 1] = { member = member, reason = "nodedown" }
    end
  end
  for _, member in ipairs(pending.members) do
    if not came[member] and not is_in(previous.members, member) then
      joined[#joined + 1] = { member = member, reason = "nodeup" }
    end
  end
  return left, joined
end

-- The nodes that parted unseen, of members that were here and have not left.
local function hidden_of(self, members, left, risen)
  if not risen or not next(risen) or not self.view then return false end
  local nodes, gone = {}, {}
  for _, change in ipairs(left) do gone[change.member] = true end
  for _, member in ipairs(self.view.members) do
    local node = member.nodeid
    if risen[node] and not gone[member] and is_in(members, member) and not is_in(nodes, node) then
      nodes[#nodes + 1] = node
    end
  end
  return #nodes > 0 and nodes
end

local function enter_ring(self, ring, quorate, risen)
  local pending = self.pending
  self.pending = nil
  if not pending then
    local members = self.view.members
    local hidden = hidden_of(self, members, NOBODY, risen)
    show(self, members, NOBODY, NOBODY, ring, quorate, hidden ~= false, hidden)
    return
  end
  local hidden = hidden_of(self, pending.members, pending.left, risen)
  local left, joined = pending.left, pending.joined
  if self.previous and not self.view then left, joined = compare(self.previous, pending) end
  show(self, pending.members, left, joined, ring, quorate, true, hidden)
end

local function drop_states_before(self, seq)
  local states = self.states
  while states[1] and states[1].ring.seq < seq do
    add_nodes(self, table.remove(states, 1))
  end
end

local function tell_states_of(self, seq)
  local states = self.states
  while states[1] and states[1].ring.seq == seq do
    tell_quorum(self, table.remove(states, 1))
  end
end

local function without_provider(ring, nodes, before)
  local state = { quorate = true, ring = ring, nodes = nodes, joined = {}, left = {} }
  for _, node in ipairs(nodes) do
    if before and not is_in(before, node) then table.insert(state.joined, node) end
  end
  for _, node in ipairs(before or NOBODY) do
    if not is_in(nodes, node) then table.insert(state.left, node) end
  end
  return state
end

-- Goes into a ring if its state is known, and who parted before it, or if it
-- never will be.
local function pass(self, ring, nodes, is_last)
  local risen = self.risen[ring.seq]
  if risen == false and not is_last then return false end
  if self.free then
    self.states = { without_provider(ring, nodes, self.nodes) }
    self.nodes = nodes
  end
  drop_states_before(self, ring.seq)
  local state = self.states[1]
  if not state and not is_last then return false end
  local is_known = state ~= nil and state.ring.seq == ring.seq
  if not is_known then self.skipped = self.skipped + 1 end
  self.risen[ring.seq] = nil
  enter_ring(self, ring, is_known and state.quorate, risen)
  tell_states_of(self, ring.seq)
  self.out:entered()
  return true
end

local apply = {
  confchg = function(self, event) apply_confchg(self, event[1], event[2], event[3]) end,
  message = function(self, event) self.out:message(event[1], event[2]) end,
}

-- What waits goes on as far as the states that are known allow; all of it if
-- no more will come.
local function drain(self, is_last)
  while self.first <= self.last do
    local event = self.waiting[self.first]
    if event.kind == "ring" then
      if not pass(self, event[1], event[2], is_last) then return end
    else
      apply[event.kind](self, event)
    end
    self.waiting[self.first] = nil
    self.first = self.first + 1
  end
  self.first, self.last = 1, 0
  self.is_open = self.view ~= nil
end

local function wait(self, event)
  self.last = self.last + 1
  self.waiting[self.last] = event
end

--- A message was read. Where `is_open` holds, the caller may pass it on itself.
---@param payload string
---@param from corosync.Member
function methods:message(payload, from)
  if self.is_open then
    self.out:message(payload, from)
  else
    wait(self, { kind = "message", payload, from })
  end
end

--- A confchg was read.
---@param members corosync.Member[]
---@param left corosync.cpg.Change[]
---@param joined corosync.cpg.Change[]
function methods:confchg(members, left, joined)
  if self.is_open or not self.is_started then
    apply_confchg(self, members, left, joined)
  else
    wait(self, { kind = "confchg", members, left, joined })
  end
  if self.has_joined then return end
  self.has_joined = true
  if self.early then self:ring(table.unpack(self.early)) end
end

--- A totem_confchg was read: from here on all is of this ring.
---@param ring corosync.Ring
---@param nodes integer[]
function methods:ring(ring, nodes)
  -- A handle is told of rings before it has joined too; the daemon names the
  -- ring of the own join only where it has not done so before.
  if not self.has_joined then
    self.early = { ring, nodes }
    return
  end
  if self.newest and ring.seq <= self.newest.seq then return end
  local step = self.newest and ring.seq - self.newest.seq or 0
  if self.step and step >= self.step then self.risen[ring.seq] = false end
  self.newest = ring
  local event = { kind = "ring", ring, nodes }
  if self.is_started then
    wait(self, event)
  else -- messages before the first ring wait for it
    self.is_started = true
    table.insert(self.waiting, 1, event)
    self.last = self.last + 1
  end
  self.is_open = false
  drain(self)
end

--- Whether a ring waits for `partings`.
---@param seq integer
---@return boolean
function methods:wants_partings(seq) return self.risen[seq] == false end

--- It is known which nodes parted unseen before a ring.
---@param seq integer
---@param risen table<integer, true>
function methods:partings(seq, risen)
  if self.risen[seq] ~= false then return end
  self.risen[seq] = risen
  drain(self)
end

--- A quorum event was read.
---@param state corolua.QuorumState `changed` is not looked at
function methods:quorum(state)
  if self.free then return end
  if self.is_open and state.ring.seq <= self.view.ring.seq then
    if state.ring.seq == self.view.ring.seq then tell_quorum(self, state) end
    return
  end
  table.insert(self.states, state)
  if self.is_started then drain(self) end
end

--- The connection is over: what was read comes out, in rings that count as
--- inquorate where their state has not come.
function methods:down()
  if self.is_started then drain(self, true) end
  if self.pending and self.view then enter_ring(self, self.view.ring, false) end
  self.is_open = false
end

return fence
