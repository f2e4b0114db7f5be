-- The twin of reference.c on corolua.rpc: one process asks, another one of the
-- same node answers with what it was asked.

local corolua = require("corolua")
local rpc = require("corolua.rpc")

local modes = {}

local function own_pid()
  local file <close> = assert(io.open("/proc/self/stat"))
  return file:read("n")
end

-- Answers until the one that asks has left.
function modes.serve(pid)
  local service = assert(rpc.open("bench", { echo = function(value) return value end },
    { codec = "string" }))
  function service.on.members(view)
    for _, change in ipairs(view.left) do
      if change.member.pid == math.tointeger(pid) then corolua.stop() end
    end
  end
end

local function start_server()
  return assert(io.popen(("exec '%s' '%s' serve %d"):format(arg[-1], arg[0], own_pid())))
end

local function ask(service, size, seconds)
  local payload, times = ("x"):rep(size), {}
  local to = assert(corolua.wait(function()
    for _, member in ipairs(service.group.members) do
      if member ~= service.group.me then return member end
    end
  end, 10))
  local given, start = { to = to }, corolua.now()
  local finish = start + seconds
  while start < finish do
    assert(#assert(service:call("echo", payload, given)) == #payload)
    local now = corolua.now()
    times[#times + 1], start = now - start, now
  end
  return times
end

function modes.request(size, seconds)
  local server <close> = start_server()
  local service <close> = assert(rpc.open("bench", nil, { codec = "string" }))
  local times = ask(service, size, tonumber(seconds))
  assert(service:close())
  table.sort(times)
  local count = #times
  local p50, p99 = times[count // 2 + 1], times[count * 99 // 100 + 1]
  print(("messages=%d p50=%.2f p99=%.2f"):format(count, p50 * 1e6, p99 * 1e6))
  server:read("a")
end

modes[arg[1]](table.unpack(arg, 2))
