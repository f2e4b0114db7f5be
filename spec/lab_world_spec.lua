local lfs = require("lfs")
local support = require("spec.support")

local FOLDER = "lua/corolua/lab"

-- What meets the machine, beside the choice itself.
local REAL = { "sandbox", "network", "daemon", "process", "files", "explain", "features" }
local MACHINE = {
  "lfs", "corolua%.sys", "corolua%.net", "corolua%.switch", "corolua%.worker",
  "corolua%.task%.process", "corolua%.base%.random",
}
local CALLS = { "io%.popen", "os%.execute", "/proc/", "/dev/" }

local is_real = { world = true }
for _, name in ipairs(REAL) do
  is_real[name] = true
  MACHINE[#MACHINE + 1] = "corolua%.lab%." .. name
end

local function slurp(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function findings(path)
  local found, text = {}, slurp(path):gsub("%-%-[^\n]*", "")
  for _, name in ipairs(MACHINE) do
    if text:find('require%("' .. name .. '"%)') then found[#found + 1] = path .. ": " .. name end
  end
  for _, call in ipairs(CALLS) do
    if text:find(call) then found[#found + 1] = path .. ": " .. call end
  end
  return found
end

-- The names that the head of the file documents, by what offers them.
local function documented()
  local names, of = {}, nil
  for line in slurp(FOLDER .. "/world.lua"):gmatch("%-%-%-     ([^\n]+)") do
    local what, list = line:match("^ *([%l ]+): (.*)")
    if what then
      of = what
      names[of] = {}
    end
    for name in (list or line):gsub("%b()", ""):gmatch("[%w_]+") do
      table.insert(names[of], name)
    end
  end
  return names
end

-- Runs a lab on a world that offers just these names, and raises on others.
local SCRIPT = [[
  local names = %s
  local real = require("corolua.lab.world")
  for name in pairs(package.loaded) do
    if name:find("^corolua%%.lab") then package.loaded[name] = nil end
  end
  local function only(object, what)
    local known = {}
    for _, name in ipairs(names[what]) do known[name] = true end
    local function check(name) assert(known[name], what .. " has no documented " .. name) end
    return setmetatable({}, {
      __index = function(_, name)
        check(name)
        local value = object[name]
        if type(value) ~= "function" then return value end
        return function(self, ...)
          if getmetatable(self) and getmetatable(self).object == object then self = object end
          return value(self, ...)
        end
      end,
      __newindex = function(_, name, value)
        check(name)
        object[name] = value
      end,
      object = object,
    })
  end
  local world = {}
  for name in pairs(real) do world[name] = only(real[name], name) end
  world.network = { number = real.network.number, build = function(config)
    local made, why, code = real.network.build(config)
    if not made then return nil, why, code end
    local shown = only(made, "a network")
    made.switch = only(made.switch, "its switch")
    local close = made.close
    function made.close(...)
      made.switch = getmetatable(made.switch).object
      return close(...)
    end
    return shown
  end }
  world.daemon = { features = real.daemon.features, new = function(...)
    return only(real.daemon.new(...), "a daemon")
  end }
  package.preload["corolua.lab.world"] = function() return world end

  local cluster = assert(require("corolua.lab").start({ nodes = 3, keep = %q }))
  local room = cluster[1]:group("g")
  assert(room:join())
  assert(cluster:partition({ { 1 }, { 2, 3 } }))
  assert(cluster:settle())
  assert(cluster:counters())
  assert(cluster:heal())
  assert(cluster[3]:unplug() and cluster[3]:plug())
  assert(cluster[3]:pause() and cluster[3]:resume())
  cluster[3]:kill()
  assert(cluster[3]:start() and cluster[2]:restart() and cluster:settle())
  assert(cluster[2]:tool("true").status == 0)
  assert(assert(cluster[2]:run("-e", "print(1)")):wait() == 0)
  cluster:close()
  print("all of it")
]]

local function as_source(names)
  local parts = {}
  for what, list in pairs(names) do
    parts[#parts + 1] = ('["%s"] = { "%s" }'):format(what, table.concat(list, '", "'))
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

describe("the world of the lab", function()
  it("is the only way to the machine for all else in the lab", function()
    local found = findings("lua/corolua/lab.lua")
    for name in lfs.dir(FOLDER) do
      local module = name:match("^(.*)%.lua$")
      if module and not is_real[module] then
        local more = findings(FOLDER .. "/" .. name)
        table.move(more, 1, #more, #found + 1, found)
      end
    end
    assert.same({}, found)
  end)

  it("has to offer what is documented, and nothing else", function()
    local kept = os.tmpname()
    os.remove(kept)
    local names = documented()
    assert.same({ "build", "number" }, names.network)
    assert.same("last_words", names["a daemon"][#names["a daemon"]])
    local pipe <close> = assert(io.popen(("'%s' - 2>&1 <<'END'\n%s\nEND")
      :format(support.program, SCRIPT:format(as_source(names), kept))))
    assert.same("all of it\n", pipe:read("a"))
    require("corolua.lab.files").remove(kept)
  end)
end)
