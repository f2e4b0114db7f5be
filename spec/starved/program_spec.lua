-- A program that finds no memory once, wherever that is: it ends with its
-- script's result or with status 1 and a sentence. Run by tools/starved.
local support = require("spec.support")

-- Events of all kinds, and an error in one of them.
local SCRIPT = [[
  local corolua = require("corolua")
  local loop = require("corolua.loop")
  local sys = require("corolua.sys")
  local reading, writing = assert(sys.pipe())
  local told
  local watch = assert(loop.fd(reading:fileno(), "r", function(events)
    told = events
    assert(reading:read() == "x")
  end))
  local timer = loop.timer(0, function() assert(writing:write("x")) end)
  if ARM then require("fail_allocation")(ARM) end
  assert(corolua.wait(function() return told end, 5))
  watch:cancel()
  loop.timer(0, function() error("raised") end)
  corolua.sleep(5)]]

-- How it ended is the last line.
local function run(environment, arm)
  local pipe <close> = assert(io.popen(
    ("%s timeout -k 1 20 '%s' - 2>&1 <<'EOT'; echo $?\nlocal ARM = %s\n%s\nEOT"):format(environment,
      support.program, arm or "nil", SCRIPT)))
  return pipe:read("a"):match("^(.*)\n(%d+)\n$")
end

local function expect_end(n, output, status)
  assert.equal("1", status, n .. ": " .. output)
  assert.is_nil(output:find("PANIC", 1, true) or output:find("Sanitizer", 1, true), output)
  local why = output:find("raised", 1, true) or output:find("memory", 1, true)
    or output:find("error in error handling", 1, true)
  assert.is_truthy(why, n .. ": " .. output)
end

describe("a program without memory", function()
  it("ends in good order wherever the loop misses it", function()
    for n = 1, 120 do expect_end(n, run("", n)) end
  end)

  it("ends in good order wherever its start misses it", function()
    local n, count = 1, 0
    repeat
      local output, status = run("COROLUA_FAIL_ALLOC=" .. n)
      expect_end(n, output, status)
      local enough = output:find("raised", 1, true) and not output:find("memory", 1, true)
      n = n + math.max(1, n // 24)
      count = count + 1
    until enough and n > 4000
    assert.is_true(count > 100, count)
  end)
end)
