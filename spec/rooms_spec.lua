-- Not sanitized: it reads sources.
-- The rooms of lua/ and which of them may know of which: what each file
-- requires, against one table.
local files = require("spec.support.files")

-- What stands below a room: it may require that, and nothing else.
local BELOW = {
  base = "", task = "base", journal = "base task", daemon = "base task",
  group = "base task daemon trace", service = "base task daemon group",
  rpc = "base task daemon group service", election = "base task daemon group service",
  replica = "base task daemon group service journal",
  lab = "base task daemon group service rpc election replica journal trace",
  cli = "base task daemon group service rpc election replica journal lab trace check draw",
  check = "base", draw = "base check", trace = "base",
  sim = "base task daemon group service rpc election replica journal",
  init = "base task daemon group", -- the module `corolua` itself
}

-- These are entered by the door, corolua/<room>.lua; what stands in the folder is
-- for the room alone.
local CLOSED = { group = true, rpc = true, election = true, replica = true }

-- Modules in C that one room has to itself.
local OWN = {
  loop = "task", worker = "daemon", packing = "group", net = "lab", switch = "lab",
}

local function room_of(path) return path:match("^corolua/([%w_]+)[/.]") end

-- The modules of ours that a file requires, wherever in it.
local function requires(path)
  local list = {}
  for _, line in ipairs(files.lines("lua/" .. path)) do
    if not line:match("^%s*%-%-") then
      for name in line:gmatch("require[%s(]*[\"']corolua%.?([%w_.]*)[\"']") do
        list[#list + 1] = name == "" and "init" or name
      end
    end
  end
  return list
end

local sources, paths = {}, {}
for _, path in ipairs(files.below("lua")) do
  if path:match("^corolua/.*%.lua$") then
    sources[#sources + 1] = path
    paths[path:match("^corolua/(.*)%.lua$"):gsub("/", ".")] = path
  end
end

-- What is wrong with one file requiring one module, or nil.
local function judge(room, name)
  local owner = OWN[name]
  if owner then return owner ~= room and "only " .. owner .. " may" or nil end
  if not paths[name] then return nil end -- other modules in C
  local other = room_of(paths[name])
  if other == room then return nil end
  if not (" " .. BELOW[room] .. " "):find(" " .. other .. " ", 1, true) then
    return other .. " does not stand below " .. room
  elseif CLOSED[other] and name ~= other then
    return "its door is corolua." .. other
  end
end

describe("the rooms of lua/", function()
  it("are all in the table", function()
    local unknown = {}
    for _, path in ipairs(sources) do
      if not BELOW[room_of(path)] then table.insert(unknown, path) end
    end
    assert.same({}, unknown)
  end)

  it("know of nothing but what stands below them", function()
    local wrong, count = {}, 0
    for _, path in ipairs(sources) do
      for _, name in ipairs(requires(path)) do
        local why = judge(room_of(path), name)
        count = count + 1
        if why then table.insert(wrong, ("%s requires %s: %s"):format(path, name, why)) end
      end
    end
    assert.same({}, wrong)
    assert.is_true(count > 300)
  end)

  it("have no circle", function()
    local state, circles = {}, {}
    local function visit(path, trail)
      if state[path] == "done" then return end
      trail = trail .. " > " .. path
      if state[path] then
        table.insert(circles, trail)
        return
      end
      state[path] = "open"
      for _, name in ipairs(requires(path)) do
        if paths[name] then visit(paths[name], trail) end
      end
      state[path] = "done"
    end
    for _, path in ipairs(sources) do visit(path, "") end
    assert.same({}, circles)
  end)

  it("leave the fields of a group to its room", function()
    local wrong = {}
    for _, path in ipairs(sources) do
      for number, line in ipairs(files.lines("lua/" .. path)) do
        local field = line:match("%f[%w_]room%.([%w_]+)%s*=[^=]")
          or line:match("%.group%.([%w_]+)%s*=[^=]")
        if field and room_of(path) ~= "group" then
          table.insert(wrong, ("%s:%d writes %s"):format(path, number, field))
        end
      end
    end
    assert.same({}, wrong)
  end)
end)
