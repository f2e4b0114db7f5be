-- Not sanitized: it looks at what corosync makes of its configuration.
local corolua = require("corolua")
local lab = require("corolua.lab")
local lfs = require("lfs")
local files = require("corolua.lab.files")
local support = require("spec.support")

local function info_of(node, nodeid)
  local votes <close> = assert(node:thin("votequorum", {}))
  return assert(votes:getinfo(nodeid or 0))
end

local function temporary_folder()
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  return path
end

local function slurp(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- The ports of UDP sockets on a node, except those of port 0.
local function udp_ports(node)
  local ports = {}
  for line in assert(node:tool("cat", "/proc/net/udp")).output:gmatch("[^\n]+") do
    local port = line:match("^%s*%d+: %x+:(%x+)")
    if port and tonumber(port, 16) > 0 then ports[tonumber(port, 16)] = true end
  end
  return ports
end

describe("options of lab.start", function()
  it("votes, by node or for all, and expected_votes", function()
    local cluster <close> = assert(lab.start({
      nodes = 3, votes = { [1] = 3, [2] = 1, [3] = 0 }, expected_votes = 4,
    }))
    assert.same(3, info_of(cluster[2], 1).node_votes)
    assert.same(0, info_of(cluster[2], 3).node_votes)
    assert.same(4, info_of(cluster[1]).total_votes)
    assert.same(3, info_of(cluster[1]).quorum)
    local second <close> = assert(lab.start({ nodes = 2, votes = 5 }))
    assert.same(10, info_of(second[1]).total_votes)
  end)

  it("two_node keeps both sides quorate", function()
    local cluster <close> = assert(lab.start({ nodes = 2, two_node = true }))
    assert.is_true(info_of(cluster[1]).flags.two_node)
    assert.is_true(info_of(cluster[1]).flags.wait_for_all)
    assert(cluster:isolate(1))
    assert(cluster:settle())
    assert.is_true(cluster[1]:quorum().quorate)
    assert.is_true(cluster[2]:quorum().quorate)
  end)

  it("wait_for_all and initial: quorate only once all were there", function()
    local cluster <close> = assert(lab.start({
      nodes = 3, wait_for_all = true, initial = { 1, 2 },
    }))
    assert.same("stopped", cluster:state()[3].status)
    assert.is_false(cluster[1]:quorum().quorate)
    assert(cluster[3]:start())
    assert(cluster:settle())
    assert.is_true(cluster[1]:quorum().quorate)
    assert(cluster[3]:kill())
    assert(cluster:settle())
    assert.is_true(cluster[1]:quorum().quorate)
  end)

  it("last_man_standing lowers what is expected after its window", function()
    local cluster <close> = assert(lab.start({
      nodes = 4, last_man_standing = true, last_man_standing_window = 500, token = 130,
      wait_for_all = true,
    }))
    assert.is_true(info_of(cluster[1]).flags.last_man_standing)
    assert(cluster[4]:kill())
    assert(cluster:settle())
    local votes <close> = assert(cluster[1]:thin("votequorum", {}))
    local deadline = corolua.now() + 10
    while votes:getinfo(0).highest_expected > 3 and corolua.now() < deadline do
      corolua.sleep(0.02)
    end
    assert.same(3, votes:getinfo(0).highest_expected)
  end)

  it("auto_tie_breaker lets the half with the lowest nodeid go on", function()
    local cluster <close> = assert(lab.start({ nodes = 4, auto_tie_breaker = true }))
    assert(cluster:partition({ { 1, 2 }, { 3, 4 } }))
    assert(cluster:settle())
    assert.is_true(cluster[1]:quorum().quorate)
    assert.is_false(cluster[3]:quorum().quorate)
  end)

  it("port is where the daemons listen", function()
    for _, transport in ipairs(support.transports()) do
      local cluster <close> = assert(lab.start({ nodes = 2, port = 7345, transport = transport }))
      assert.is_true(udp_ports(cluster[1])[7345], transport)
      assert.is_nil(udp_ports(cluster[1])[5405])
    end
  end)

  it("token and friends reach corosync", function()
    local cluster <close> = assert(lab.start({
      nodes = 2, token = 500, consensus = 700, join = 60, merge = 80, token_coefficient = 10,
      token_retransmits_before_loss_const = 6,
    }))
    local cmap <close> = assert(cluster[1]:thin("cmap"))
    local function value(key) return (assert(cmap:get("runtime.config.totem." .. key))) end
    assert.same(500, value("token"))
    assert.same(700, value("consensus"))
    assert.same(60, value("join"))
    assert.same(80, value("merge"))
    assert.same(6, value("token_retransmits_before_loss_const"))
  end)

  it("knet with two links goes on over one", function()
    local cluster <close> = assert(lab.start({ nodes = 3, transport = "knet", links = 2 }))
    assert(cluster:link(1, 2, { block = true, link = 0 }))
    assert(cluster:link(1, 3, { block = true, link = 0 }))
    assert.is_false(cluster:is_cut(1, 2))
    local stats <close> = assert(cluster[1]:thin("cmap", "stats"))
    for _, other in ipairs({ 2, 3 }) do
      local key = ("stats.knet.node%d.link0.connected"):format(other)
      support.eventually(function() return stats:get(key) == 0 end)
    end
    assert(cluster:settle())
    assert.same({ 1, 2, 3 }, cluster[1]:quorum().nodes)
    assert(cluster:link(1, 2, { block = true }))
    assert(cluster:link(1, 3, { block = true }))
    assert.is_true(cluster:is_cut(1, 2))
    assert(cluster:settle())
    assert.same({ 1 }, cluster[1]:quorum().nodes)
  end)

  it("crypto makes a key of its own", function()
    local cluster <close> = assert(lab.start({ nodes = 2, transport = "knet", crypto = true }))
    local cmap <close> = assert(cluster[1]:thin("cmap"))
    assert.same("aes256", (cmap:get("totem.crypto_cipher")))
    assert.same("sha256", (cmap:get("totem.crypto_hash")))
  end)

  it("log_dir and keep write to disk, and nothing else does", function()
    local logs, kept = temporary_folder(), temporary_folder()
    local cluster = assert(lab.start({ nodes = 2, log_dir = logs, keep = kept .. "/lab" }))
    assert.matches("Corosync Cluster Engine", slurp(logs .. "/n1.log"))
    cluster:close()
    assert.matches("Corosync Cluster Engine", slurp(logs .. "/n2.log"))
    assert.matches("cluster_name: lab", slurp(kept .. "/lab/n1/corosync.conf"))
    files.remove(logs)
    files.remove(kept)
  end)

  it("pcap holds what crossed the switch", function()
    local path = os.tmpname()
    local cluster = assert(lab.start({ nodes = 2, pcap = path }))
    cluster:close()
    local header = slurp(path):sub(1, 4)
    assert.is_true(header == "\xd4\xc3\xb2\xa1" or header == "\x4d\x3c\xb2\xa1"
      or header == "\x0a\x0d\x0d\x0a")
    os.remove(path)
  end)

  it("refuses a folder that cannot be made", function()
    local kept, why, code = lab.start({ nodes = 1, keep = "/nonexistent/folder" })
    assert.is_nil(kept)
    assert.matches("cannot keep files in /nonexistent/folder: No such file", why)
    assert.same("EIO", code)
    local cluster, message = lab.start({ nodes = 1, log_dir = "/nonexistent/folder" })
    assert.is_nil(cluster)
    assert.matches("/nonexistent/folder", message)
  end)
end)
