-- Calls among five nodes while faults come and go and services are closed and
-- opened again: each ends in a reply or an error within its deadline, no reply
-- is wrong or another call's, and none is performed twice:
-- corolua bench/rpc_soak.lua [seed [seconds [nodes]]]

local corolua = require("corolua")
local lab = require("corolua.lab")
local rpc = require("corolua.rpc")

local seed, seconds = math.tointeger(arg[1] or 1), tonumber(arg[2] or 60)
local nodes = math.tointeger(arg[3] or 5)
math.randomseed(seed)

-- 100,000 calls in a minute, by so many tasks on each node, none of which is
-- made without the nemesis. Who is refused at once waits a little.
local CALLS = math.ceil(100000 * seconds / 60)
local TASKS, STEP, REFUSED = 80, 0.01, 0.05
local TIMEOUT_MIN, TIMEOUT_MAX = 0.05, 2
local SLOW_EVERY, SLOW_MAX = 50, 0.3
local REOPEN_EVERY = 4
local FILLER = (" x"):rep(50)

-- How long after its deadline a call may return; more only while this program
-- itself is late to do anything, which is measured beside.
local SLACK = 0.05

local cluster <close> = assert(lab.start({ nodes = nodes }))
local calling, begin = true, corolua.now()
local counts = {
  calls = 0, over = 0, replies = 0, parts = 0, errors = 0,
  wrong = 0, strange = 0, twice = 0,
  unperformed = 0, malformed = 0, down = 0, up = 0, views = 0, ended = 0, opened = 0,
}
local codes, kinds = {}, {}
local performed = {} -- by number of call: by member, how often
local latest, longest_stall = 0, 0
local lates, stalls = {}, {} -- calls after their deadlines; when this program was late

local function perform(member, value, from)
  local number = tonumber(value:match("^%d+"))
  local by = performed[number]
  by[member] = (by[member] or 0) + 1
  if by[member] > 1 then counts.twice = counts.twice + 1 end
  if from.nodeid ~= by.caller.node.nodeid then counts.strange = counts.strange + 1 end
  if number % SLOW_EVERY == 0 then corolua.sleep(math.random() * SLOW_MAX) end
  return value .. " by " .. member.node.nodeid
end

local function listen(member)
  local on = member.service.on
  function on.members() counts.views = counts.views + 1 end
  function on.malformed() counts.malformed = counts.malformed + 1 end
  function on.down(why)
    counts.down = counts.down + 1
    if why.code ~= "ERR_LIBRARY" then counts.ended = counts.ended + 1 end
  end
  function on.up() counts.up = counts.up + 1 end
end

local function open(member)
  local service = rpc.open("soak", {
    echo = function(value, from) return perform(member, value, from) end,
  }, { codec = "string", node = member.node, group = { window = 32 } })
  if not service then return false end
  counts.opened = counts.opened + 1
  member.service, member.me = service, service.group.me
  listen(member)
  return true
end

-- The same process is another member each time, whose calls count from 1.
local function keep_reopening(member)
  while calling do
    corolua.sleep(REOPEN_EVERY * (0.5 + math.random()))
    member.service:close()
    while not open(member) do corolua.sleep(0.05) end
  end
  member.is_stable = true
end

local members = {}

