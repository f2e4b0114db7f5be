--- Fence: a group handles a message as one of a quorate ring only if the quorum
--- service said so of that very ring, and in the ring in which it was delivered.

local words = require("corolua.check.words")

local fence = {}

-- What the quorum service told of each ring, by node.
local function told_of(history)
  local told = {}
  for _, state in ipairs(history.quorums) do
    local node = told[state.n] or {}
    told[state.n] = node
    node[state.ring] = node[state.ring] or {}
    node[state.ring][state.quorate] = true
  end
  return told
end

-- The epoch of the i-th message of a life, and its place there.
local function delivery(life, i)
  local epoch = life.epochs[1]
  while epoch and i > epoch.count do
    i = i - epoch.count
    epoch = epoch.next
  end
  return epoch, i
end

-- A ring that it was told nothing of counts as one without quorum; one whose state
-- was told both ways may have been handled either way.
local function is_wrong(ruling, told)
  local state = told[ruling.ring] or {}
  if ruling.as == "message" then return not state[true] end
  return state[true] and not state[false]
end

local function report_quorum(history, found, ruling)
  local life, is_message = ruling.life, ruling.as == "message"
  found:add("Fence", ("%s handled messages of ring %s as %s, and its quorum service told %s")
    :format(words.who(history, life.me), ruling.ring, ruling.as,
      is_message and "no quorum there" or "nothing but quorum there"),
    { ruling.ref }, { "fence " .. life.ref .. " " .. ruling.ring }, { ring = ruling.ring })
end

local function judge_ring(history, found, ruling, first)
  if first > ruling.i then return end
  for _, i in ipairs({ first, ruling.i }) do
    local epoch, at = delivery(ruling.life, i)
    if epoch and epoch.ring and epoch.ring ~= ruling.ring then
      found:add("Fence", ("%s delivered %s in ring %s and handled it as one of ring %s")
        :format(words.who(history, ruling.life.me), words.message(history, epoch[at]),
          epoch.ring, ruling.ring), { epoch.refs[at], ruling.ref },
        { "fence " .. ruling.life.ref .. " " .. ruling.ring, epoch[at] }, { ring = epoch.ring })
      return
    end
  end
end

-- The last ring of a connection that broke may have been told of no more.
local function is_last_of_lost(ruling)
  local life = ruling.life
  local last = life.epochs[#life.epochs]
  return ruling.as == "inquorate" and life.over and last ~= nil and last.ring == ruling.ring
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
function fence.judge(history, found)
  local told, last = told_of(history), {}
  for _, ruling in ipairs(history.rulings) do
    local life = ruling.life
    if life.me then
      judge_ring(history, found, ruling, (last[life] or 0) + 1)
      if told[life.n] and is_wrong(ruling, told[life.n]) and not is_last_of_lost(ruling) then
        report_quorum(history, found, ruling)
      end
      last[life] = ruling.i
    end
  end
end

return fence
