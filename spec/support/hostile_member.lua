-- A member that keeps to no rule. It sends random bytes, frames that it has heard,
-- as they were or changed, those of one group in another, and right ones of its
-- own with anything in them:
-- support/hostile_member.lua <seed> <seconds> <messages a second> <group>...
-- The name of a packed group begins with "packed".
local corolua = require("corolua")
local cpg = require("corosync.cpg")
local packing = require("corolua.packing")
local seal = require("corolua.service.seal")
local sys = require("corolua.sys")

local seed, seconds, rate = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local PAUSE, KEPT, AT_ONCE = 0.004, 64, 64

math.randomseed(seed)

local groups, heard = {}, {}

local function pick(list) return list[math.random(#list)] end

local function keep(list, bytes)
  if #list < KEPT then table.insert(list, bytes) else list[math.random(KEPT)] = bytes end
end

local function hear(group, payload, from)
  if from.pid == group.me.pid and from.nodeid == group.me.nodeid then return end
  keep(heard, payload)
  local inner = group.unpacker and group.unpacker:read(from, payload) or { payload }
  for _, bytes in ipairs(inner) do keep(group.inner, bytes) end
end

local function join(name)
  local group = { inner = {}, ring = { nodeid = 1, seq = 0 } }
  if name:find("^packed") then
    group.unpacker = packing.unpacker()
    group.packer = packing.packer({ life = math.random(0xffffffff) })
  end
  group.handle = assert(cpg.initialize({
    deliver = function(_, _, payload, from) hear(group, payload, from) end,
    totem_confchg = function(_, ring) group.ring = ring end,
  }, { deliver_initial_totem_conf = true }))
  group.me = { nodeid = assert(group.handle:local_get()), pid = sys.id().pid }
  assert(group.handle:join(name))
  table.insert(groups, group)
end

local function random_bytes()
  local parts = {}
  for i = 1, math.random(20) == 1 and 5000 or math.random(0, 20) do
    parts[i] = string.pack("<I8", math.random(0))
  end
  return table.concat(parts)
end

local function put(bytes, at, more) return bytes:sub(1, at - 1) .. more .. bytes:sub(at + #more) end

local changes = {
  function(bytes) return put(bytes, math.random(#bytes), string.char(math.random(0, 255))) end,
  function(bytes) return put(bytes, math.random(math.min(#bytes, 40)), ("\xff"):rep(8)) end,
  function(bytes) return put(bytes, math.random(math.min(#bytes, 40)), ("\0"):rep(8)) end,
  function(bytes) return bytes:sub(1, math.random(0, #bytes)) end,
  function(bytes) return bytes .. random_bytes() end,
  function(bytes) return bytes:sub(math.random(#bytes)) end,
}

local function change(bytes)
  for _ = 1, math.random(3) do
    if #bytes > 0 then bytes = pick(changes)(bytes) end
  end
  return bytes
end

-- In a frame of the own, where the group has frames.
local function frame(group, bytes)
  if not group.packer or #bytes > group.packer:longest() then return bytes end
  group.packer:add(bytes)
  return group.packer:flush(group.ring.nodeid, group.ring.seq)
end

local function sealed(group, bytes)
  return frame(group, seal.close(bytes:sub(1, -seal.SIZE - 1), group.me))
end

local ways = {
  function() return random_bytes() end,
  function() return pick(heard) end,
  function() return change(pick(heard)) end,
  function(group) return frame(group, random_bytes()) end,
  function(group) return frame(group, pick(group.inner)) end,
  function(group) return frame(group, change(pick(group.inner))) end,
  function(group) return frame(group, pick(pick(groups).inner) or "") end,
  function(group) return sealed(group, pick(group.inner)) end,
  function(group) return sealed(group, change(pick(group.inner)) .. "1234") end,
}

local function send(group)
  local way = #heard > 0 and #group.inner > 0 and pick(ways) or ways[1]
  group.handle:mcast_joined(way(group) or "")
end

local function read_all()
  for _, group in ipairs(groups) do
    group.handle:dispatch("all")
  end
end

for i = 4, #arg do join(arg[i]) end
print("joined")
io.stdout:flush()
local stop = corolua.now() + seconds
local last = corolua.now()
while last < stop do
  corolua.sleep(PAUSE)
  read_all()
  local now = corolua.now()
  for _ = 1, math.min((now - last) * rate, AT_ONCE) do send(pick(groups)) end
  last = now
end
for _, group in ipairs(groups) do group.handle:leave() end
