-- Other ports and other transports: what the daemon was told, and what it does on the wire.
local corolua = require("corolua")
local lab = require("corolua.lab")

local CASES = {
  { "udpu", { transport = "udpu" } },
  { "udpu, another port", { transport = "udpu", port = 6000 } },
  { "knet", { transport = "knet" } },
  { "knet, two links, encrypted", { transport = "knet", links = 2, crypto = true } },
}

-- Where the daemon of a node hears others, its sending ports left out.
local function ears_of(node)
  local ears = {}
  for address, port in assert(node:tool("ss", "-Huln")).output:gmatch("(10%.[%d%.]+):(%d+)") do
    if tonumber(port) < 10000 then table.insert(ears, ("%s port %s"):format(address, port)) end
  end
  table.sort(ears)
  return table.concat(ears, ", ")
end

local function try(options)
  options.nodes = 2
  local cluster <close> = assert(lab.start(options))
  local map = cluster[1]:thin("cmap")
  return ("%s, cipher %s; hears on %s"):format((map:get("totem.transport")),
    (map:get("totem.crypto_cipher")), ears_of(cluster[1]))
end

-- Two links of which one is cut: who is in the ring, and is it a new one?
local function cut_one()
  local cluster <close> = assert(lab.start({ nodes = 2, transport = "knet", links = 2 }))
  local rooms = assert(cluster:groups("tea"))
  local before = cluster[1]:quorum().ring.seq
  assert(cluster:link(1, 2, { block = true, link = 1 }))
  local cfg = cluster[1]:thin("cfg")
  local deadline = corolua.now() + 10
  while assert(cfg:node_status_get(2)).links[2].connected do -- nobody tells of it
    assert(corolua.sleep(0.02) and corolua.now() < deadline)
  end
  assert(rooms[1]:send("is anybody there?"))
  return ("same ring: %s; node 2 hears: %s"):format(cluster[1]:quorum().ring.seq == before,
    (rooms[2]:next("message", 5)))
end

for _, case in ipairs(CASES) do case.task = corolua.spawn(try, case[2]) end
for _, case in ipairs(CASES) do print(("%-26s  %s"):format(case[1], (case.task:wait()))) end
print(("%-26s  %s"):format("knet, one link of two cut", cut_one()))
