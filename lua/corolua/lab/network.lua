--- The network of a lab: a namespace per node, and a hub in which their cables
--- end. In the hub a kernel bridge or the switch joins them.

local net = require("corolua.net")
local sandbox = require("corolua.lab.sandbox")
local switch = require("corolua.switch")

---@class corolua.lab.Network
---@field hub userdata the hub's namespace
---@field spaces userdata[] the nodes' namespaces, by nodeid
---@field switch corolua.switch.Switch|false false where a bridge joins the cables
---@field links integer
local methods = {}
local network_mt = { __name = "corolua.lab.network", __index = methods }

local network = {}

local BRIDGE = "lab%d"

--- The address of a node on a link, which counts from 0.
---@return string
function network.address(link, id) return ("10.77.%d.%d"):format(link, id) end

local function mac(link, id) return ("02:c0:c0:00:%02x:%02x"):format(link, id) end

--- The name of a node's interface inside the node.
---@return string
function network.interface(link) return "eth" .. link end

--- The name of the end of that cable in the hub.
---@return string
function network.port(link, id) return ("v%d_%d"):format(link, id) end

--- What the thin handles on a node tell a trace of where they are.
---@param space userdata
---@return integer
function network.number(space) return space:inode() end

local function attempt(ok, why, code)
  if not ok then error({ why, code }, 0) end
  return ok
end

-- The functions below raise { message, code }; this turns it into results.
local function results(fn, ...)
  local ok, result, why, code = pcall(fn, ...)
  if ok then return result, why, code end
  if type(result) ~= "table" then error(result, 0) end
  return nil, "cannot build the network: " .. result[1], result[2]
end

-- Only corosync is to be heard on the cables; a kernel without IPv6, or a
-- container that forbids the setting, does no harm.
local function silence_ipv6()
  local file <close> = io.open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w")
  if file then file:write("1") end
end

local function neighbours(link, id, nodes)
  local macs = {}
  for other = 1, nodes do
    if other ~= id then macs[network.address(link, other)] = mac(link, other) end
  end
  return macs
end

local function build_link(wire, hub, link, id, nodes)
  local name = network.interface(link)
  attempt(wire:veth(name, mac(link, id), network.port(link, id), hub:fileno(), link))
  attempt(wire:up(name))
  attempt(wire:address(name, network.address(link, id) .. "/24"))
  attempt(wire:neighbours(name, neighbours(link, id, nodes)))
end

local function build_node(hub, id, config)
  silence_ipv6()
  local wire <close> = attempt(net.open())
  attempt(wire:up("lo"))
  for link = 0, config.links - 1 do build_link(wire, hub, link, id, config.nodes) end
  return true
end

local function plug_ports(wire, config, link)
  for id = 1, config.nodes do
    local port = network.port(link, id)
    if config.network == "bridge" then attempt(wire:enslave(port, BRIDGE:format(link))) end
    attempt(wire:up(port))
  end
end

-- Runs in the hub once the nodes' cables end there.
local function build_hub(config)
  local wire <close> = attempt(net.open())
  for link = 0, config.links - 1 do
    if config.network == "bridge" then
      attempt(wire:bridge(BRIDGE:format(link)))
      attempt(wire:up(BRIDGE:format(link)))
    end
    plug_ports(wire, config, link)
  end
  return true
end

local function start_switch(config)
  local ports = {}
  for link = 0, config.links - 1 do
    for id = 1, config.nodes do
      ports[#ports + 1] = { name = network.port(link, id), node = id, link = link }
    end
  end
  return attempt(switch.start({ ports = ports, seed = config.seed, pcap = config.pcap }))
end

local function empty_hub()
  silence_ipv6()
  return true
end

local function build_spaces(self, config)
  self.hub = attempt(sandbox.make_network(empty_hub))
  for id = 1, config.nodes do
    self.spaces[id] = attempt(sandbox.make_network(function()
      return build_node(self.hub, id, config)
    end))
  end
  attempt(self:in_hub(function() return build_hub(config) end))
  if config.network == "switch" then
    self.switch = attempt(self:in_hub(function() return start_switch(config) end))
  end
  return self
end

--- Builds the namespaces and the cables between them.
---@param config corolua.lab.Options as completed
---@return corolua.lab.Network? network, string? message, string? code
function network.build(config)
  local self = setmetatable({ spaces = {}, switch = false, links = config.links }, network_mt)
  local ok, why, code = results(build_spaces, self, config)
  if ok then return self end
  self:close()
  return nil, why, code
end

--- Runs the function in the hub, and returns its results.
---@param fn function
---@return any ...
function methods:in_hub(fn) return sandbox.run_in(self.hub, fn) end

--- Pulls a node's cables out of the hub, or plugs them in again.
---@param id integer
---@param is_plugged boolean
---@return true? done, string? message, string? code
function methods:set_plugged(id, is_plugged)
  return results(self.in_hub, self, function()
    local wire <close> = attempt(net.open())
    for link = 0, self.links - 1 do
      local port = network.port(link, id)
      local set = is_plugged and wire.up or wire.down
      attempt(set(wire, port))
    end
    return true
  end)
end

--- Ends every process that is still in these namespaces, and lets them go.
function methods:close()
  if self.switch then self.switch:close() end
  local spaces = { self.hub, table.unpack(self.spaces) }
  sandbox.release(spaces)
  self.hub, self.spaces = nil, {}
end

return network
