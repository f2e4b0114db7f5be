-- A program whose lab has no room left in /dev/shm: what fails says so, what runs
-- goes on, and what was lost comes back once there is room.
local lab = require("corolua.lab")
local support = require("spec.support")

io.stdout:setvbuf("no")

local ROOM = 64 * 1024 -- KiB

local function used()
  local pipe <close> = assert(io.popen("df -k --output=used /dev/shm | tail -n 1"))
  return pipe:read("n")
end

-- The lab's own tmpfs has this much room from now on. It cannot be made smaller
-- than what is in use, and what runs may take more in between.
local function leave_room(size)
  support.eventually(function()
    return os.execute(("mount -o remount,size=%dk /dev/shm 2>/dev/null"):format(used() + size))
  end, 10)
end

local cluster <close> = assert(lab.start({ nodes = 2 }))
local rooms, got, downs, ups = {}, {}, 0, 0

for i = 1, 2 do
  local room = cluster[i]:group("crowded", { packed = true })
  function room.on.message(payload) got[i] = payload end
  function room.on.down() downs = downs + 1 end
  function room.on.up() ups = ups + 1 end
  assert(room:join())
  rooms[i] = room
end

local function reaches_all(payload)
  assert(rooms[2]:send(payload))
  support.comes(function() return got[1] == payload and got[2] == payload end, 30)
end

leave_room(0)
for _, name in ipairs({ "cpg", "votequorum", "quorum", "cfg" }) do
  print(name, select(2, cluster[1]:thin(name, {})))
end
print("cmap", select(2, cluster[1]:thin("cmap", "icmap")))
print("join", select(2, cluster[1]:group("other"):join({ timeout = 20 })))
reaches_all("without room")
print("downs", downs)

assert(cluster[1]:kill())
support.comes(function() return downs == 1 end, 30)
local code = select(3, rooms[1]:send("nowhere"))
print("send", code)
-- The daemon may start without room, or say why not; its members cannot connect.
leave_room(1024)
cluster[1]:start()
print("up without room", ups)
leave_room(ROOM)
support.comes(function()
  if not cluster[1]:is_running() then cluster[1]:start() end
  return ups == 1
end, 60)
assert(cluster:settle(30))
reaches_all("with room")
local other <close> = cluster[1]:group("other")
print("join", other:join({ timeout = 30 }))
