-- Members ask each other: one, all, and a majority; and one dies while it is asked.
local corolua = require("corolua")
local lab = require("corolua.lab")
local rpc = require("corolua.rpc")

local cluster <close> = assert(lab.start({ nodes = 3 }))
local calc = {}

for node = 1, 3 do
  calc[node] = assert(rpc.open("calc", {
    add = function(numbers) return numbers[1] + numbers[2] end,
    sleep = function(seconds) return node ~= 3 or corolua.sleep(seconds) end,
  }, { node = cluster[node] }))
end
assert(corolua.wait(function() return #calc[1].group.members == 3 end, 5))
print("one:", calc[1]:call("add", { 2, 3 }, { to = calc[2].group.me }))
print("majority:", #calc[1]:call("add", { 2, 3 }, { to = "majority" }))
print("unknown:", calc[1]:call("ad", { 2, 3 }, { to = calc[2].group.me }))
corolua.after(0.1, function() assert(cluster[3]:kill()) end)
for _, part in ipairs(assert(calc[1]:call("sleep", 2, { to = "all" }))) do
  print(part.member, part.result, part.error)
end
