--- Exclusive Quorum and Ring of Quorum: what the quorum service told.

local words = require("corolua.check.words")

local quorum = {}

local function by_node(history)
  local nodes = {}
  for _, state in ipairs(history.quorums) do
    nodes[state.n] = nodes[state.n] or {}
    table.insert(nodes[state.n], state)
  end
  return nodes
end

-- When daemons ended or stood still: what they had told is not in force any more.
local function ends_of(history)
  local ends = {}
  for _, event in ipairs(history.processes) do
    if event.what ~= "start" and event.what ~= "resume" then
      ends[event.n] = ends[event.n] or {}
      table.insert(ends[event.n], event.t)
    end
  end
  return ends
end

local function span_of(state, finish, ends)
  for _, t in ipairs(ends or {}) do
    if t >= state.t and t < finish then finish = t end
  end
  return { state = state, t = state.t, finish = finish }
end

local function quorate_spans(history, nodes)
  local ends, spans = ends_of(history), {}
  for n, list in pairs(nodes) do
    for i, state in ipairs(list) do
      local finish = list[i + 1] and list[i + 1].t or history.last_t
      if state.quorate then table.insert(spans, span_of(state, finish, ends[n])) end
    end
  end
  table.sort(spans, function(a, b)
    if a.t ~= b.t then return a.t < b.t end
    return a.state.ref < b.state.ref
  end)
  return spans
end

local function do_share(a, b)
  local known = {}
  for _, node in ipairs(a.nodes) do known[node] = true end
  for _, node in ipairs(b.nodes) do
    if known[node] then return true end
  end
  return false
end

local function report_both(found, a, b, seconds)
  found:add("Exclusive Quorum", ("node %d in ring %s of %s and node %d in ring %s of %s were both "
    .. "quorate for %.3f s"):format(a.n, a.ring, words.nodes(a.nodes), b.n, b.ring,
      words.nodes(b.nodes), seconds), { a.ref, b.ref }, { "ring " .. a.ring, "ring " .. b.ring })
end

-- The longest time that a node still took itself for quorate in a ring which a
-- quorate one had left behind: that is no fault, but worth knowing.
local function judge_overlaps(found, spans)
  local longest = 0
  for i, one in ipairs(spans) do
    for j = i + 1, #spans do
      local other = spans[j]
      if other.t >= one.finish then break end
      local a, b = one.state, other.state
      local overlap = math.min(one.finish, other.finish) - other.t
      if a.ring ~= b.ring and not do_share(a, b) then
        report_both(found, a, b, overlap / 1e6)
      elseif a.ring ~= b.ring and overlap > longest then
        longest = overlap
      end
    end
  end
  return longest / 1e6
end

-- Quorate rings in the order of their seq: each has a node of the one before, or
-- what that one decided is not known in it.
local function judge_succession(found, spans)
  local rings, known = {}, {}
  for _, span in ipairs(spans) do
    local state = span.state
    if not known[state.ring] then
      known[state.ring] = true
      table.insert(rings, { seq = tonumber(state.ring:match("%x+$"), 16), state = state })
    end
  end
  table.sort(rings, function(a, b)
    if a.seq ~= b.seq then return a.seq < b.seq end
    return a.state.ref < b.state.ref
  end)
  for i = 2, #rings do
    local a, b = rings[i - 1].state, rings[i].state
    if not do_share(a, b) then
      found:add("Exclusive Quorum", ("no node of the quorate ring %s of %s is in ring %s of %s, "
        .. "which was quorate next"):format(a.ring, words.nodes(a.nodes), b.ring,
          words.nodes(b.nodes)), { a.ref, b.ref }, { "ring " .. a.ring, "ring " .. b.ring })
    end
  end
end

-- Whether a member on the node was there before a state was told and was told of
-- rings after it, and never of that one.
local function is_unknown_to(life, state, is_settled)
  local is_later = is_settled and not life.over
  for _, ring in ipairs(life.rings) do
    if ring.ring == state.ring then return false end
    is_later = is_later or ring.ref > state.ref and ring.t > state.t
  end
  return life.ref < state.ref and #life.rings > 0 and is_later
end

local function judge_ring(history, found, rings, state, is_settled)
  local known = rings[state.ring]
  if known and words.nodes(known.nodes) ~= words.nodes(state.nodes) then
    found:add("Ring of Quorum", ("the quorum of node %d names %s as the nodes of ring %s, its "
      .. "members %s"):format(state.n, words.nodes(state.nodes), state.ring,
        words.nodes(known.nodes)), { state.ref, known.ref }, { "ring " .. state.ring })
  end
  for _, life in ipairs(history.lives) do
    if life.me and life.n == state.n and is_unknown_to(life, state, is_settled) then
      found:add("Ring of Quorum", ("the quorum of node %d is of ring %s, which %s was never in")
        :format(state.n, state.ring, words.who(history, life.me)), { state.ref, life.ref },
        { "ring " .. state.ring, "rings of " .. life.ref })
      return
    end
  end
end

local function is_exclusive(history)
  for _, run in ipairs(history.runs) do
    if run.two_node == true or run.last_man_standing == true then return false end
  end
  return true
end

--- Judges them.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param rings table<string, table> the rings that members were told of
---@param is_settled boolean
---@return number seconds that a node took itself for quorate in a ring left behind
function quorum.judge(history, found, rings, is_settled)
  for _, state in ipairs(history.quorums) do
    judge_ring(history, found, rings, state, is_settled)
  end
  local spans = quorate_spans(history, by_node(history))
  if not is_exclusive(history) then return 0 end
  judge_succession(found, spans)
  return judge_overlaps(found, spans)
end

return quorum
