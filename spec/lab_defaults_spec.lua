-- What a lab does with options that were not given, by the number of nodes and
-- by what the installed corosync was built with.
local features = require("corolua.lab.features")
local options = require("corolua.lab.options")

-- What three corosyncs print: of Debian 12 and 13, and of August 2026, which was
-- built with its defaults, or with --enable-udpu and --enable-unencrypted.
local PRINTED = [[
Corosync Cluster Engine, version '%s'
Copyright (c) 2006-2021 Red Hat, Inc.

Built-in features: %s pie relro bindnow
Available crypto models: nss openssl
]]
local OLDER = features.read(PRINTED:format("3.1.9", "dbus systemd vqsim nozzle snmp"))
local STRICT = features.read(PRINTED:format("3.1.11", "enforce_encryption without_udpu"))
local OPEN = features.read(PRINTED:format("3.1.11", "unencrypted udpu"))
local ENCRYPTED = { cipher = "aes256", hash = "sha256" }

local function complete(given, found) return options.complete(options.check(given, 1), found) end

describe("the features of corosync", function()
  it("are read from its own words, and allowed where it has none for them", function()
    assert.same({ version = "3.1.9", udpu = true, unencrypted = true }, OLDER)
    assert.same({ version = "3.1.11", udpu = false, unencrypted = false }, STRICT)
    assert.same({ version = "3.1.11", udpu = true, unencrypted = true }, OPEN)
    assert.same({ udpu = true, unencrypted = true }, features.read("cannot open libcfg.so.7"))
  end)

  it("are those of the program that is asked, whatever its path", function()
    local folder = os.tmpname() .. " of Tom's"
    local path = folder .. "/corosync"
    assert(require("lfs").mkdir(folder))
    local file <close> = assert(io.open(path, "w"))
    file:write("#!/bin/sh\necho \"Corosync Cluster Engine, version '9.9'\"\n",
      "echo 'Built-in features: without_udpu'\n")
    file:close()
    assert(os.execute(('chmod 755 "%s"'):format(path)))
    assert.same({ version = "9.9", udpu = false, unencrypted = true }, features.of(path))
    os.remove(path)
    os.remove(folder)
    os.remove((folder:match("^%S+")))
  end)
end)

describe("options that were not given", function()
  for _, case in ipairs({
    { "udpu without encryption where it may be", {}, OLDER, "udpu" },
    { "the same where the words say so", {}, OPEN, "udpu" },
    { "else knet, encrypted", {}, STRICT, "knet", ENCRYPTED },
    { "knet as it is", { transport = "knet" }, OLDER, "knet" },
    { "knet, encrypted where it has to be", { transport = "knet" }, STRICT, "knet", ENCRYPTED },
    { "the encryption that was given", { transport = "knet", crypto = { cipher = "aes128" } },
      STRICT, "knet", { cipher = "aes128", hash = "sha256" } },
    { "aes256 and sha256 for true", { transport = "knet", crypto = true }, OLDER, "knet",
      ENCRYPTED },
    { "no encryption for false", { transport = "knet", crypto = false }, OLDER, "knet" },
    { "knet where udpu would run unencrypted", {}, { udpu = true, unencrypted = false }, "knet",
      ENCRYPTED },
  }) do
    local name, given, found, transport, crypto = table.unpack(case, 1, 5)
    it("are " .. name, function()
      local config = assert(complete(given, found))
      assert.same({ transport, crypto }, { config.transport, config.crypto })
    end)
  end

  -- A token goes round all nodes, and each wants its turn of few processors.
  for _, case in ipairs({
    { 3, "udpu", 300, 30 }, { 24, "udpu", 300, 30 }, { 25, "udpu", 1000, 30 },
    { 48, "udpu", 1000, 30 }, { 49, "udpu", 4000, 300 }, { 64, "udpu", 4000, 300 },
    { 8, "knet", 300, 30 }, { 9, "knet", 500, 30 }, { 25, "knet", 1000, 30 },
  }) do
    local nodes, transport, token, join = table.unpack(case)
    it(("are token %d and join %d for %d nodes of %s"):format(token, join, nodes, transport),
      function()
        local config = assert(complete({ nodes = nodes, transport = transport }, OLDER))
        assert.same({ token, join }, { config.token, config.join })
      end)
  end

  it("never are a timeout of pings that newer knet refuses", function()
    for nodes = 1, 64 do
      local config = assert(complete({ nodes = nodes, transport = "knet" }, OLDER))
      assert.is_true(config.knet_ping_timeout >= 200)
      assert.is_true(config.knet_ping_timeout >= 3 * config.knet_ping_interval)
    end
  end)

  it("stand back behind those that were", function()
    local config = assert(complete({
      nodes = 64, transport = "knet", token = 700, join = 40, knet_ping_timeout = 90,
    }, OLDER))
    assert.same({ 700, 40, 90 }, { config.token, config.join, config.knet_ping_timeout })
  end)
end)

describe("options that the installed corosync refuses", function()
  for _, case in ipairs({
    { { transport = "udpu" }, "has no transport udpu: leave 'transport' out, or give \"knet\"" },
    { { transport = "knet", crypto = false },
      "runs with encryption only: leave 'crypto' out, or give true" },
    { { transport = "knet", crypto = { cipher = "none" } }, "runs with encryption only" },
    { { transport = "knet", crypto = { hash = "none" } }, "runs with encryption only" },
  }) do
    it("are refused in a sentence: it " .. case[2], function()
      local config, why, code = complete(case[1], STRICT)
      assert.is_nil(config)
      assert.is_truthy(why:find("corosync 3.1.11 was built so that it " .. case[2], 1, true), why)
      assert.same("ERR_NOT_SUPPORTED", code)
    end)
  end
end)