local function any_member() return members[math.random(#members)].me end

-- Who is asked: one, all, a majority or a list.
local function any_target()
  local dice = math.random(100)
  if dice <= 70 then return any_member(), "one" end
  if dice <= 80 then return "all", "all" end
  if dice <= 90 then return "majority", "majority" end
  return { any_member(), any_member() }, "list"
end

local function count_code(code)
  counts.errors = counts.errors + 1
  codes[code or "none"] = (codes[code or "none"] or 0) + 1
end

-- A reply is what this call sent and that member adds, and that member did
-- perform this call.
local function check_reply(number, value, result, nodeid)
  counts.parts = counts.parts + 1
  if result ~= value .. " by " .. nodeid then counts.wrong = counts.wrong + 1 end
  if not performed[number][members[nodeid]] then counts.unperformed = counts.unperformed + 1 end
end

local function check_parts(number, value, parts)
  local seen = {}
  for _, part in ipairs(parts) do
    if seen[part.member] then counts.twice = counts.twice + 1 end
    seen[part.member] = true
    if part.error then
      count_code(part.code)
    else
      check_reply(number, value, part.result, part.member.nodeid)
    end
  end
end

local function check_time(began, timeout)
  local now = corolua.now()
  local late = now - began - timeout
  latest = math.max(latest, late)
  if late > SLACK then table.insert(lates, { at = now, by = late }) end
end

local function call_once(member, number)
  local value = number .. FILLER
  local to, kind = any_target()
  local timeout = TIMEOUT_MIN + math.random() * (TIMEOUT_MAX - TIMEOUT_MIN)
  performed[number] = { caller = member }
  local began = corolua.now()
  local result, _, code = member.service:call("echo", value, { to = to, timeout = timeout })
  check_time(began, timeout)
  counts.over = counts.over + 1
  if not result and corolua.now() - began < STEP then corolua.sleep(REFUSED) end
  kinds[kind] = (kinds[kind] or 0) + 1
  if not result then return count_code(code) end
  counts.replies = counts.replies + 1
  if kind == "one" then return check_reply(number, value, result, to.nodeid) end
  check_parts(number, value, result)
end

local running = 0

-- How many calls there should have been by now.
local function quota() return math.min(1, (corolua.now() - begin) / seconds) * CALLS end

local function keep_calling(member)
  running = running + 1
  while calling do
    if counts.calls < quota() then
      counts.calls = counts.calls + 1
      call_once(member, counts.calls)
    end
    corolua.sleep(STEP)
  end
  running = running - 1
end

-- How late this program is to do anything at all.
local function measure_stalls()
  while calling or counts.over < counts.calls do
    local before = corolua.now()
    corolua.sleep(0.01)
    local now = corolua.now()
    local stall = now - before - 0.01
    longest_stall = math.max(longest_stall, stall)
    if stall > 0.01 then table.insert(stalls, { from = before, to = now }) end
  end
end

-- Whether the program was late all the time from the deadline on, but for a
-- little.
local function is_excused(late)
  local left = late.by
  for _, stall in ipairs(stalls) do
    local overlap = math.min(stall.to, late.at) - math.max(stall.from, late.at - late.by)
    left = left - math.max(0, overlap)
  end
  return left <= SLACK
end

local function count_late()
  local count = 0
  for _, late in ipairs(lates) do
    if not is_excused(late) then count = count + 1 end
  end
  return count
end

for i, node in ipairs(cluster) do
  members[i] = { node = node }
  assert(open(members[i]))
end
for _, member in ipairs(members) do
  corolua.spawn(keep_reopening, member)
  for _ = 1, TASKS do corolua.spawn(keep_calling, member) end
end
corolua.spawn(measure_stalls)

-- As many rounds of the nemesis as it takes.
local rounds, plans = {}, 0
repeat
  plans = plans + 1
  local lasting = plans == 1 and seconds or math.max(5, seconds / 4)
  local nemesis = cluster:nemesis({
    lasting = lasting, pause = { 0.3, 1.5 }, seed = seed + plans - 1,
  })
  assert(nemesis:wait())
  rounds[plans] = nemesis
until counts.calls >= CALLS
calling = false

-- Whether all calls and services have come to an end, and work as before.
local function is_quiet()
  for _, member in ipairs(members) do
    local stats = member.is_stable and member.service:stats()
    if not stats or stats.pending + stats.running > 0 then return false end
    if #member.service.group.members ~= nodes then return false end
  end
  return running == 0
end

local function works(member)
  local parts = member.service:call("last", nil, { to = "all", timeout = 10 })
  if not parts or #parts ~= nodes then return false end
  for _, part in ipairs(parts) do
    if part.code ~= "ERR_NO_METHOD" then return false end
  end
  return true
end

local is_back = corolua.wait(is_quiet, 20) == true
for _, member in ipairs(members) do is_back = is_back and works(member) end
for _, member in ipairs(members) do member.service:close() end

local function list_of(set)
  local list = {}
  for name, count in pairs(set) do list[#list + 1] = ("%s %d"):format(name, count) end
  table.sort(list)
  return table.concat(list, ", ")
end

local total, disturbed, storms = 0, 0, 0
for _, nemesis in ipairs(rounds) do
  total, storms = total + nemesis.total, storms + nemesis.storms
  disturbed = disturbed + nemesis:disturbed()
  print(("rpc, %d nodes, seed %d: %s"):format(nodes, seed, nemesis))
  for _, failure in ipairs(nemesis.failed) do
    print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
  end
end
print(("views %d, down %d, up %d, opened %d, storms calmed %d, frames disturbed %d"):format(
  counts.views, counts.down, counts.up, counts.opened, storms, disturbed))
print(("calls %d (%s), replied %d, replies of members %d, errors %d"):format(counts.calls,
  list_of(kinds), counts.replies, counts.parts, counts.errors))
print("errors: " .. list_of(codes))
print(("latest end %.1f ms behind its deadline, this program late by up to %.1f ms"):format(
  latest * 1000, longest_stall * 1000))

local WRONG = {
  { "wrong replies", counts.wrong }, { "of calls not performed", counts.unperformed },
  { "twice", counts.twice }, { "of a wrong caller", counts.strange },
  { "over the deadline", count_late() }, { "without an end", counts.calls - counts.over },
  { "malformed", counts.malformed }, { "services that ended", counts.ended },
  { "not back at the end", is_back and 0 or 1 },
}

local is_good, words = true, {}
for i, wrong in ipairs(WRONG) do
  words[i] = ("%s %d"):format(wrong[1], wrong[2])
  is_good = is_good and wrong[2] == 0
end
print(table.concat(words, ", "))
local has_effect = total > 0
  and (disturbed > 0 or counts.down > 0 or counts.views > nodes * nodes)
if not has_effect then print("no fault took effect: this proves nothing") end
local has_passed = is_good and has_effect and counts.replies > 0 and counts.errors > 0
print(has_passed and "passed" or "failed")
os.exit(has_passed)
