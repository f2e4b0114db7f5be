--- The two ways in which corosync is known to break virtual synchrony, told from
--- all others by the shape of the loss.
---
--- Merge prefix: a member lacks the first messages, in a ring, of a sender that
--- entered it from another ring. corosync packs messages into frames and splits
--- them at the ends; who has not seen how the first frame begins throws frames away
--- until one begins with a whole message, also in the rings that follow.
---
--- Hidden ring: rings formed and passed without a word to any client, and members
--- had parted in one. Each has a beginning of the ring's order, and then only what
--- those said that were with it.

local epochs = require("corolua.check.epochs")

local freedoms = {}

-- corosync raises the seq by 4 with each ring, and a loss needs two rings between.
local HIDDEN_STEP = 12

local function epoch_in(life, ring)
  for i = #life.epochs, 1, -1 do
    if life.epochs[i].ring == ring then return life.epochs[i] end
  end
end

-- Whether a sender came into a ring from another one than a member did: from one
-- that was told, or from one that passed untold, where the change has told one of
-- them of the other one as down, or a group of it as hidden. One that was lost before
-- it was told of the ring came from its last one; one that joined there from none.
local function came_apart(sender, epoch)
  if not epoch.before then return false end
  local into, last = epoch_in(sender, epoch.ring), sender.epochs[#sender.epochs]
  if not into then return last ~= nil and last.ring ~= epoch.before.ring end
  if not into.before then return false end
  return into.before.ring ~= epoch.before.ring or epoch.parted[sender.me] == true
    or into.parted[epoch.life.me] == true or epoch.hidden[sender.n] == true
    or into.hidden[epoch.life.n] == true
end

local function has_any_of(history, epoch, sender)
  for i = 1, epoch.count do
    if history.sender[epoch[i]] == sender then return true end
  end
  return false
end

--- Whether a sender came apart from a member, and that has heard nothing of it since.
---@param history corolua.check.Past
---@param sender corolua.check.Life
---@param epoch corolua.check.PastEpoch the member's
---@return boolean
function freedoms.is_unheard(history, sender, epoch)
  if came_apart(sender, epoch) then return true end
  local into, before = epoch_in(sender, epoch.ring), epoch.before
  if not (into and into.before and before and before.before) then return false end
  if has_any_of(history, before, sender) then return false end
  return freedoms.is_unheard(history, sender, before)
end

-- A member that is not in the trace came apart if it was told of as up.
local function is_apart(history, id, epoch)
  local sender = history.sender[id]
  if sender then return freedoms.is_unheard(history, sender, epoch) end
  return epoch.came[history.from[id]] == true
end

-- Which of the messages that are missing are the first of their sender.
local function is_first_of_sender(history, has, places, last, from)
  for i = 1, last do
    if history.from[has[i]] == from and places[has[i]] then return false end
  end
  return true
end

local function by_sender(history, has, missing)
  local senders, lists = {}, {}
  for _, i in ipairs(missing) do
    local from = history.from[has[i]]
    if not lists[from] then
      lists[from] = {}
      table.insert(senders, from)
    end
    table.insert(lists[from], i)
  end
  return senders, lists
end

-- What is left when those that a merge explains are taken away, and these by sender.
local function split_merge(history, has, lacks, missing)
  local rest, merges = {}, {}
  local places = epochs.places(lacks)
  local senders, lists = by_sender(history, has, missing)
  for _, from in ipairs(senders) do
    local list = lists[from]
    if is_apart(history, has[list[1]], lacks)
      and is_first_of_sender(history, has, places, list[#list], from) then
      merges[from] = list
    else
      for _, i in ipairs(list) do table.insert(rest, i) end
    end
  end
  table.sort(rest)
  return rest, merges
end

--- Whether rings may have passed untold on the way out of an epoch.
---@param history corolua.check.Past
---@param epoch corolua.check.PastEpoch
---@return boolean
function freedoms.is_step_hidden(history, epoch)
  local next_one = epoch.next
  if not next_one then return false end
  return next_one.seq - epoch.seq >= HIDDEN_STEP
    or history.hidden_steps[("%s to %s"):format(epoch.ring, next_one.ring)] == true
end

-- All from a message on, but of those that were with the member, itself among them.
local function is_hidden(history, has, lacks, rest)
  if not freedoms.is_step_hidden(history, lacks) then return false end
  local start, with = {}, { [lacks.life.me] = true }
  for i = 1, rest[1] - 1 do start[has[i]] = true end
  for i = 1, lacks.count do
    if not start[lacks[i]] then with[history.from[lacks[i]]] = true end
  end
  for _, i in ipairs(rest) do
    if with[history.from[has[i]]] then return false end
  end
  return true
end

---@class corolua.check.Explained places in the epoch that has the messages
---@field merges table<string, integer[]> those of a merge, by sender
---@field rest integer[] the others
---@field class "hidden ring"|"violated" of the others

--- What explains that a member lacks messages of another one.
---@param history corolua.check.Past
---@param has corolua.check.PastEpoch
---@param lacks corolua.check.PastEpoch
---@param missing integer[] their places in `has`
---@return corolua.check.Explained
function freedoms.explain(history, has, lacks, missing)
  local rest, merges = split_merge(history, has, lacks, missing)
  local is_known = #rest > 0 and is_hidden(history, has, lacks, rest)
  return { merges = merges, rest = rest, class = is_known and "hidden ring" or "violated" }
end

return freedoms
