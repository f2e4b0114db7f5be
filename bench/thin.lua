-- The twin of reference.c on the thin module corosync.cpg: the same modes,
-- arguments and lines.

local cpg = require("corosync.cpg")
local now = require("corolua.loop").now

local sent, delivered = 0, 0
local me -- our own member object, once we have joined

local function first_number(path)
  local file <close> = assert(io.open(path))
  return file:read("n")
end

local function on_deliver(_, _, _, from)
  if from == me then delivered = delivered + 1 end
end

local function on_confchg(handle, _, _, _, joined)
  local nodeid, pid = handle:local_get(), first_number("/proc/self/stat")
  for _, change in ipairs(joined) do
    local member = change.member
    if member.nodeid == nodeid and member.pid == pid then me = member end
  end
end

-- Takes all messages there are, and waits only if there was none.
local function dispatch(handle)
  local before = delivered
  assert(handle:dispatch("all"))
  if delivered == before then assert(handle:dispatch("one")) end
end

local function open_group()
  local handle = assert(cpg.initialize({ deliver = on_deliver, confchg = on_confchg }))
  assert(handle:join("bench"))
  while not me do assert(handle:dispatch("one")) end
  return handle
end

-- False where the daemon wants the sender to come again.
local function send(handle, payload)
  local ok, why, code = handle:mcast_joined(payload)
  if not ok then
    assert(code == "ERR_TRY_AGAIN", why)
    return false
  end
  sent = sent + 1
  return true
end

local modes = {}

function modes.throughput(handle, size, window, seconds)
  local payload = string.rep("x", size)
  window, seconds = tonumber(window), tonumber(seconds)
  local start, cpu = now(), os.clock()
  while now() - start < seconds do
    while sent - delivered < window and send(handle, payload) do end
    if sent > delivered then dispatch(handle) end
  end
  print(("messages=%d seconds=%.6f cpu=%.6f"):format(delivered, now() - start, os.clock() - cpu))
end

function modes.roundtrip(handle, size, seconds)
  local payload = string.rep("x", size)
  local start, times = now(), {}
  local finish = start + seconds
  while start < finish do
    while not send(handle, payload) do end
    while delivered < sent do assert(handle:dispatch("one")) end
    times[#times + 1] = now() - start
    start = start + times[#times]
  end
  table.sort(times)
  local count = #times
  local p50, p99 = times[count // 2 + 1], times[count * 99 // 100 + 1]
  print(("messages=%d p50=%.2f p99=%.2f"):format(count, p50 * 1e6, p99 * 1e6))
end

-- Resident memory, in KiB.
function modes.idle()
  local status <close> = assert(io.open("/proc/self/status"))
  print("resident=" .. status:read("a"):match("VmRSS:%s*(%d+)"))
end

function modes.join()
  print(("joined=%.6f"):format(now() - tonumber(os.getenv("BENCH_START"))))
end

local handle <close> = open_group()
modes[arg[1]](handle, table.unpack(arg, 2))
