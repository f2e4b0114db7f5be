-- A process is killed right after it was told things: what is on the disk?
local corolua = require("corolua")
local lab = require("corolua.lab")

local folder = assert(corolua.exec("mktemp", { "-d" })).output:match("%S+")

local cluster <close> = assert(lab.start({ nodes = 2 }))
local room = cluster[1]:group("notes")
assert(room:join())

-- Starts the keeper on node 2, and returns when it is a member.
local function start_keeper()
  local keeper = assert(cluster[2]:run("examples/book/keeper.lua", folder))
  print("a keeper starts", keeper:next(10))
  assert(room:wait_members(2, 10))
  return keeper
end

-- What it says until it says this.
local function listen(keeper, last)
  local delivered
  repeat
    local line = assert(keeper:next(10))
    if line:find("^delivered") then delivered = line end
  until line == last
  return delivered
end

local keeper = start_keeper()
for n = 1, 5 do assert(room:send("note " .. n)) end
print("it says", listen(keeper, "written up to 5"))
assert(keeper:kill())
assert(keeper:wait(5))
print("it is killed")
assert(room:wait_members(1, 10))
start_keeper()

assert(corolua.exec("rm", { "-r", folder }))
