-- What a slip in a name gives, and who writes the fields of a group: no daemon.
local corolua = require("corolua")
local files = require("spec.support.files")
local lfs = require("lfs")

local raises = require("spec.support").raises

describe("a group", function()
  local room

  before_each(function() room = corolua.group("tea") end)

  it("says which handler is to be set where one is set beside `on`", function()
    raises("a group has no 'on_message': its handler is set as object%.on%.message = function$",
      function() room.on_message = print end)
    raises("a group has no 'message': its handler is set as object%.on%.message = function$",
      function() room.message = print end)
    raises("'on' is no function: set object%.on%.message = function$",
      function() room:on("message", print) end)
  end)

  it("names the nearest of what it has where it has not what is read or written", function()
    raises("a group has no 'jion', did you mean 'join'%?$", function() room:jion() end)
    raises("a group has no 'member', did you mean 'members'%?$", function() return #room.member end)
    raises("a group has no 'name_', did you mean 'name'%?$", function() room.name_ = "x" end)
    raises("a group has no 'colour': a script's own fields are not kept in it$",
      function() room.colour = "red" end)
  end)

  it("has nothing where only an event could have put something, nor at a number", function()
    assert.is_nil(room.me)
    assert.is_nil(room.view)
    assert.is_nil(room.members)
    assert.is_nil(room[1])
    raises("a group has no '1'", function() room[1] = "x" end)
  end)

  for _, method in ipairs({ "join", "leave", "send", "try_send", "next", "events", "stats",
    "wait_members" }) do
    it("says that " .. method .. " is called with a colon", function()
      local pattern = ("%s: call it with a colon, on a group: object:%s%%(%%.%%.%%.%%)$")
        :format(method, method)
      raises(pattern, function() room[method]() end)
      raises(pattern, function() room[method]("x") end)
    end)
  end
end)

local BEGINNINGS = { ["then"] = true, ["else"] = true, ["do"] = true }

-- The names that a statement on a line gives values to: "room.view" and others.
local function targets(line)
  local list = {}
  for stop in line:gmatch("()%s=%s") do
    local names, left = {}, line:sub(1, stop - 1)
    repeat
      local before, name = left:match("^(.-)([%w_%.]+)$")
      names[#names + 1] = name
      left = before or ""
      local comma = left:match("^(.*),%s*$")
      left = comma or left
    until not comma
    local word = left:match("([%w_%)]*)%s*$")
    if left:find("^%s*$") or BEGINNINGS[word] or word:find("%)$") then
      table.move(names, 1, #names, #list + 1, list)
    end
  end
  return list
end

-- The fields of groups that a file writes.
local function written(path)
  local found = {}
  for _, line in ipairs(files.lines(path)) do
    for _, name in ipairs(targets(line)) do
      local owner, field = name:match("([%w_]+)%.([%w_]+)$")
      if owner == "room" or owner == "group" and name:find("^self") then found[field] = true end
    end
  end
  return found
end

local function each_file(folder, fn)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:sub(1, 1) == "." then -- luacheck: ignore 542
    elseif lfs.attributes(path, "mode") == "directory" then
      each_file(path, fn)
    elseif name:find("%.lua$") then
      fn(path)
    end
  end
end

describe("a field of a group", function()
  -- The file that writes each, as its class says; false where that is the door.
  local function declared()
    local text, writers = files.read("lua/corolua/group.lua"), {}
    local class = text:match("%-%-%-@class corolua%.Group\n(.-)\nlocal")
    class = class:gsub("@field private", "@field")
    for line in (class .. "\n"):gmatch("([^\n]*)\n") do
      writers[line:match("^%-%-%-@field ([%w_]+)")] = line:match("%(([%w_]+)%)$") or false
    end
    writers.me, writers.view, writers.members = "connection", "inbox", "inbox"
    return writers
  end

  it("is declared, and is there from the beginning, but for what may be nil", function()
    local writers, room = declared(), corolua.group("tea")
    for field in pairs(room) do assert.is_not_nil(writers[field], field .. " is not declared") end
    for field in pairs(writers) do
      local may_be_nil = field == "me" or field == "view" or field == "members"
      assert.equal(may_be_nil, rawget(room, field) == nil, field)
    end
  end)

  it("is written in the file that its class names, and nowhere else", function()
    local writers, found = declared(), {}
    each_file("lua/corolua", function(path)
      for field in pairs(written(path)) do
        local writer = writers[field]
        assert.equal(writer and ("lua/corolua/group/%s.lua"):format(writer), path,
          ("'%s' is written in %s"):format(field, path))
        found[field] = true
      end
    end)
    for field, writer in pairs(writers) do
      assert.equal(writer ~= false, found[field] or false, field)
    end
  end)
end)
