--- What holds for the deliveries of one member: Delivery Integrity, No
--- Duplication, Same View Delivery, FIFO Delivery, Causal Delivery, and Self
--- Delivery. Jumps in the numbers of a sender are collected for Reliable FIFO.

local words = require("corolua.check.words")

local deliveries = {}

---@class corolua.check.Hole numbers of a sender that a member passed over
---@field epoch corolua.check.PastEpoch
---@field at integer the place of the message behind it
---@field sender corolua.check.Life
---@field first integer
---@field last integer
---@field is_within boolean an earlier message of that sender came in the same ring

-- Findings of one property at one life, as one with a count.
local function note(state, property, id, text, refs, ...)
  local list = state.notes[property]
  if not list then
    list = { text = text, refs = refs, about = {} }
    state.notes[property] = list
  end
  table.insert(list.about, id)
  for _, thing in ipairs({ ... }) do table.insert(list.about, thing) end
  list.count = (list.count or 0) + 1
end

local function add_notes(state)
  for property, list in pairs(state.notes) do
    local more = list.count > 1 and (", and so with %d more"):format(list.count - 1) or ""
    state.found:add(property, list.text .. more, list.refs, list.about, { count = list.count })
  end
end

-- Where a life delivered each message first.
local function first_refs(life)
  local refs = {}
  for _, epoch in ipairs(life.epochs) do
    for i = 1, epoch.count do refs[epoch[i]] = refs[epoch[i]] or epoch.refs[i] end
  end
  return refs
end

local function is_told_of(history, life, from)
  local known = history.told[life.ids]
  if not known then
    known = {}
    for _, other in ipairs(history.lives) do
      if other.ids == life.ids then
        known[other.me] = (known[other.me] ~= false) and not other.is_unsure
      end
    end
    history.told[life.ids] = known
  end
  return known[from]
end

local function note_unsent(state, epoch, i)
  local history, life, id = state.history, state.life, epoch[i]
  local who = words.who(history, life.me)
  local from = words.who(history, history.from[id])
  if history.excess[id] then
    note(state, "No Duplication", id, ("%s delivered a message of %s more often than it was sent")
      :format(who, from), { epoch.refs[i] })
  elseif is_told_of(history, life, history.from[id]) then
    note(state, "Delivery Integrity", id, ("%s delivered a message of %s that it never sent")
      :format(who, from), { epoch.refs[i] })
  else
    history.untraced[history.from[id]] = true
  end
end

local function note_repeated(state, epoch, i, before)
  local history, id = state.history, epoch[i]
  local who = words.who(history, state.life.me)
  state.firsts = state.firsts or first_refs(state.life)
  local first = state.firsts[id]
  if first ~= epoch.refs[i] then
    note(state, "No Duplication", id, ("%s delivered %s twice")
      :format(who, words.message(history, id)), { first, epoch.refs[i] })
  else
    note(state, "FIFO Delivery", id, ("%s delivered %s behind %s"):format(who,
      words.message(history, id), words.message(history, before)),
      { state.firsts[before], epoch.refs[i] }, before)
  end
end

local function note_other_view(state, epoch, i, ring)
  local history, id = state.history, epoch[i]
  note(state, "Same View Delivery", id, ("%s delivered %s in ring %s, and others in ring %s")
    :format(words.who(history, state.life.me), words.message(history, id), epoch.ring, ring),
    { epoch.refs[i] }, "ring " .. epoch.ring, "ring " .. ring)
end

-- What its sender had read before was not read here yet: it must never be.
local function judge_causes(state)
  for _, entry in ipairs(state.uncaused) do
    local history, epoch, i = state.history, entry[1], entry[2]
    local id = epoch[i]
    local cause = history.cause[id]
    state.firsts = state.firsts or first_refs(state.life)
    if state.firsts[cause] then
      note(state, "Causal Delivery", id, ("%s delivered %s before %s, which its sender had read "
        .. "before it sent it"):format(words.who(history, state.life.me),
        words.message(history, id), words.message(history, cause)),
        { epoch.refs[i], state.firsts[cause] }, cause)
    end
  end
end

local function add_hole(state, epoch, i, sender, before, place)
  local is_first = not state.last_epoch[sender]
  if is_first and epoch.index == 1 then return end
  table.insert(state.holes, { epoch = epoch, at = i, sender = sender, first = before + 1,
    last = place - 1, is_within = state.last_epoch[sender] == epoch })
end

-- The one loop over all deliveries, and so without calls where all is well.
local function judge_epoch(state, epoch)
  local history, last, where, ring = state.history, state.last, state.history.where, epoch.ring
  local sender_of, place_of, cause_of = history.sender, history.place, history.cause
  local last_epoch = state.last_epoch
  for i = 1, epoch.count do
    local id = epoch[i]
    local sender = sender_of[id]
    if sender then
      local place, before = place_of[id], last[sender] or 0
      if place == before + 1 then
        last[sender] = place
      elseif place > before then
        add_hole(state, epoch, i, sender, before, place)
        last[sender] = place
      else
        note_repeated(state, epoch, i, sender.sends[before])
      end
      last_epoch[sender] = epoch
      local cause = cause_of[id]
      local causer = cause and sender_of[cause]
      if causer and place_of[cause] > (last[causer] or 0) then
        table.insert(state.uncaused, { epoch, i })
      end
    else
      note_unsent(state, epoch, i)
    end
    local known = where[id]
    if not known then
      where[id] = ring
    elseif known ~= ring and ring then
      note_other_view(state, epoch, i, known)
    end
  end
end

local function judge_life(history, found, life, holes)
  local state = { history = history, found = found, life = life, last = {}, last_epoch = {},
    notes = {}, uncaused = {}, holes = holes }
  for _, epoch in ipairs(life.epochs) do judge_epoch(state, epoch) end
  judge_causes(state)
  add_notes(state)
end

--- Judges them; what was delivered where is in `history.where` then.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@return corolua.check.Hole[]
function deliveries.judge(history, found)
  local holes = {}
  history.where, history.told = {}, {}
  for _, life in ipairs(history.lives) do
    if life.me then judge_life(history, found, life, holes) end
  end
  return holes
end

return deliveries
