-- What judging a million events costs: corolua bench/check.lua [messages]
-- Five members, messages of 64 bytes, one ring: six events a message.
local check = require("corolua.check")

local messages = math.tointeger(arg[1] or 167000)
local path = os.tmpname()

local function write()
  local out = assert(io.open(path, "w"))
  local function line(...) out:write(string.format(...), "\n") end
  line('{"k":"run","v":1,"mono":0,"boot":"b","where":"lab","nodes":5,"token":300,"consensus":360}')
  local members = '"1/100","2/100","3/100","4/100","5/100"'
  for n = 1, 5 do
    line('{"k":"join","t":0,"h":%d,"n":%d,"p":100,"g":"g","packed":false}', n, n)
    line('{"k":"conf","t":0,"h":%d,"members":[%s],"left":[],"joined":[["%d/100","join"]]}', n,
      members, n)
    line('{"k":"ring","t":0,"h":%d,"ring":"1.5","nodes":[1,2,3,4,5]}', n)
  end
  for i = 1, messages do
    local sender = i % 5 + 1
    local hash = ("%013x"):format((i * 0x9e3779b97f4a7c15) >> 12)
    line('{"k":"send","t":%d,"h":%d,"m":%d,"x":"%s","b":64}', i, sender, (i + 4) // 5, hash)
    for n = 1, 5 do
      line('{"k":"recv","t":%d,"h":%d,"f":"%d/100","x":"%s","b":64}', i, n, sender, hash)
    end
  end
  line('{"k":"stop","t":%d,"settled":true,"dropped":0}', messages)
  assert(out:close())
end

write()
local start = os.clock()
local verdict = assert(check.file(path))
local seconds = os.clock() - start
os.remove(path)
local status <close> = assert(io.open("/proc/self/status"))
print(verdict.sentence)
print(("%d events, %.2f s of CPU, %.0f MB"):format(verdict.counts.events, seconds,
  status:read("a"):match("VmHWM:%s*(%d+)") / 1000))
