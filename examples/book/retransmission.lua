-- Frames get lost on the cable and messages do not: totem sends again what is asked for.
local corolua = require("corolua")
local lab = require("corolua.lab")

local MESSAGES = 1000

local cluster <close> = assert(lab.start({ nodes = 3, token = 1000 }))
local rooms, heard = assert(cluster:groups("tea")), { 0, 0, 0 }

for node, room in ipairs(rooms) do
  function room.on.message() heard[node] = heard[node] + 1 end
end

-- The sum of a counter of totem over all nodes.
local function sum(key)
  local total = 0
  for _, node in ipairs(cluster) do
    total = total + node:thin("cmap", "stats"):get("stats.srp." .. key)
  end
  return total
end

-- What the switch between the nodes has dropped of node 1's frames.
local function lost_frames()
  local from = assert(cluster:counters())[1]
  return from[2].lost + from[3].lost
end

local function amount(number) return number == 0 and "0" or "about " .. number end

local function send_all(title)
  local sent_again, lost, rings = sum("mcast_retx"), lost_frames(), sum("operational_entered")
  local target = heard[1] + MESSAGES
  for n = 1, MESSAGES do assert(rooms[1]:send("message " .. n)) end
  assert(corolua.wait(function()
    return heard[1] == target and heard[2] == target and heard[3] == target
  end, 60))
  print(title)
  print("  frames lost", amount(lost_frames() - lost))
  print("  sent again by totem", amount(sum("mcast_retx") - sent_again))
  print("  messages missing", 3 * target - heard[1] - heard[2] - heard[3])
  print("  new rings", sum("operational_entered") - rings)
end

send_all("good cables")
assert(cluster:link_from(1, 2, { loss = 0.05 }))
assert(cluster:link_from(1, 3, { loss = 0.05 }))
send_all("one frame in twenty from node 1 is lost")
assert(cluster:heal())
send_all("good cables again")
