--- The options of `lab.start`: what is allowed, and what holds otherwise.

local names = require("corolua.base.names")
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

local function integer(min, max)
  return function(value)
    if math.type(value) == "integer" and value >= min and value <= max then return true end
    return false, ("an integer of %d to %d"):format(min, max)
  end
end

local function of_type(kind)
  return function(value) return type(value) == kind, "a " .. kind end
end

local function one_of(...)
  local words = { ... }
  return function(value)
    for _, word in ipairs(words) do
      if value == word then return true end
    end
    return false, 'one of "' .. table.concat(words, '", "') .. '"'
  end
end

local function seconds(value)
  return type(value) == "number" and value > 0, "a number of seconds"
end

local function crypto(value)
  return value == true or value == false or type(value) == "table",
    "true or { cipher =, hash = }"
end

local function votes(value)
  if type(value) ~= "table" then return integer(0, 255)(value) end
  for _, count in pairs(value) do
    if not integer(0, 255)(count) then return false, "{ [nodeid] = 0 to 255 }" end
  end
  return true
end

local function trace(value)
  if type(value) == "string" then return true end
  return type(value) == "table" and type(value.path) == "string",
    "a path or { path =, preview = }"
end

-- corosync refuses timers below 30 ms, and tokens whose retransmission would be.
local milliseconds = integer(30, 600000)

local boolean = of_type("boolean")

local checks = {
  nodes = integer(1, options.MOST_NODES),
  transport = one_of("udpu", "knet"),
  links = integer(1, 2),
  crypto = crypto,
  token = milliseconds,
  token_coefficient = integer(0, 600000),
  token_retransmits_before_loss_const = integer(1, 1000),
  consensus = milliseconds,
  join = milliseconds,
  merge = milliseconds,
  knet_ping_interval = integer(1, 600000),
  knet_ping_timeout = integer(1, 600000),
  knet_pong_count = integer(1, 1000),
  port = integer(1, 65535),
  provider = one_of("corosync_votequorum", "none"),
  votes = votes,
  expected_votes = integer(1, 255),
  two_node = boolean,
  wait_for_all = boolean,
  last_man_standing = boolean,
  last_man_standing_window = integer(1, 600000),
  auto_tie_breaker = boolean,
  initial = of_type("table"),
  network = one_of("switch", "bridge"),
  seed = integer(math.mininteger, math.maxinteger),
  pcap = of_type("string"),
  log_dir = of_type("string"),
  keep = of_type("string"),
  debug = boolean,
  trace = trace,
  recorder = boolean,
  timeout = seconds,
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

local crypto_checks = {
  cipher = one_of("none", "aes128", "aes192", "aes256"),
  hash = one_of("none", "md5", "sha1", "sha256", "sha384", "sha512"),
}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

--- The names of the options of `lab.start`, sorted.
---@return string[]
function options.names() return sorted_keys(checks) end

--- Raises, at `level`, if a value is not what its check wants.
---@param given table
---@param wanted table<string, fun(value): boolean, string>
---@param what string such as "lab option"
---@param level integer as in `error`, of the caller
function options.check_values(given, wanted, what, level)
  names.check_keys(given, wanted, what, level + 1)
  for key, value in pairs(given) do
    local ok, expected = wanted[key](value)
    if not ok then
      error(("%s '%s' must be %s, got %s"):format(what, key, expected, shown(value)), level + 1)
    end
  end
end

local function check_node(id, nodes, what, level)
  if math.type(id) ~= "integer" or id < 1 or id > nodes then
    error(("%s names node %s; there are nodes 1 to %d"):format(what, shown(id), nodes), level + 1)
  end
end

local function check_initial(list, nodes, level)
  local seen = {}
  for place, id in pairs(list) do
    if math.type(place) ~= "integer" or place < 1 or place > #list then
      error("lab option 'initial' must be a list of nodeids, as { 1, 2 }", level + 1)
    end
    check_node(id, nodes, "lab option 'initial'", level + 1)
    if seen[id] then
      error(("lab option 'initial' names node %d twice"):format(id), level + 1)
    end
    seen[id] = true
  end
end

local function check_votes(given, nodes, level)
  if type(given) ~= "table" then return end
  for id in pairs(given) do check_node(id, nodes, "lab option 'votes'", level + 1) end
end

local function check_sense(config, level)
  if config.transport ~= "knet" then
    if config.links > 1 then
      error("lab option 'links' of 2 needs transport = \"knet\"", level + 1)
    end
    for _, key in ipairs(KNET_ONLY) do
      if config[key] then
        error(("lab option '%s' needs transport = \"knet\""):format(key), level + 1)
      end
    end
  end
  if config.network == "bridge" and config.pcap then
    error("lab option 'pcap' needs network = \"switch\"", level + 1)
  end
end

local function all_nodes(nodes)
  local list = {}
  for i = 1, nodes do list[i] = i end
  return list
end

local function check_crypto(config, level)
  if config.crypto == true then config.crypto = {} end
  if not config.crypto then return end
  options.check_values(config.crypto, crypto_checks, "key of crypto", level + 1)
  config.crypto = {
    cipher = config.crypto.cipher or "aes256", hash = config.crypto.hash or "sha256",
  }
end

local trace_checks = { path = of_type("string"), preview = integer(0, 1024) }

local function check_trace(config, level)
  if type(config.trace) == "string" then config.trace = { path = config.trace } end
  if config.trace then
    options.check_values(config.trace, trace_checks, "key of trace", level + 1)
  end
end

--- What was given to `lab.start`, checked and copied.
---@param given corolua.lab.Options?
---@param level integer as in `error`: whom a wrong option is blamed on
---@return table config for `options.complete`
function options.check(given, level)
  given = given or {}
  if type(given) ~= "table" then
    error("lab.start takes a table of options, got " .. type(given), level + 1)
  end
  options.check_values(given, checks, "lab option", level + 1)
  local config = { nodes = 3, links = 1 }
  for key, value in pairs(given) do config[key] = value end
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
---@param config table from `options.check`
---@param features corolua.lab.Features
---@return table? config, string? message, string? code "ERR_NOT_SUPPORTED"
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
