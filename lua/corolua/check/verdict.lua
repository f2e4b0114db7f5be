--- The verdict on a history, and its sentence.

local convergence = require("corolua.check.convergence")
local deliveries = require("corolua.check.deliveries")
local epochs = require("corolua.check.epochs")
local fence = require("corolua.check.fence")
local fifo = require("corolua.check.fifo")
local findings = require("corolua.check.findings")
local identity = require("corolua.check.identity")
local linearizability = require("corolua.check.linearizability")
local order = require("corolua.check.order")
local quorum = require("corolua.check.quorum")
local self_delivery = require("corolua.check.self_delivery")
local synchrony = require("corolua.check.synchrony")
local views = require("corolua.check.views")
local words = require("corolua.check.words")

local verdict = {}

---@class corolua.check.Verdict
---@field status "kept"|"violated"|"inconclusive"
---@field sentence string
---@field findings corolua.check.Finding[] violations first, then corosync's known losses
---@field counts corolua.check.Counts
---@field problems corolua.check.Problem[] why the trace is not whole; none of a whole one

---@class corolua.check.Counts
---@field events integer lines that were read
---@field deliveries integer
---@field messages integer that were accepted from a member of the trace
---@field members integer places in a group: a node, a process and a group
---@field lives integer joins of them
---@field rings integer that members were told of
---@field view_changes integer how often a member was told of another ring, or of who left
---@field faults integer that were in force
---@field compared integer pairs of views that were compared for Virtual Synchrony
---@field differing integer of these, those that differ
---@field apart integer pairs that went on to the same ring, and not together
---@field merge_prefix integer losses of that kind
---@field hidden_ring integer losses of that kind
---@field equal integer messages with bytes that another one of their sender has
---@field untraced integer members that are not in the trace
---@field left_behind number the longest, in seconds, that a node took itself for quorate
--- in a ring that others had left for another quorate one

local function count_rings(history)
  local rings, count = {}, 0
  for _, life in ipairs(history.lives) do
    for _, ring in ipairs(life.rings) do
      if not rings[ring.ring] then count = count + 1 end
      rings[ring.ring] = true
    end
  end
  return count
end

