--- The options of `lab.start`: what is allowed, and what holds otherwise.

local args = require("corolua.base.args")
local lists = require("corolua.base.lists")
local shown = require("corolua.base.shown")

---@class corolua.lab.Options milliseconds where corosync.conf has them
---@field nodes integer? 1 to 64; 3 unless told
---@field initial integer[]? the nodes that start at once; all unless told
---@field timeout number? seconds until the first ring, 30 unless told
---@field transport "udpu"|"knet"|nil "udpu" where corosync allows it
---@field links integer? 1, or 2 with knet
---@field crypto boolean|{ cipher: string?, hash: string? }|nil with knet; true is aes256, sha256
---@field token integer? 300 for few nodes, more for many: docs/lab.md
---@field token_coefficient integer? 0 unless told
---@field token_retransmits_before_loss_const integer?
---@field consensus integer?
---@field join integer? 30; above 48 nodes 300
---@field merge integer? 50 unless told
---@field knet_ping_interval integer?
---@field knet_ping_timeout integer?
---@field knet_pong_count integer?
---@field port integer? 5405 unless told
---@field provider "corosync_votequorum"|"none"|nil
---@field votes integer|table<integer, integer>|nil of each node, or of some by nodeid
---@field expected_votes integer?
---@field two_node boolean?
---@field wait_for_all boolean?
---@field last_man_standing boolean?
---@field last_man_standing_window integer?
---@field auto_tie_breaker boolean?
---@field network "switch"|"bridge"|nil "switch" unless told
---@field seed integer? of the switch; 0 unless told
---@field pcap string? a file for all frames
---@field log_dir string? a folder that the daemons log to
---@field keep string? a folder that all files are copied to at the end
---@field debug boolean? corosync logs at debug level
---@field trace string|{ path: string, preview: integer? }|nil a file: docs/trace.md
---@field recorder boolean? whether the latest events are kept; true unless told

local options = {}

--- A lab of more nodes was never tried.
options.MOST_NODES = 64

local function crypto(value)
  return value == true or value == false or type(value) == "table",
    "true or { cipher =, hash = }"
end

local count_of_votes = args.integer(0, 255)

local function votes(value)
  if type(value) ~= "table" then return count_of_votes(value) end
  for _, count in pairs(value) do
    if not count_of_votes(count) then return false, "{ [nodeid] = 0 to 255 }" end
  end
  return true
end

local function trace(value)
  local path = type(value) == "table" and value.path or value
  return (args.path(path)), "a path or { path =, preview = }"
end

-- corosync refuses timers below 30 ms, and tokens whose retransmission would be.
local milliseconds = args.integer(30, 600000)

local SPEC = {
  { "nodes", args.integer(1, options.MOST_NODES), 3 },
  { "transport", args.one_of("udpu", "knet") },
  { "links", args.integer(1, 2), 1 },
  { "crypto", crypto },
  { "token", milliseconds },
  { "token_coefficient", args.integer(0, 600000) },
  { "token_retransmits_before_loss_const", args.integer(1, 1000) },
  { "consensus", milliseconds },
  { "join", milliseconds },
  { "merge", milliseconds },
  { "knet_ping_interval", args.integer(1, 600000) },
  { "knet_ping_timeout", args.integer(1, 600000) },
  { "knet_pong_count", args.integer(1, 1000) },
  { "port", args.integer(1, 65535) },
  { "provider", args.one_of("corosync_votequorum", "none") },
  { "votes", votes },
  { "expected_votes", args.integer(1, 255) },
  { "two_node", args.boolean },
  { "wait_for_all", args.boolean },
  { "last_man_standing", args.boolean },
  { "last_man_standing_window", args.integer(1, 600000) },
  { "auto_tie_breaker", args.boolean },
  { "initial", args.table("a list of nodeids, as { 1, 2 }") },
  { "network", args.one_of("switch", "bridge") },
  { "seed", args.integer() },
  { "pcap", args.string },
  { "log_dir", args.string },
  { "keep", args.string },
  { "debug", args.boolean },
  { "trace", trace },
  { "recorder", args.boolean },
  { "timeout", args.time },
}

-- A token that many nodes can pass round in time, on few processors too. knet
-- has its pings to handle besides.
local function default_token(nodes, transport)
  if nodes > 48 then return 4000 end
  if nodes > 24 then return 1000 end
  return transport == "knet" and nodes > 8 and 500 or 300
end

-- A link whose pong is not there within one turn of knet's own clock would go
-- up and down; since 1.28 knet refuses less.
local KNET_CLOCK = 200

local function defaults(nodes, transport)
  local ping = math.max(20, 4 * nodes)
  return {
    token = default_token(nodes, transport),
    token_coefficient = 0,
    join = nodes > 48 and 300 or 30,
    merge = 50,
    knet_ping_interval = ping,
    knet_ping_timeout = math.max(KNET_CLOCK, 3 * ping),
    knet_pong_count = 1,
    port = 5405,
    provider = "corosync_votequorum",
    network = "switch",
    seed = 0,
    timeout = 30,
  }
