---@meta corolua.net
--- The few requests of rtnetlink that build a lab's network.

local net = {}

--- A connection to the kernel, for the network namespace it was opened in.
---@class corolua.net.Connection
local connection = {}

--- A cable: one end here, the other in another namespace.
---@param name string of this end
---@param mac string of this end
---@param peer string name of the other end
---@param peer_namespace integer the descriptor's number
---@param index? integer 0 if not given; tells several cables of a node apart
---@return true? done
---@return string? message
---@return string? code "EPERM", "ERR_NETLINK"
function connection:veth(name, mac, peer, peer_namespace, index) end

--- A bridge.
---@param name string
---@return true? done
---@return string? message
---@return string? code
function connection:bridge(name) end

--- Makes an interface a port of a bridge.
---@param name string
---@param bridge string
---@return true? done
---@return string? message
---@return string? code
function connection:enslave(name, bridge) end

--- Switches an interface on.
---@param name string
---@return true? done
---@return string? message
---@return string? code
function connection:up(name) end

--- Switches an interface off.
---@param name string
---@return true? done
---@return string? message
---@return string? code
function connection:down(name) end

--- Gives an interface an address.
---@param name string
---@param address string "10.77.0.1/24"
---@return true? done
---@return string? message
---@return string? code
function connection:address(name, address) end

--- Adds permanent neighbours, so that nobody has to ask for them.
---@param name string
---@param macs table<string, string> by address
---@return true? done
---@return string? message
---@return string? code
function connection:neighbours(name, macs) end

--- Closes it; may be called again.
---@return nil
function connection:close() end

--- Opens a connection in the current network namespace.
---@return corolua.net.Connection? connection
---@return string? message
---@return string? code
function net.open() end

return net
