-- A program with everything open that has a descriptor, which forks children that
-- do not run another program: argument 1 is the folder of forking.so, 2 that of a
-- journal. It prints how each child ended, and fails if one has disturbed it.
local corolua = require("corolua")
local forking = assert(package.loadlib(arg[1] .. "/forking.so", "luaopen_forking"))()
local journal = require("corolua.journal")
local lab = require("corolua.lab")
local loop = require("corolua.loop")
local support = require("spec.support")
local sys = require("corolua.sys")

io.stdout:setvbuf("no")

local cluster = assert(lab.start({ nodes = 2 }))
local book = assert(journal.open(arg[2]))
local rooms, got, changes, thin_got = {}, {}, 0, nil

for i = 1, 2 do
  local room = cluster[i]:group("forked", { packed = i == 2 })
  room = i == 1 and room or cluster[i]:group("packed", { packed = true })
  function room.on.message(payload) got[i] = payload end
  function room.on.members() changes = changes + 1 end
  function room.on.down() changes = changes + 1 end
  assert(room:join())
  rooms[i] = room
end
support.comes(function() return changes == 2 end)
local thin = assert(cluster[1]:thin("cpg", {
  deliver = function(_, _, payload) thin_got = payload end,
}))
assert(thin:join("thin"))
local votes = assert(cluster[2]:thin("votequorum", {}))

local round = 0

-- All that was open goes on as before.
local function check()
  round = round + 1
  local payload = "round " .. round
  for _, room in ipairs(rooms) do assert(room:send(payload)) end
  assert(thin:mcast_joined(payload))
  support.eventually(function()
    assert(thin:dispatch("all"))
    return thin_got == payload
  end, 30)
  support.comes(function() return got[1] == payload and got[2] == payload end, 30)
  assert(votes:getinfo(0))
  book:append(payload)
  assert(book:sync(30))
  assert(changes == 2, "a member has left")
  for i = 1, 2 do assert(cluster[i]:is_running()) end
end

local function expect_refusal(fn, ...)
  local ok, problem = pcall(fn, ...)
  assert(not ok and tostring(problem):find("of the process that forked", 1, true),
    tostring(problem))
end

local children = {}

function children.exits_in_c() forking.exit(3) end

function children.exits() os.exit(4) end

function children.collects()
  thin, votes, rooms, cluster, book = nil, nil, nil, nil, nil
  for _ = 1, 3 do collectgarbage() end
  os.exit(5)
end

function children.finalizes()
  assert(thin:finalize())
  assert(votes:finalize())
  os.exit(6)
end

function children.uses_it()
  expect_refusal(thin.mcast_joined, thin, "from the child")
  expect_refusal(thin.dispatch, thin, "all")
  expect_refusal(votes.getinfo, votes, 0)
  expect_refusal(loop.timer, 0, print)
  expect_refusal(book.disk.file.begin, book.disk.file, "close", print, 1)
  os.exit(7)
end

function children.raises() error("on purpose", 0) end

function children.waits() corolua.sleep(0.01) end

function children.goes_on() end

function children.closes_the_lab()
  pcall(cluster.close, cluster)
  os.exit(8)
end

function children.kills()
  for i = 1, 2 do print(select(3, sys.kill(cluster[i].daemon.pid, "KILL"))) end
  os.exit(9)
end

local ORDER = { "exits_in_c", "exits", "collects", "finalizes", "uses_it", "raises", "waits",
  "goes_on", "closes_the_lab", "kills" }

check()
for _, name in ipairs(ORDER) do
  local pid = forking.fork()
  if pid == 0 then return children[name]() end
  print(name, forking.wait(pid))
  check()
end

-- One that is ended by a signal, and one that lives on, with a copy of the lock.
local waits = forking.fork()
if waits == 0 then return forking.pause() end
assert(book:close())
book = assert(journal.open(arg[2]))
os.execute("kill -TERM " .. waits)
print("terminated", forking.wait(waits))
check()

assert(book:close())
cluster:close()
print("done")
