-- A group on each of five nodes while faults come and go, and what groups promise
-- checked: corolua bench/group_soak.lua <raw or packed> [seed [seconds [nodes]]]

local corolua = require("corolua")

package.path = arg[0]:match("^(.*)/[^/]*$") .. "/?.lua;" .. package.path

local group_check = require("group_check")
local group_log = require("group_log")
local quorum_witness = require("quorum_witness")
local skip_rings = require("skip_rings")
local soak_lab = require("soak_lab")

local form, seed = arg[1], math.tointeger(arg[2] or 1)
local seconds, nodes = tonumber(arg[3] or 60), math.tointeger(arg[4] or 5)
assert(form == "raw" or form == "packed", "the form is raw or packed")
local is_packed = form == "packed"

-- Some 150 messages a second on each node, in bursts that now and then fill the
-- window; in packed groups some are sent in fragments.
local OPTIONS = { raw = { window = 32 }, packed = { window = 4, packed = true, fragment = true } }
local PAUSE, BURST, LONG_BURST, LONG_EVERY = 0.02, 5, 60, 100
local FILLER, BIG = ("x"):rep(200), ("x"):rep(1100000)
local BIG_EVERY = 1500
local STALL, STALL_EVERY = 0.05, 0.4 -- seconds

local cluster <close> = soak_lab.start(nodes)
local run, sending = group_log.new_run(), true
local counts = { down = 0, up = 0, skipped = 0, views = 0, malformed = 0, ended = 0 }

-- A member: its group, and the log of the present join; none while it is down.
local function new_member(node)
  return { node = node, room = node:group("soak", OPTIONS[form]), total = 0 }
end

local function begin(member)
  member.log = group_log.new(run, member.node.nodeid, is_packed)
end

local function count_skipped(member)
  counts.skipped = counts.skipped + member.room:stats().skipped_rings
end

-- `down` begins another log: the view and the quorum of the new connection are
-- told before `up`, and nothing is sent before it.
local function listen(member)
  local room, on = member.room, member.room.on
  for _, kind in ipairs({ "message", "inquorate" }) do
    on[kind] = function(payload, from, info)
      member.log:heard(kind, payload, from, info, room.view)
    end
  end
  function on.members(view)
    counts.views = counts.views + 1
    member.log:saw(view, room.me)
  end
  function on.quorum(state) member.log:told(state, room.view) end
  function on.gap(...) member.log:gap(...) end
  function on.malformed() counts.malformed = counts.malformed + 1 end
  function on.down(why)
    counts.down = counts.down + 1
    if why.code ~= "ERR_LIBRARY" then counts.ended = counts.ended + 1 end
    count_skipped(member)
    member.log:down(why)
    member.is_up = false
    begin(member)
  end
  function on.up()
    counts.up = counts.up + 1
    member.is_up = true
  end
end

local function payload_of(member)
  member.total = member.total + 1
  local is_big = is_packed and member.total % BIG_EVERY == 0
  return member.log:next_payload() .. (is_big and BIG or FILLER)
end

local function send_burst(member, length)
  for _ = 1, length do
    local log = member.log
    if not (sending and member.is_up) or not member.room:send(payload_of(member)) then return end
    log.sent = log.sent + 1
  end
end

local function keep_sending(member)
  local round = 0
  while sending do
    round = round + 1
    send_burst(member, round % LONG_EVERY == 0 and LONG_BURST or math.random(0, BURST))
    corolua.sleep(PAUSE)
  end
end

-- Now and then the script is late to read, so that messages wait in one socket
-- and the quorum of their ring in the other.
local function stall()
  while sending do
    corolua.sleep(math.random() * STALL_EVERY)
    local finish = corolua.now() + STALL
    while corolua.now() < finish do end -- luacheck: ignore 542
  end
end

local witnesses, listeners, members = {}, {}, {}
for i, node in ipairs(cluster) do
  witnesses[i] = quorum_witness.start(node)
  members[i] = new_member(node)
  listeners[i] = quorum_witness.listen(members[i].room.place)
