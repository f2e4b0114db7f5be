local lfs = require("lfs")
local scheduler = require("corolua.task.scheduler")
local support = require("spec.support")

local function each_file(folder, pattern, tell)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if lfs.attributes(path, "mode") == "directory" then
      if not name:find("^%.") then each_file(path, pattern, tell) end
    elseif name:find(pattern) then
      local file <close> = assert(io.open(path))
      tell(path, file:read("a"))
    end
  end
end

describe("scheduler.random", function()
  it("gives so many bytes, others each time", function()
    for _, count in ipairs({ 1, 8, 1024, 100000 }) do
      assert.equal(count, #scheduler.random(count))
    end
    local seen = {}
    for _ = 1, 1000 do
      local bytes = scheduler.random(8)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end)

  it("gives integers of all 64 bits", function()
    local any, all = 0, -1
    for _ = 1, 200 do
      local nonce = scheduler.nonce()
      assert.equal("integer", math.type(nonce))
      any, all = any | nonce, all & nonce
    end
    assert.equal(-1, any)
    assert.equal(0, all)
  end)

  it("is not moved by the seed of a script", function()
    math.randomseed(1)
    local first = scheduler.nonce()
    math.randomseed(1)
    assert.not_equal(first, scheduler.nonce())
  end)

  it("says that the system gives none", function()
    local pipe <close> = assert(io.popen(([[ulimit -n 64; '%s' -e '
      local scheduler, files = require("corolua.task.scheduler"), {}
      local function take() return io.open("/dev/null") end
      for file in take do files[#files + 1] = file end
      print(pcall(scheduler.random, 8))' 2>&1]]):format(support.program)))
    assert.matches("^false\t.*the system gives no random bytes: /dev/urandom: Too many open",
      pipe:read("a"))
  end)

  it("is the one place that draws", function()
    local sources = {}
    local function look(path, text)
      if text:find("urandom", 1, true) or text:find("getrandom", 1, true)
        or text:find("math.random", 1, true) then
        sources[#sources + 1] = path
      end
    end
    each_file("lua", "%.lua$", look)
    each_file("bindings", "%.[ch]$", look)
    each_file("host", "%.[ch]$", look)
    assert.same({ "lua/corolua/base/random.lua" }, sources)
  end)
end)
