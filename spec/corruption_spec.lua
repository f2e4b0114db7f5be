-- Corrupted frames whose checksums were made right again reach corosync. With
-- crypto it finds them; without, it delivers wrong bytes and dies
-- (docs/lab.md), which is why no other spec does this.
local lab = require("corolua.lab")
local scheduler = require("corolua.task.scheduler")
local witness = require("spec.support.witness")

local NODES, MESSAGES = 3, 100
local TIMEOUT = 30

local function payload(number) return ("%d "):format(number):rep(100) end

-- While views change corosync takes no message.
local function send(member, text)
  local tick <close> = setmetatable({ timer = scheduler.every(0.01, function() end) },
    { __close = function(self) self.timer:cancel() end })
  assert(tick and scheduler.wait(function() return member.handle:mcast_joined(text) end, TIMEOUT))
end

local function messages_of(member)
  local texts = {}
  for _, event in ipairs(member.events) do
    if event.kind == "message" then texts[#texts + 1] = event.text end
  end
  return texts
end

local function count_corrupted(cluster)
  local sum, counters = 0, assert(cluster:counters())
  for from = 1, NODES do
    for to = 1, NODES do
      if from ~= to then sum = sum + counters[from][to].corrupted end
    end
  end
  return sum
end

describe("corruption that reaches corosync", function()
  local cluster
  local members = {}

  setup(function()
    cluster = assert(lab.start({ nodes = NODES, transport = "knet", crypto = true }))
    for id = 1, NODES do
      members[id] = witness.new(cluster[id])
      assert(members[id].handle:join("corruption"))
    end
    for _, member in ipairs(members) do
      for id = 1, NODES do member:wait_member(tostring(id)) end
    end
  end)

  teardown(function()
    for _, member in ipairs(members) do member:close() end
    cluster:close()
  end)

  it("is found by crypto: no wrong payload comes, and no daemon dies", function()
    for _, pair in ipairs({ { 1, 2 }, { 1, 3 }, { 2, 3 } }) do
      assert(cluster:link(pair[1], pair[2], { corrupt = 0.05, repair = true }))
    end
    local sent = {}
    for number = 1, MESSAGES do
      local id = (number - 1) % NODES + 1
      send(members[id], payload(number))
      sent[number] = ("message %s from %d"):format(payload(number), id)
      members[id]:wait(sent[number])
    end
    assert(cluster:heal())
    for id, member in ipairs(members) do
      assert.is_true(cluster[id]:is_running())
      local known = {}
      for _, text in ipairs(sent) do known[text] = true end
      for _, text in ipairs(messages_of(member)) do assert.is_true(known[text], text) end
    end
    assert.is_true(count_corrupted(cluster) > 0)
  end)
end)
