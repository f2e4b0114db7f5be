-- A leader with a virtual service: an address that is on the node that leads, and on no other.
-- A new ring deposes a leader also where it stays in place: the address stays until another leads
-- or quorum is lost. A leader whose corosync hangs is told nothing of that. With a lease below
-- `consensus` it gives the address up before another leads, also then; but so it does whenever
-- the token is lost for so long. Longer than 25 lines to say when the address has to go.
-- corolua lab examples/leader.lua [seconds that each leads [lease [address [device]]]]
local corolua = require("corolua")
local election = require("corolua.election")

local KEEP = 1 -- seconds in which the members of a new ring agree on who leads
local seconds, lease = tonumber(arg[1] or 0.1), tonumber(arg[2])
local address, device = arg[3] or "10.77.0.100/32", arg[4] or "eth0"
local served -- the term in which it was taken

local function ip(what) -- nothing else happens meanwhile
  return os.execute(("ip address %s %s dev %s 2>/dev/null"):format(what, address, device))
end

local function drop()
  ip("del")
  if served then print("no longer serves in term " .. served) end
  served = nil
end

drop() -- what a life that was killed in office has left here
local office = assert(election.open("leader", { lease = lease }))

function office.on.elected(term)
  if served then return end -- led before the new ring, and leads on
  if not ip("add") then
    print("cannot serve " .. address)
    return office:close() -- perhaps the next one can
  end
  served = term
  print("serves " .. address .. " in term " .. term)
  corolua.after(seconds, function() drop() office:close() end)
end

-- Whether another may lead without our knowing.
local function is_apart()
  return lease or office.group:stats().state ~= "joined" or not office.group.view.quorate
end

function office.on.deposed() -- the wait ends at once where the program stops
  if served then corolua.wait(function() return office.leader or is_apart() end, KEEP) end
  if not office:is_leader() then drop() end
end
