--- What holds for the views alone: Self Inclusion, Initial View Event, View
--- Arithmetic, Local Monotonicity, Agreement on Views.

local words = require("corolua.check.words")

local views = {}

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

local function set_of_changes(changes)
  local set = {}
  for _, change in ipairs(changes) do set[change[1]] = true end
  return set
end

-- The first member that the list has wrong, and in what way.
local function wrong_member(before, members, left, joined)
  for member in pairs(before) do
    if not members[member] and not left[member] then return member, "is missing" end
    if members[member] and left[member] and not joined[member] then
      return member, "left and is in it"
    end
  end
  for member in pairs(joined) do
    if not members[member] and not left[member] then return member, "joined and is not in it" end
  end
  for member in pairs(members) do
    if not before[member] and not joined[member] then
      return member, "is in it and never joined"
    end
  end
end

local function name(ref) return "view " .. ref end

local function judge_inclusion(history, found, life)
  for _, change in ipairs(life.changes) do
    if not set_of(change.members)[life.me] and not set_of_changes(change.left)[life.me] then
      found:add("Self Inclusion", ("%s was told of a view without itself")
        :format(words.who(history, life.me)), { change.ref }, { name(change.ref) })
    end
  end
end

local function judge_arithmetic(history, found, life)
  local last, before
  for _, change in ipairs(life.changes) do
    local members, member, what = set_of(change.members), nil, nil
    if last then
      member, what = wrong_member(before, members, set_of_changes(change.left),
        set_of_changes(change.joined))
    end
    if member then
      found:add("View Arithmetic", ("a view of %s does not follow from the one before: %s %s")
        :format(words.who(history, life.me), words.who(history, member), what),
        { last.ref, change.ref }, { name(change.ref), name(last.ref), member })
    end
    last, before = change, members
  end
end

local function judge_rings(history, found, life, known)
  local last
  for _, ring in ipairs(life.rings) do
    if last and ring.ring ~= last.ring and ring.seq <= last.seq then
      found:add("Local Monotonicity", ("%s was told of ring %s behind ring %s")
        :format(words.who(history, life.me), ring.ring, last.ring), { last.ref, ring.ref },
        { "ring " .. ring.ring, "rings of " .. life.ref })
    end
    last = ring
    local other = known[ring.ring]
    if other and words.nodes(other.nodes) ~= words.nodes(ring.nodes) then
      found:add("Agreement on Views", ("ring %s has the nodes %s at %s, and %s at %s")
        :format(ring.ring, words.nodes(other.nodes), words.who(history, other.life.me),
          words.nodes(ring.nodes), words.who(history, life.me)), { other.ref, ring.ref },
        { "ring " .. ring.ring })
    end
    known[ring.ring] = other or { nodes = ring.nodes, life = life, ref = ring.ref }
  end
end

local function judge_early(history, found)
  for _, read in ipairs(history.early) do
    found:add("Initial View Event", ("%s delivered %s before its own join")
      :format(words.who(history, read.life.me), words.message(history, read.id)),
      { read.ref, read.life.ref }, { read.id })
  end
end

local function judge_strangers(history, found)
  for _, read in ipairs(history.strangers) do
    local epoch, id = read.epoch, read.epoch[read.at]
    found:add("Sender in View", ("%s delivered %s of %s, which was not in its view")
      :format(words.who(history, epoch.life.me), words.message(history, id),
        words.who(history, history.from[id])),
      { epoch.refs[read.at] }, { id, name(read.view), history.from[id] })
  end
end

--- Judges them.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param has_gaps boolean whether lines are missing
---@return table<string, { nodes: integer[], life: corolua.check.Life, ref: integer }> rings by name
function views.judge(history, found, has_gaps)
  local rings = {}
  for _, life in ipairs(history.lives) do
    if life.me then
      judge_inclusion(history, found, life)
      judge_rings(history, found, life, rings)
      if not has_gaps then judge_arithmetic(history, found, life) end
    end
  end
  if has_gaps then return rings end
  judge_early(history, found)
  judge_strangers(history, found)
  return rings
end

return views
