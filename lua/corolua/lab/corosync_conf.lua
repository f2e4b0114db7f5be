--- The text of corosync.conf.

local corosync_conf = {}

-- One section: words with their values, in the order given, and inner sections.
local function section(name, lines)
  local text = { name .. " {" }
  for _, line in ipairs(lines) do
    if type(line) == "string" then
      text[#text + 1] = (line:gsub("[^\n]+", "  %0"))
    elseif line[2] ~= nil then
      text[#text + 1] = ("  %s: %s"):format(line[1], line[2])
    end
  end
  text[#text + 1] = "}"
  return table.concat(text, "\n")
end

local function yes(flag)
  if flag then return 1 end
  return nil
end

local function interface(config, link)
  local knet = config.transport == "knet"
  return section("interface", {
    { "linknumber", link },
    { "mcastport", config.port },
    { "knet_ping_interval", knet and config.knet_ping_interval or nil },
    { "knet_ping_timeout", knet and config.knet_ping_timeout or nil },
    { "knet_pong_count", knet and config.knet_pong_count or nil },
  })
end

local function totem(config, files)
  local crypto = config.crypto
  local lines = {
    { "version", 2 },
    { "cluster_name", "lab" },
    { "transport", config.transport },
    { "token", config.token },
    { "token_coefficient", config.token_coefficient },
    { "token_retransmits_before_loss_const", config.token_retransmits_before_loss_const },
    { "consensus", config.consensus },
    { "join", config.join },
    { "merge", config.merge },
    { "crypto_cipher", crypto and crypto.cipher or "none" },
    { "crypto_hash", crypto and crypto.hash or "none" },
    { "keyfile", crypto and files.key or nil },
  }
  for link = 0, config.links - 1 do lines[#lines + 1] = interface(config, link) end
  return section("totem", lines)
end

local function system(files)
  return section("system", {
    { "state_dir", files.state },
    { "allow_knet_handle_fallback", "yes" },
    { "move_to_root_cgroup", "no" },
    { "sched_rr", "no" },
  })
end

local function quorum(config)
  return section("quorum", {
    { "provider", config.provider ~= "none" and config.provider or nil },
    { "expected_votes", config.expected_votes },
    { "two_node", yes(config.two_node) },
    { "wait_for_all", config.wait_for_all ~= nil and (yes(config.wait_for_all) or 0) or nil },
    { "last_man_standing", yes(config.last_man_standing) },
    { "last_man_standing_window", config.last_man_standing_window },
    { "auto_tie_breaker", yes(config.auto_tie_breaker) },
  })
end

local function votes_of(config, id)
  if type(config.votes) == "table" then return config.votes[id] end
  return config.votes
end

local function nodelist(config, address)
  local nodes = {}
  for id = 1, config.nodes do
    local lines = {}
    for link = 0, config.links - 1 do
      lines[#lines + 1] = { ("ring%d_addr"):format(link), address(link, id) }
    end
    lines[#lines + 1] = { "nodeid", id }
    lines[#lines + 1] = { "name", "n" .. id }
    lines[#lines + 1] = { "quorum_votes", votes_of(config, id) }
    nodes[id] = section("node", lines)
  end
  return section("nodelist", nodes)
end

local function logging(config, files)
  return section("logging", {
    { "to_logfile", "yes" },
    { "logfile", files.log },
    { "to_syslog", "no" },
    { "to_stderr", "no" },
    { "timestamp", "hires" },
    { "debug", config.debug and "on" or nil },
  })
end

--- The whole file for one node.
---@param config corolua.lab.Options as `options.check` gives it
---@param files { state: string, log: string, key: string? } the node's paths
---@param address fun(link: integer, nodeid: integer): string
---@return string
function corosync_conf.text(config, files, address)
  return table.concat({
    totem(config, files), system(files), quorum(config), nodelist(config, address),
    logging(config, files), "",
  }, "\n\n")
end

return corosync_conf
