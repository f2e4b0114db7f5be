local journal = require("corolua.journal")
local journals = require("spec.support.journals")
local lab = require("corolua.lab")
local lfs = require("lfs")
local support = require("spec.support")

-- The descriptors of a process that prints them, with what they are, by number;
-- without those that it opens to look.
local LIST = "ls -l /proc/self/fd"

local function numbers(text)
  local found = {}
  for number, what in text:gmatch(" (%d+) %-> ([^\n]*)") do
    if not what:find("^/proc/") then found[math.tointeger(tonumber(number))] = what end
  end
  return found
end

local function own()
  local found = {}
  for name in lfs.dir("/proc/self/fd") do
    local number = math.tointeger(tonumber(name))
    if number then found[number] = lfs.symlinkattributes("/proc/self/fd/" .. name, "target") end
  end
  return found
end

local function popen()
  local pipe <close> = assert(io.popen(LIST))
  return numbers(pipe:read("a"))
end

describe("a child of the program", function()
  local folder

  before_each(function() folder = journals.folder() end)

  after_each(function() journals.remove(folder) end)

  it("that runs another program has none of the program's descriptors", function()
    local before = popen()
    local cluster <close> = assert(lab.start({ nodes = 2 }))
    local book = assert(journal.open(folder))
    local room = cluster[1]:group("lives")
    local packed = cluster[2]:group("lives of packed", { packed = true })
    assert(room:join())
    assert(packed:join())
    local handles = {}
    for _, name in ipairs({ "cpg", "votequorum", "quorum", "cfg" }) do
      handles[#handles + 1] = assert(cluster[1]:thin(name, {}))
    end
    handles[#handles + 1] = assert(cluster[1]:thin("cmap", "icmap"))
    local open, count = own(), 0
    for number in pairs(open) do if not before[number] then count = count + 1 end end
    assert.is_true(count > 20, "there is something to inherit")

    local output = os.tmpname()
    local ways = {
      popen = popen,
      execute = function()
        assert(os.execute(("%s > %s"):format(LIST, output)))
        return numbers(journals.read(output))
      end,
      tool = function() return numbers(assert(cluster[1]:tool("sh", "-c", LIST)).output) end,
    }
    for way, list in pairs(ways) do
      for number, what in pairs(list()) do
        local is_given = number < 3 or before[number] == what
        assert.is_true(is_given, ("%s: %d is %s"):format(way, number, what))
      end
    end
    os.remove(output)
    for _, handle in ipairs(handles) do handle:finalize() end
    assert(book:close())
  end)

  it("that is made by fork alone disturbs nothing that its parent has open", function()
    local output = journals.run("", journals.read("spec/support/forker.lua"),
      ("%s/spec %s"):format(support.build, folder))
    -- Without the lines of tracebacks, and where it was.
    output = output:gsub("stack traceback:\n", ""):gsub("\t[^\n]* in [^\n]*\n", "")
      :gsub("\t%(%.%.%.tail calls%.%.%.%)\n", ""):gsub("[^ ]+%.lua:%d+: ", "")
    assert.equal([[
exits_in_c	exit	3
exits	exit	4
collects	exit	5
finalizes	exit	6
uses_it	exit	7
corolua: on purpose
raises	exit	1
corolua: the loop is of the process that forked
waits	exit	1
corolua: a child made by fork must end by os.exit or run another program: the loop is its parent's
goes_on	exit	1
closes_the_lab	exit	8
ECHILD
ECHILD
kills	exit	9
terminated	exit	143
done
]], output)
  end)

  it("that is made by fork alone loads libraries of its own", function()
    local cluster <close> = assert(lab.start({ nodes = 1 }))
    local result = assert(cluster[1]:tool(support.program, "spec/support/late_library.lua",
      support.build .. "/spec"))
    assert.equal("exit\t3\n", result.output)
  end)
end)

describe("a full /dev/shm", function()
  it("is told by what connects, and disturbs nothing that runs", function()
    local output = journals.run("", journals.read("spec/support/crowded.lua"), "")
    local calls = { cpg = "cpg_model_initialize", votequorum = "votequorum_initialize",
      quorum = "quorum_model_initialize", cfg = "corosync_cfg_initialize",
      cmap = "cmap_initialize_map" }
    for name, call in pairs(calls) do
      assert.matches(("%s\t%s: no space (is /dev/shm full?)\tERR_NO_SPACE\n"):format(name, call),
        output, 1, true)
    end
    assert.matches("join\tcpg_model_initialize: no space %(is /dev/shm full%?%)\tERR_NO_SPACE\n"
      .. "downs\t0\nsend\tERR_LIBRARY\nup without room\t0\njoin\ttrue\n$", output)
  end)
end)