end
assert(corolua.wait(function()
  for _, witness in ipairs(witnesses) do
    if not witness.is_ready then return false end
  end
  return true
end, 10))

for _, member in ipairs(members) do
  begin(member)
  listen(member)
  assert(member.room:join())
  member.is_up = true
  corolua.spawn(keep_sending, member)
end

corolua.spawn(stall)
local nemesis = cluster:nemesis({ lasting = seconds, pause = { 0.3, 1.5 }, seed = seed })
assert(nemesis:wait())

-- The rings that the groups of a node were not told the quorum of.
local function skipped_at(member) return member.room:stats().skipped_rings end

skip_rings(cluster, function() return skipped_at(members[1]) end)
sending = false

-- Whether all have come back, and nothing is on its way any more.
local function is_over()
  for _, member in ipairs(members) do
    local stats = member.room:stats()
    if stats.state ~= "joined" or not member.is_up then return false end
    if stats.in_flight + stats.waiting + stats.held > 0 then return false end
  end
  return true
end

local is_back = corolua.wait(is_over, 15) == true
for _, member in ipairs(members) do
  count_skipped(member)
  if is_back then
    member.log:finish()
    assert(member.room:leave())
  end
end
for i, witness in ipairs(witnesses) do witness.running, listeners[i].running = false, false end

local found = group_check.check(run, listeners, witnesses)
print(("%s, %d nodes, seed %d: %s"):format(form, nodes, seed, nemesis))
for _, failure in ipairs(nemesis.failed) do
  print(("not in force: %s at %.3f s: %s"):format(failure.fault, failure.at, failure.why))
end
print(("views %d, rings skipped %d, down %d, up %d, storms calmed %d, frames disturbed %d"):format(
  counts.views, counts.skipped, counts.down, counts.up, nemesis.storms, nemesis:disturbed()))
print(("sent %d, delivered %d, inquorate %d, unconfirmed %d, gaps %d"):format(
  found.sent, found.delivered, found.inquorate, found.unconfirmed, found.gaps))
print(("in rings that were skipped: views %d, messages %d; in rings that changed their quorum "
  .. "%d, were not told of %d"):format(found.views_skipped, found.in_skipped, found.changing,
    found.unseen))
print(("pairs of views compared %d, apart %d, differing by a merge %d, by hidden rings %d; "
  .. "missing of what went in fragments %d"):format(found.sets.pairs, found.sets.apart,
    found.sets.merge, found.sets.hidden, found.sets.in_parts))

local WRONG = {
  { "order mismatches", found.misordered }, { "duplicates", found.twice },
  { "lost by their sender", found.lost }, { "under a wrong quorum", found.wrong_quorum },
  { "wrong gaps", found.wrong_gaps }, { "sets unexplained", found.sets.unexplained },
  { "in a wrong ring", found.wrong_ring }, { "wrong lists", found.wrong_lists },
  { "lists apart", found.lists_apart },
  { "told differently by two handles", found.told_apart },
  { "malformed", counts.malformed }, { "of a wrong sender", found.strange },
  { "never sent", found.unsent }, { "both read back and unconfirmed", found.both },
  { "groups that ended", counts.ended }, { "not back at the end", is_back and 0 or 1 },
}
local FIRST_LINE = 6

local is_good, parts = true, {}
for i, wrong in ipairs(WRONG) do
  parts[i] = ("%s %d"):format(wrong[1], wrong[2])
  is_good = is_good and wrong[2] == 0
end
print(table.concat(parts, ", ", 1, FIRST_LINE))
print(table.concat(parts, ", ", FIRST_LINE + 1))
for _, wrong in ipairs(run.notes) do print(wrong) end
local has_effect = nemesis.total > 0
  and (nemesis:disturbed() > 0 or counts.down > 0 or counts.views > nodes * nodes)
if not has_effect then print("no fault took effect: this proves nothing") end
if found.views_skipped == 0 then print("no view of a skipped ring: this proves too little") end
local has_passed = is_good and has_effect and found.delivered > 0 and found.views_skipped > 0
print(has_passed and "passed" or "failed")
os.exit(has_passed)
