-- Cuts handlers at random moments, and looks whether anything breaks:
--   corolua --handler-limit 0.03 bench/limits_soak.lua SEED SECONDS NODES
--   corolua --memory-limit 12M bench/limits_soak.lua memory
-- The first has a raw and a packed group on each node of a lab. Their handlers
-- spawn, send, wait, catch errors and close, in an order drawn from the seed,
-- until the limit cuts them. At the end every task must have run to its end,
-- and every group must be joined and hear what it sends. The second fills the
-- memory by way of handlers, tasks and messages, and is to end by that.

local corolua = require("corolua")
local lab = require("corolua.lab")

local HURRY = 20 -- seconds that all has at the end

local cuts, tasks, problems = 0, {}, {}

function corolua.on.error(message)
  if message:find("handler ran longer than", 1, true) then
    cuts = cuts + 1
  else
    problems[#problems + 1] = message
  end
  return true
end

local function burn(rounds)
  local x = 0
  for i = 1, rounds do x = x + i % 3 end
  return x
end

local function begin(fn, ...)
  tasks[#tasks + 1] = corolua.spawn(fn, ...)
end

local function nap() corolua.sleep(math.random() / 500) end

-- What handlers do, one at a time: most of it in functions of corolua, where a cut
-- would do harm.
local BUSY = {
  function(room) room:try_send("x") end,
  function(room) room:stats() end,
  function() begin(burn, 10) end,
  function() begin(nap) end,
  function() corolua.after(0, nap):cancel() end,
  function() pcall(burn, math.random(200)) end,
  function() pcall(error, {}) end,
  function() coroutine.wrap(burn)(math.random(200)) end,
  function() pcall(coroutine.wrap(function(fn) fn(math.random(200)) end), burn) end,
  function()
    local _ <close> = setmetatable({}, { __close = function() burn(20) end })
    burn(math.random(100))
  end,
}

-- And now and then, as each wait gives a handler new time.
local WAITING = {
  function(room) room:send("x", { timeout = 0.01 }) end,
  nap,
  function() corolua.wait(function() return math.random(3) == 1 end, 0.01) end,
  function() corolua.spawn(burn, 100):wait(1) end,
}
local WAITING_EVERY = 20000

-- Half of the handlers go on until they are cut.
local function handle(room, payload)
  if payload ~= "go" then return end
  local is_endless = math.random(2) == 1
  while is_endless do
    room:try_send("x")
    begin(burn, 1)
  end
  for _ = 1, math.random(50000) do
    local actions = math.random(WAITING_EVERY) == 1 and WAITING or BUSY
    actions[math.random(#actions)](room)
  end
end

local function open_room(node, name, options)
  local room = node:group(name, options)
  function room.on.message(payload) handle(room, payload) end
  assert(room:join())
  return room
end

-- A message of the room's own comes back to it.
local function is_alive(room)
  local heard = corolua.condition()
  function room.on.message(payload) if payload == tostring(room.me) then heard:notify() end end
  local sent, why = room:send(tostring(room.me), { timeout = HURRY })
  if not sent then return false, why end
  local ok
  ok, why = heard:wait(HURRY)
  return ok, why
end

local function fail(...)
  problems[#problems + 1] = string.format(...)
end

local function check(rooms)
  for _, room in ipairs(rooms) do
    local ok, why = is_alive(room)
    local state = room:stats().state
    if not ok or state ~= "joined" then fail("%s is %s: %s", room.name, state, why) end
  end
  local function all_done()
    while tasks[1] and tasks[#tasks]:is_done() do tasks[#tasks] = nil end
    return #tasks == 0
  end
  if not corolua.wait(all_done, HURRY) then fail("%d tasks are left", #tasks) end
end

local function soak(seed, seconds, nodes)
  math.randomseed(seed)
  local cluster <close> = assert(lab.start({ nodes = nodes }))
  local rooms = {}
  for i = 1, nodes do
    rooms[#rooms + 1] = open_room(cluster[i], "raw", { window = 4 })
    rooms[#rooms + 1] = open_room(cluster[i], "packed", { packed = true, window = 4 })
  end
  local ends, begun = corolua.now() + seconds, 0
  while corolua.now() < ends do
    rooms[math.random(#rooms)]:send("go", { timeout = 1 })
    corolua.sleep(math.random() / 50)
    -- Those that are done need not be kept.
    for i = #tasks, 1, -1 do
      if tasks[i]:is_done() then
        tasks[i] = tasks[#tasks]
        tasks[#tasks] = nil
        begun = begun + 1
      end
    end
  end
  check(rooms)
  for _, problem in ipairs(problems) do print(problem) end
  print(("seed %d: %d handlers cut, %d tasks, %d problems"):format(seed, cuts, begun, #problems))
  os.exit(#problems == 0)
end

local function fill()
  local cluster <close> = assert(lab.start({ nodes = 1 }))
  local room <close> = cluster[1]:group("memory")
  local kept = {}
  function room.on.message(payload)
    for i = 1, 20 do kept[#kept + 1] = { payload .. i } end
  end
  assert(room:join())
  corolua.every(0.001, function()
    corolua.spawn(function()
      corolua.sleep(0.01)
      kept[#kept + 1] = {}
    end)
  end)
  repeat until not room:send(("x"):rep(math.random(1000)))
  corolua.sleep(60)
end

if arg[1] == "memory" then
  fill()
else
  soak(tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]))
end
