-- Several processes on one node: each is a member, told apart by its process number.
local corolua = require("corolua")

local is_first = arg[1] ~= "again"
local other = is_first and corolua.spawn(corolua.exec, arg[-1], { arg[0], "again" })
local room, heard = corolua.group("processes"), 0

function room.on.message() heard = heard + 1 end

assert(room:join())
local nodes = #assert(corolua.quorum()).nodes
assert(room:wait_members(2 * nodes, 10))
print(room.me, "of " .. corolua.inspect(room.members))

assert(room:send("seen")) -- all stay until all have seen all
assert(corolua.wait(function() return heard == 2 * nodes end, 10))
assert(room:leave())
if other then io.write(assert(other:wait()).output) end
