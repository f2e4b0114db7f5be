--- Virtual Synchrony: members that go from one ring to the next together have
--- delivered the same messages in the first. They go together if both are told of
--- the same ring next, and neither of the other one as down on the way. All that
--- are there at the end of a settled run went on together to it, as far as both
--- have read.

local epochs = require("corolua.check.epochs")
local freedoms = require("corolua.check.freedoms")
local words = require("corolua.check.words")

local synchrony = {}

local END = "the end"

-- Where a member went from a ring. Who leaves it has all that came before.
local function next_of(epoch, is_settled)
  if epoch.next then return epoch.next.ring end
  local over = epoch.life.over
  if over then return over.why ~= "down" and END or nil end
  return is_settled and END or nil
end

local function go_together(a, b)
  return not a.gone[b.life.me] and not b.gone[a.life.me]
end

-- At the end of a run, only up to the last message that both have read.
local function last_of(has, lacks, is_end)
  if not is_end then return has.count end
  local places = epochs.places(has)
  for i = lacks.count, 1, -1 do
    if places[lacks[i]] then return places[lacks[i]] end
  end
  return 0
end

-- A message that was sent in parts comes to those alone who had the first of them,
-- perhaps rings ago: it is not missed.
local function missing_at(history, has, lacks, from, is_end)
  local missing, places = {}, epochs.places(lacks)
  for i = from, last_of(has, lacks, is_end) do
    if not places[has[i]] and not history.in_parts[has[i]] then missing[#missing + 1] = i end
  end
  return missing
end

-- Losses of one cause: of a sender at a merge, of a change, or of a hidden ring.
local function loss_of(state, has, class, from)
  local key = ("%s|%s|%s|%s"):format(has.life.g, has.ring, class, from or state.next)
  local loss = state.losses[key]
  if not loss then
    loss = { class = class, ring = has.ring, next = state.next, first = has, at = false,
      ids = {}, count = 0, about = {}, lacks = {}, has = {}, senders = {}, lacking = false }
    state.losses[key] = loss
    table.insert(state.order, loss)
  end
  return loss
end

local function add(state, has, lacks, list, class, from)
  if #list == 0 then return end
  local history, loss = state.history, loss_of(state, has, class, from)
  loss.lacks[lacks.life.me], loss.has[has.life.me] = true, true
  local explained = state.explained[lacks.life] or {}
  state.explained[lacks.life] = explained
  for _, i in ipairs(list) do
    local id = has[i]
    explained[id] = true
    if not loss.ids[id] then
      loss.ids[id], loss.count = true, loss.count + 1
      loss.about[loss.count] = id
      loss.senders[history.from[id]] = true
    end
  end
  if not loss.at then
    loss.first, loss.at, loss.last, loss.lacking = has, list[1], list[#list], lacks
  end
end

local function add_losses(state, has, lacks, from)
  local missing = missing_at(state.history, has, lacks, from, state.next == END)
  if #missing == 0 then return false end
  local explained = freedoms.explain(state.history, has, lacks, missing)
  for sender, list in pairs(explained.merges) do
    add(state, has, lacks, list, "merge prefix", sender)
  end
  add(state, has, lacks, explained.rest, explained.class)
  return true
end

local function compare(state, a, b)
  local counts = state.counts
  if not go_together(a, b) then
    counts.apart = counts.apart + 1
    return
  end
  local from_a, from_b = epochs.starts(a, b)
  if not from_a then return end
  counts.compared = counts.compared + 1
  if epochs.is_equal(a, b, from_a, from_b) then return end
  local has_a = add_losses(state, a, b, from_a)
  local has_b = add_losses(state, b, a, from_b)
  if has_a or has_b then counts.differing = counts.differing + 1 end
end

local REASONS = {
  ["merge prefix"] = "; they are the first that %s sent in that ring, which it entered from "
    .. "another ring: corosync drops such messages at merges",
  ["hidden ring"] = "; corosync formed rings on the way that it told nobody of, in which they had "
    .. "parted",
  violated = "; nothing known of corosync explains it",
}

-- The line behind the missing ones, where the member that lacks them goes on.
local function line_behind(history, loss)
  local places = epochs.places(loss.lacking)
  local from = history.from[loss.first[loss.at]]
  local any
  for i = loss.last + 1, loss.first.count do
    local place = places[loss.first[i]]
    if place and history.from[loss.first[i]] == from then return loss.lacking.refs[place] end
    any = any or place and loss.lacking.refs[place] or nil
  end
  return any or loss.lacking.next and loss.lacking.next.ref or nil
end

local function range_of(history, loss)
  local first, last = loss.first[loss.at], loss.first[loss.last]
  if loss.count == 1 or history.from[first] ~= history.from[last] then
    return words.message(history, first)
  end
  return words.message(history, first) .. " to #" .. history.number[last]
end

local function text_of(history, loss)
  local range = range_of(history, loss)
  return ("in ring %s %s never delivered %s of %s (%s%s) that %s delivered, though all of them "
    .. "went on together to %s"):format(loss.ring, words.all(history, loss.lacks),
      words.count(loss.count, "message"), words.all(history, loss.senders),
      loss.count > 1 and not range:find(" to ", 1, true) and "the first " or "", range,
      words.all(history, loss.has), loss.next == END and "the end of the run"
        or "ring " .. loss.next)
    .. REASONS[loss.class]:format(words.all(history, loss.senders))
end

local function report(history, found, loss)
  local refs = { loss.first.refs[loss.at] }
  if loss.last > loss.at then table.insert(refs, loss.first.refs[loss.last]) end
  table.insert(refs, line_behind(history, loss))
  found:add("Virtual Synchrony", text_of(history, loss), refs, loss.about,
    { class = loss.class, ring = loss.ring, count = loss.count })
end

local function compare_all(state, list)
  for i, a in ipairs(list) do
    local next_a = next_of(a, state.is_settled)
    for j = i + 1, #list do
      local b = list[j]
      if next_a and next_of(b, state.is_settled) == next_a then
        state.next = next_a
        compare(state, a, b)
      end
    end
  end
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param rings corolua.check.PastEpoch[][]
---@param is_settled boolean
---@return { compared: integer, differing: integer, apart: integer } counts
---@return table<corolua.check.Life, table<integer, true>> explained what each lacks, as told here
function synchrony.judge(history, found, rings, is_settled)
  local state = { history = history, is_settled = is_settled, losses = {}, order = {},
    explained = {}, next = END, counts = { compared = 0, differing = 0, apart = 0 } }
  for _, list in ipairs(rings) do compare_all(state, list) end
  for _, loss in ipairs(state.order) do report(history, found, loss) end
  return state.counts, state.explained
end

return synchrony
