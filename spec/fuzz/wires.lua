-- Feeds the readers of what peers send with mutated copies of real messages, and
-- with noise: corolua spec/fuzz/wires.lua [INPUTS [SEED]]. Each gives a message
-- or says that there is none, and raises nothing.
local election = require("corolua.election.wire")
local replica = require("corolua.replica.wire")
local rpc = require("corolua.rpc.wire")
local seal = require("corolua.service.seal")

local inputs = tonumber(arg[1]) or 100000
local seed = tonumber(arg[2]) or os.time()
math.randomseed(seed)

local member = { nodeid = 1, pid = 2 }
local key = election.key(member)

-- Real messages of each service, and what reads them.
local targets = {
  election = {
    is_sealed = true,
    read = function(bytes) return election.decode(bytes, member) end,
    seeds = {
      election.encode({ kind = "claim", nodeid = 1, seq = 4, counter = 3 }, member),
      election.encode({ kind = "beat", nodeid = 1, seq = 4, counter = 3, sent = 1.5 }, member),
      election.encode({ kind = "line", nodeid = 1, seq = 4, counter = 3, leader = key,
        keys = { key, key } }, member),
      election.encode({ kind = "state", nodeid = 1, seq = 4, kept = 2, fresh = true, seniors = 1,
        counter = 3, ticks = 5, keys = { key }, heard = { key, key } }, member),
    },
  },
  rpc = {
    read = function(bytes)
      local ok, version, kind, _, _, nodeid, pid = pcall(string.unpack, rpc.HEADER, bytes)
      if not ok or version ~= rpc.VERSION then return nil end
      local at = rpc.HEADER_SIZE + 1
      if kind == rpc.CALL then return rpc.read_call(bytes, at) end
      if kind == rpc.RESULT then return rpc.read_result(bytes, at) end
      if kind == rpc.ERROR then return rpc.read_error(bytes, at) end
      local found, place = rpc.find_in_list(bytes, at, nodeid, pid)
      return found ~= nil and rpc.read_call(bytes, place)
    end,
    seeds = {
      rpc.call(1, 2, 1, 2, "add", "[1,2]"), rpc.call(1, 2, 0, 0, "none", nil),
      rpc.list(1, 2, { member, member }, "add", "[1]"), rpc.result(1, 2, member, "3"),
      rpc.error(1, 2, member, "ERR_X", "because"),
    },
  },
}

local function noise(length)
  local bytes = {}
  for i = 1, length do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes)
end

local mutations = {
  function(bytes) return bytes:sub(1, math.random(0, #bytes)) end,
  function(bytes) return bytes .. noise(math.random(1, 16)) end,
  function(bytes)
    local at = math.random(1, #bytes + 1)
    return bytes:sub(1, at - 1) .. noise(1) .. bytes:sub(at + 1)
  end,
  function(bytes)
    local at = math.random(1, #bytes + 1)
    return bytes:sub(1, at - 1) .. noise(math.random(1, 8)) .. bytes:sub(at + math.random(0, 8))
  end,
  function(bytes) return noise(#bytes) end,
}

local function mutate(bytes)
  for _ = 1, math.random(1, 3) do bytes = mutations[math.random(#mutations)](bytes) end
  return bytes
end

-- Of a replica the readers alone matter: its letters, and whatever follows them.
targets.replica = {
  is_sealed = true,
  read = function(bytes)
    local kind = replica.read(bytes, member)
    return kind == "command" and replica.read_command(bytes) or kind
  end,
  seeds = { replica.command(member, 1, 2, 3, "bytes") },
}
for _, letter in ipairs({ "a", "c", "d", "g", "p", "s", "w" }) do
  for length = 20, 100, 4 do
    table.insert(targets.replica.seeds, letter .. noise(length))
    table.insert(targets.replica.seeds, letter .. ("\0"):rep(length))
  end
end

-- What has a seal is no message where it is broken: half get a right one again.
local function input(target)
  local bytes = target.seeds[math.random(#target.seeds)]
  if not target.is_sealed or math.random(2) == 1 then return mutate(bytes) end
  return seal.close(mutate(bytes:sub(1, -seal.SIZE - 1)), member)
end

local function run(name, target)
  for n = 1, inputs do
    local bytes = input(target)
    local ok, why = pcall(target.read, bytes)
    if not ok then
      error(("%s, seed %d, input %d: %s: %q"):format(name, seed, n, why, bytes), 0)
    end
  end
  print(("%s: %d inputs, seed %d"):format(name, inputs, seed))
end

for _, name in ipairs({ "election", "replica", "rpc" }) do run(name, targets[name]) end
