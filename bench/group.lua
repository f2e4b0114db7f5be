-- The twin of reference.c on the comfortable layer: the same modes, arguments
-- and lines.

local corolua = require("corolua")

local modes = {}

local function open_group(window)
  local room = corolua.group("bench", { window = tonumber(window) })
  assert(room:join())
  return room
end

-- As the reference does, keeps the window full: each message that comes back
-- makes room for the next one.
function modes.throughput(size, window, seconds)
  local room <close> = open_group(window)
  local payload, delivered, running = ("x"):rep(size), 0, true
  function room.on.message()
    delivered = delivered + 1
    if running then assert(room:send(payload)) end
  end
  local start, cpu = corolua.now(), os.clock()
  for _ = 1, window do assert(room:send(payload)) end
  corolua.sleep(tonumber(seconds))
  running = false
  print(("messages=%d seconds=%.6f cpu=%.6f")
    :format(delivered, corolua.now() - start, os.clock() - cpu))
end

function modes.roundtrip(size, seconds)
  local room <close> = open_group()
  local payload, times, start = ("x"):rep(size), {}, nil
  local finish = corolua.now() + seconds
  local done = false
  function room.on.message()
    local now = corolua.now()
    times[#times + 1] = now - start
    start, done = now, now >= finish
    if not done then assert(room:send(payload)) end
  end
  start = corolua.now()
  assert(room:send(payload))
  assert(corolua.wait(function() return done end))
  table.sort(times)
  local count = #times
  local p50, p99 = times[count // 2 + 1], times[count * 99 // 100 + 1]
  print(("messages=%d p50=%.2f p99=%.2f"):format(count, p50 * 1e6, p99 * 1e6))
end

-- Resident memory, in KiB, with so many groups joined.
function modes.idle(groups)
  local _ <close> = open_group()
  for number = 2, tonumber(groups or 1) do
    assert(corolua.group("bench " .. number):join())
  end
  local status <close> = assert(io.open("/proc/self/status"))
  print("resident=" .. status:read("a"):match("VmRSS:%s*(%d+)"))
  corolua.stop() -- leaves all of them
end

function modes.join()
  local _ <close> = open_group()
  print(("joined=%.6f"):format(corolua.now() - tonumber(os.getenv("BENCH_START"))))
end

modes[arg[1]](table.unpack(arg, 2))
