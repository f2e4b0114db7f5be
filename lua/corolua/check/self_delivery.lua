--- Self Delivery: what was accepted comes back to its sender in order, or is told
--- as unconfirmed at the end of its life.

local words = require("corolua.check.words")

local self_delivery = {}

-- By place in the life's sends: the line of its delivery.
local function own_deliveries(history, life)
  local back, last = {}, 0
  for _, epoch in ipairs(life.epochs) do
    for i = 1, epoch.count do
      local id = epoch[i]
      if history.sender[id] == life then
        local place = history.place[id]
        back[place] = epoch.refs[i]
        if place > last then last = place end
      end
    end
  end
  return back, last
end

local function report(history, found, life, missing, back, last)
  local about = {}
  for i, place in ipairs(missing) do about[i] = life.sends[place] end
  local first = missing[1]
  local behind = first < last and ", though later ones came back" or ""
  found:add("Self Delivery", ("%s did not get %s of its own back, the first %s%s")
    :format(words.who(history, life.me), words.count(#missing, "message"),
      words.message(history, about[1]), behind),
    { life.send_refs[first], back[last] }, about, { count = #missing })
end

-- How often each number stands among those that were told as unconfirmed.
local function count_listed(life)
  local listed = {}
  for _, number in ipairs(life.over and life.over.unconfirmed or {}) do
    listed[number] = (listed[number] or 0) + 1
  end
  return listed
end

-- What a member has sent last it need not have read when the trace ends.
local function is_due(life, place, last, listed)
  if place < last then return true end
  if not life.over or not life.over.unconfirmed then return false end
  local number = life.numbers[place]
  local times = listed[number] or 0
  listed[number] = times - 1
  return times < 1
end

local function report_both(history, found, life, place, back)
  found:add("Self Delivery", ("%s got %s back, and was told that it is unconfirmed")
    :format(words.who(history, life.me), words.message(history, life.sends[place])),
    { back[place], life.over.ref }, { life.sends[place] })
end

local function judge(history, found, life)
  local back, last = own_deliveries(history, life)
  local missing, listed, both = {}, count_listed(life), false
  for place = 1, #life.sends do
    if not back[place] and is_due(life, place, last, listed) then
      table.insert(missing, place)
    end
  end
  for place in pairs(back) do
    if (listed[life.numbers[place]] or 0) > 0 and (not both or place < both) then both = place end
  end
  if #missing > 0 then report(history, found, life, missing, back, last) end
  if both then report_both(history, found, life, both, back) end
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
function self_delivery.judge(history, found)
  for _, life in ipairs(history.lives) do
    if life.me then judge(history, found, life) end
  end
end

return self_delivery
