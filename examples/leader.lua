-- A leader with a virtual service: an address that is on the node that leads, and on no other.
-- corolua lab examples/leader.lua [seconds that each leads [address [device]]]
local corolua = require("corolua")
local election = require("corolua.election")

local seconds = tonumber(arg[1] or 0.1)
local address, device = arg[2] or "10.77.0.100/32", arg[3] or "eth0"

local function ip(what)
  return os.execute(("ip address %s %s dev %s 2>/dev/null"):format(what, address, device))
end

ip("del") -- what a life that was killed in office has left here
local office = assert(election.join("leader"))

function office.on.elected(term)
  if not ip("add") then -- may have been stopped in the middle
    ip("del")
    print("cannot serve " .. address)
    return office:leave() -- perhaps the next one can
  end
  print("serves " .. address .. " in term " .. term)
  corolua.after(seconds, function() office:leave() end)
end

function office.on.deposed(term)
  ip("del")
  print("no longer serves in term " .. term)
end
