local lfs = require("lfs")
local blocks = dofile("tools/blocks.lua")

-- What a command begins with, where it stands within a line.
local PROGRAMS = {
  ["build/corolua"] = true, corolua = true, sudo = true, ["apt-get"] = true, cmake = true,
  ["lua5.4"] = true, man = true, git = true, systemctl = true,
}

local function is_command(text)
  local first = text:match("^%S+")
  return (PROGRAMS[first] and text:find(" ", 1, true) or first:match("^tools/")) and true or false
end

local function each_folder(text, add)
  for folder in text:gmatch("`(examples/%w+)`") do
    local names = {}
    for name in lfs.dir(folder) do names[#names + 1] = name:match("^.*%.lua$") end
    table.sort(names)
    for _, name in ipairs(names) do add(folder .. "/" .. name, true) end
  end
end

-- Every example that README names, and how it says it is run.
local function examples_of(text)
  local commands = {}
  local function add(path, starts_lab)
    local needs_lab = blocks.read(path):find('require("corolua.lab")', 1, true)
    if needs_lab then
      commands["build/corolua " .. path] = true
    elseif not starts_lab then
      commands["build/corolua lab " .. path] = true
    end
  end
  local section = text:match("\n## Examples\n(.-)\n## ")
  for path in section:gmatch("%]%((examples/[%w_]+%.lua)%)") do add(path) end
  each_folder(section, add)
  return commands
end

local function commands_of(text)
  local commands = examples_of(text)
  for block in text:gmatch("```sh\n(.-)```") do
    block = block:gsub(" *\\\n *", " ")
    for line in block:gmatch("[^\n]+") do commands[line] = true end
  end
  for code in text:gsub("```.-```", ""):gmatch("`([^`\n]+)`") do
    if is_command(code) then commands[code] = true end
  end
  return commands
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

describe("README.md", function()
  local text = blocks.read("README.md")
  local listed = {}
  for line in io.lines("tools/readme-commands") do listed[line] = true end

  it("names the commands that tools/newcomer runs, and no others", function()
    assert.same(sorted(listed), sorted(commands_of(text)))
  end)

  it("names the packages that tools/demo installs", function()
    local variable = blocks.read("tools/common.sh"):match('packages_build="(.-)"')
    local named = text:match("sudo apt%-get install (.-)\n%l*%s*cmake %-B")
    local function words(list)
      local set = {}
      for word in list:gmatch("[%w%-%.]+") do set[word] = true end
      return sorted(set)
    end
    assert.same(words(variable), words(named))
  end)

  it("is read for commands wherever they stand", function()
    local found = commands_of("a `tools/x` b `corolua y z` and `corolua` alone, `room.on`\n"
      .. "```sh\none \\\n  two\nthree\n```\n## Examples\n\n[chat](examples/chat.lua)\n## X\n")
    assert.same({ "build/corolua lab examples/chat.lua", "corolua y z", "one two", "three",
      "tools/x" }, sorted(found))
  end)
end)