local function count_changes(life)
  local count = math.max(#life.epochs - 1, 0)
  for _, change in ipairs(life.changes) do
    if #change.left > 0 then count = count + 1 end
  end
  return count
end

local function count_lives(history, counts)
  local members = {}
  for _, life in ipairs(history.lives) do
    if life.me then
      local lane = life.me .. " " .. life.g
      counts.lives = counts.lives + 1
      if not members[lane] then counts.members = counts.members + 1 end
      members[lane] = true
      counts.messages = counts.messages + #life.sends
      counts.view_changes = counts.view_changes + count_changes(life)
      for _, epoch in ipairs(life.epochs) do counts.deliveries = counts.deliveries + epoch.count end
    end
  end
end

local function count_all(history)
  local counts = { events = history.events, deliveries = 0, messages = 0, members = 0, lives = 0,
    view_changes = 0, rings = count_rings(history), faults = 0, untraced = 0 }
  count_lives(history, counts)
  for _, fault in ipairs(history.faults) do
    if fault.ok ~= false and fault.mends ~= true then counts.faults = counts.faults + 1 end
  end
  for _ in pairs(history.untraced) do counts.untraced = counts.untraced + 1 end
  return counts
end

local function is_settled(history, problems)
  if #problems > 0 or #history.stops == 0 then return false end
  for _, stop in ipairs(history.stops) do
    if stop.settled ~= true then return false end
  end
  return true
end

-- What was sent where the trace is not whole may be missing.
local function mark_unsure(history, problems)
  if #problems == 0 then return end
  for _, life in ipairs(history.lives) do life.is_unsure = true end
end

local NOTHING = { compared = 0, differing = 0, apart = 0, equal = 0, left_behind = 0 }

-- What lines that are missing might have said to it.
local function judge_whole(history, found, told, settled)
  local equal = identity.resolve(history)
  local rings = epochs.by_ring(history)
  local holes = deliveries.judge(history, found)
  order.judge(history, found, rings)
  self_delivery.judge(history, found)
  local compared, explained = synchrony.judge(history, found, rings, settled)
  fifo.judge(history, found, holes, explained)
  compared.left_behind = quorum.judge(history, found, told, settled)
  fence.judge(history, found)
  convergence.judge(history, found, settled)
  linearizability.judge(history, found)
  compared.equal = equal
  return compared
end

local function have_gaps(problems)
  for _, problem in ipairs(problems) do
    if problem.has_gaps then return true end
  end
  return false
end

-- Everything that is found, and the counts.
local function judge_all(history, problems)
  local found, has_gaps = findings.new(), have_gaps(problems)
  mark_unsure(history, problems)
  local told = views.judge(history, found, has_gaps)
  local compared = NOTHING
  if not has_gaps then
    compared = judge_whole(history, found, told, is_settled(history, problems))
  end
  local counts = count_all(history)
  for key, value in pairs(compared) do counts[key] = value end
  return found:sorted(), counts
end

local function count_losses(list, counts)
  counts.merge_prefix, counts.hidden_ring = 0, 0
  for _, finding in ipairs(list) do
    if finding.class == "merge prefix" then counts.merge_prefix = counts.merge_prefix + 1 end
    if finding.class == "hidden ring" then counts.hidden_ring = counts.hidden_ring + 1 end
  end
  return counts.merge_prefix + counts.hidden_ring
end

local function losses_text(counts)
  local known = counts.merge_prefix + counts.hidden_ring
  if known == 0 then return "no known loss of corosync" end
  return ("%s of corosync (%d by a merge, %d by hidden rings)"):format(
    words.count(known, "known loss"), counts.merge_prefix, counts.hidden_ring)
end

local function kept_text(counts)
  local text = ("kept: %s at %s in %s, one order, nothing twice, own messages back, the same "
    .. "messages in each view"):format(words.count(counts.deliveries, "delivery"),
      words.count(counts.members, "member"), words.count(counts.rings, "ring"))
  if counts.merge_prefix + counts.hidden_ring > 0 then
    text = text .. " but for " .. losses_text(counts)
  else
    text = text .. ", " .. losses_text(counts)
  end
  return text
end

-- What the verdict does not cover.
local function limits_text(counts)
  local limits = {}
  if counts.equal > 0 then
    limits[#limits + 1] = words.count(counts.equal, "message")
      .. " with equal bytes cannot be told apart across views"
  end
  if counts.untraced > 0 then
    limits[#limits + 1] = words.count(counts.untraced, "member")
      .. (counts.untraced == 1 and " is" or " are") .. " not in the trace"
  end
  return #limits > 0 and "; " .. table.concat(limits, "; ") or ""
end

local function doubt_of(counts, problems)
  local problem = problems[1]
  if problem then return ("%s:%d %s"):format(problem.file, problem.line, problem.text) end
  if counts.faults == 0 then return "no fault was in force, so it proves nothing" end
  if counts.view_changes == 0 then return "no view changed, so it proves nothing" end
end

local function violated_text(list, counts)
  local first, more = list[1], 0
  for _, finding in ipairs(list) do
    if finding.class == "violated" then more = more + 1 end
  end
  return ("violated: %s: %s%s; besides, %s"):format(first.property, first.text,
    more > 1 and (" (and %d more)"):format(more - 1) or "", losses_text(counts))
end

local function make_strict(list)
  for _, finding in ipairs(list) do
    if finding.class ~= "violated" then finding.is_strict = true end
  end
end

local function conclude(list, counts, problems, is_strict)
  local first = list[1]
  if first and first.class == "violated" then
    return "violated", violated_text(list, counts) .. limits_text(counts)
  end
  if first and is_strict then
    return "violated", ("violated: %s: %s%s; in all %s"):format(first.property, first.text,
      " (strict)", losses_text(counts)) .. limits_text(counts)
  end
  local doubt = doubt_of(counts, problems)
  if doubt then
    return "inconclusive", ("inconclusive: %s; nothing else was broken, with %s"):format(doubt,
      losses_text(counts)) .. limits_text(counts)
  end
  return "kept", kept_text(counts) .. limits_text(counts)
end

--- Judges a history.
---@param history corolua.check.Past
---@param problems corolua.check.Problem[]
---@param is_strict boolean? whether corosync's known losses are violations
---@return corolua.check.Verdict
function verdict.of(history, problems, is_strict)
  local list, counts = judge_all(history, problems)
  count_losses(list, counts)
  if is_strict then make_strict(list) end
  local status, sentence = conclude(list, counts, problems, is_strict)
  return { status = status, sentence = sentence, findings = list, counts = counts,
    problems = problems }
end

return verdict