end

-- Without it they would be passed over in silence.
local KNET_ONLY = { "crypto", "knet_ping_interval", "knet_ping_timeout", "knet_pong_count" }

local CRYPTO = {
  noun = "key",
  { "cipher", args.one_of("none", "aes128", "aes192", "aes256"), "aes256" },
  { "hash", args.one_of("none", "md5", "sha1", "sha256", "sha384", "sha512"), "sha256" },
}

--- The names of the options of `lab.start`, sorted.
---@return string[]
function options.names()
  local list = {}
  for i, option in ipairs(SPEC) do list[i] = option[1] end
  table.sort(list)
  return list
end

local function check_node(id, nodes, what, level)
  if math.type(id) ~= "integer" or id < 1 or id > nodes then
    error(("lab.start: option '%s' names node %s; there are nodes 1 to %d")
      :format(what, shown.value(id), nodes), level + 1)
  end
end

local function check_initial(list, nodes, level)
  local seen = {}
  for i, place in ipairs(lists.keys(list)) do
    local id = list[place]
    if place ~= i then
      error("lab.start: option 'initial' must be a list of nodeids, as { 1, 2 }", level + 1)
    end
    check_node(id, nodes, "initial", level + 1)
    if seen[id] then
      error(("lab.start: option 'initial' names node %d twice"):format(id), level + 1)
    end
    seen[id] = true
  end
end

local function check_votes(given, nodes, level)
  if type(given) ~= "table" then return end
  for _, id in ipairs(lists.keys(given)) do check_node(id, nodes, "votes", level + 1) end
end

local function check_sense(config, level)
  if config.transport ~= "knet" then
    if config.links > 1 then
      error("lab.start: option 'links' of 2 needs transport = \"knet\"", level + 1)
    end
    for _, key in ipairs(KNET_ONLY) do
      if config[key] then
        error(("lab.start: option '%s' needs transport = \"knet\""):format(key), level + 1)
      end
    end
  end
  if config.network == "bridge" and config.pcap then
    error("lab.start: option 'pcap' needs network = \"switch\"", level + 1)
  end
end

local function all_nodes(nodes)
  local list = {}
  for i = 1, nodes do list[i] = i end
  return list
end

local function check_crypto(config, level)
  local given = config.crypto
  if not given then return end
  if given == true then given = nil end
  config.crypto = args.check(given, CRYPTO, "lab.start: crypto", level + 1)
end

local TRACE = {
  noun = "key", { "path", args.path, needed = true }, { "preview", args.integer(0, 1024) },
}

local function check_trace(config, level)
  if type(config.trace) == "string" then config.trace = { path = config.trace } end
  if config.trace then
    config.trace = args.check(config.trace, TRACE, "lab.start: trace", level + 1)
  end
end

--- What was given to `lab.start`, checked and copied.
---@param given corolua.lab.Options?
---@param level integer as in `error`: whom a wrong option is blamed on
---@return corolua.lab.Options config for `options.complete`
function options.check(given, level)
  local config = args.check(given, SPEC, "lab.start", level + 1)
  config.initial = config.initial or all_nodes(config.nodes)
  check_initial(config.initial, config.nodes, level + 1)
  check_votes(config.votes, config.nodes, level + 1)
  check_sense(config, level + 1)
  check_crypto(config, level + 1)
  check_trace(config, level + 1)
  return config
end

local function is_plain(wanted)
  return wanted == false or wanted and (wanted.cipher == "none" or wanted.hash == "none")
end

-- Options that the corosync at hand was built to refuse.
local function refused(config, features)
  if config.transport == "udpu" and not features.udpu then
    return "has no transport udpu: leave 'transport' out, or give \"knet\""
  end
  if is_plain(config.crypto) and not features.unencrypted then
    return "runs with encryption only: leave 'crypto' out, or give true"
  end
end

--- Puts in what was not given: what this corosync allows, and what is best for
--- so many nodes. udpu without encryption where it is allowed, else knet, and
--- that encrypted where it has to be.
---@param config corolua.lab.Options from `options.check`
---@param features corolua.lab.Features
---@return corolua.lab.Options? config, string? message, string? code "ERR_NOT_SUPPORTED"
function options.complete(config, features)
  local why = refused(config, features)
  if why then
    return nil, ("corosync %s was built so that it %s")
      :format(features.version or "of an unknown version", why), "ERR_NOT_SUPPORTED"
  end
  local plain = features.udpu and features.unencrypted
  config.transport = config.transport or (plain and "udpu" or "knet")
  if config.transport == "knet" and config.crypto == nil and not features.unencrypted then
    config.crypto = { cipher = "aes256", hash = "sha256" }
  end
  config.crypto = config.crypto or nil
  for key, value in pairs(defaults(config.nodes, config.transport)) do
    if config[key] == nil then config[key] = value end
  end
  return config
end

return options
