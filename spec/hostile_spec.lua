-- Members that send random bytes, old and changed frames, those of other services
-- and right ones with anything in them, a thousand a second each, while they come,
-- leave and are killed. bench/hostile_soak.lua does the same for longer.
local lab = require("corolua.lab")
local hostile = require("spec.support.hostile")

local SECONDS, SIDE_BY_SIDE = 5, 2

describe("groups, calls, elections and replicas", function()
  it("survive strangers, and are alike and at work once these have left", function()
    local seed = os.time()
    local folder = os.tmpname()
    os.remove(folder)
    local cluster <close> = assert(lab.start({ nodes = 3 }))
    local siege = hostile.open(cluster, folder, seed)
    siege:attack(SECONDS, SIDE_BY_SIDE)
    local wrong = siege:check()
    os.execute("rm -rf '" .. folder .. "'")
    assert(#wrong == 0, ("seed %d: %s"):format(seed, table.concat(wrong, "\n", 1,
      math.min(#wrong, 20))))
  end)
end)
