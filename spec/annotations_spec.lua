-- Not sanitized: it compares names.
-- What editors and people are told of the functions in Lua that scripts call:
-- every argument, what they return, by its class, and which error codes.
local files = require("spec.support.files")

-- Where the functions are that scripts call: modules, and methods of what these
-- make. Those in C are in lua/meta, and spec/meta_spec.lua sees to them.
local PUBLIC = {
  "init", "group", "rpc", "election", "replica", "journal", "lab", "trace",
  "task/scheduler", "task/timers", "task/waits", "task/condition",
  "check/linearizable", "check/total_order", "check/virtual_synchrony",
  "lab/faults", "lab/node", "lab/node_faults", "lab/thin_handles", "lab/process", "lab/nemesis",
  "lab/groups",
}

local function comment_above(lines, index)
  local first = index
  while first > 1 and lines[first - 1]:match("^%-%-") do first = first - 1 end
  return table.concat(lines, "\n", first, index - 1)
end

-- Whether a function that begins at this line returns a value: those in it that
-- stand over several lines are passed over, by their indentation.
local function returns_value(lines, index)
  local head = lines[index]
  if head:match(" end$") then return head:match("%f[%w]return%s+[^%s;]") ~= nil end
  local inner
  for i = index + 1, #lines do
    local line = lines[i]
    if line:match("^end") then return false end
    local indent = line:match("^ *")
    if inner then
      if indent == inner and line:match("^ *end") then inner = nil end
    elseif line:match("%f[%w]function%f[^%w][^)]*%)%s*$") then
      inner = indent
    elseif line:match("^ *return%s+[^%s]") or line:match("then return%s+[^%s]") then
      if not line:match("return end$") then return true end
    end
  end
end

-- The public functions of a file: name, line, arguments, and the comment above.
local function functions(path)
  local lines, found = files.lines(path), {}
  for i, line in ipairs(lines) do
    local name, arguments = line:match("^function ([%w_]+[.:][%w_]+)%((.-)%)")
    if name and not name:match("[.:]__") then
      table.insert(found, {
        name = ("%s:%d %s"):format(path, i, name), arguments = arguments,
        comment = comment_above(lines, i), returns = returns_value(lines, i),
        says_codes = not path:find("/lab/", 1, true), -- of faults docs/lab.md tells
      })
    end
  end
  return found
end

-- What is wrong with the comment of a function, added to the list.
local function judge(one, problems)
  local function add(text, ...) table.insert(problems, one.name .. " " .. text:format(...)) end
  local said = {}
  for name in one.comment:gmatch("%-%-%-@param ([%w_.]+)") do said[name] = true end
  for name in one.arguments:gmatch("[%w_.]+") do
    if not said[name] then add("does not say what %s is", name) end
    said[name] = nil
  end
  for name in pairs(said) do add("has no argument %s", name) end
  if not one.comment:match("^%-%-%- %S") then add("is not described") end
  if one.returns and not one.comment:find("---@return", 1, true) then
    add("does not say what it returns")
  end
  for tag, rest in one.comment:gmatch("%-%-%-@(%l+) ([^\n]*)") do
    if rest:find("%f[%w]table%f[^%w<]") then add("says 'table' of a @%s: name its class", tag) end
  end
  if one.says_codes and one.comment:find("string? code", 1, true)
    and not one.comment:find('"E[%u_]+"') then
    add("names none of its error codes")
  end
end

-- The names of our own classes in an annotation: the last word is capitalised.
local function classes_in(rest)
  return rest:gmatch("%f[%w_.](coro%l+[%w_.]*%.%u%w*)")
end

-- The fields of a class, sorted.
local function fields(path, class)
  local after = files.read(path):match("\n%-%-%-@class " .. class:gsub("%.", "%%.") .. "%f[%s](.*)")
  local list = {}
  for field in after:match("^.-\n\n"):gmatch("%-%-%-@field ([%w_]+)") do
    table.insert(list, field)
  end
  table.sort(list)
  return list
end

-- Where the handlers are that scripts set: their class, and what stands before
-- the list of the events that there are.
local HANDLERS = {
  { file = "group/inbox", class = "corolua.GroupHandlers", list = "inbox.kinds =" },
  { file = "election", class = "corolua.ElectionHandlers", list = "EVENTS =" },
  { file = "rpc", class = "corolua.RpcHandlers", list = "KINDS =" },
  { file = "replica", class = "corolua.ReplicaHandlers", list = "EVENTS =" },
  { file = "journal", class = "corolua.JournalHandlers", list = "EVENTS =" },
}

describe("annotations", function()
  for _, name in ipairs(PUBLIC) do
    local path = ("lua/corolua/%s.lua"):format(name)

    it("describe each public function of " .. path, function()
      local problems = {}
      for _, one in ipairs(functions(path)) do judge(one, problems) end
      assert.same({}, problems)
    end)
  end

  it("have each option of lab.start", function()
    assert.same(require("corolua.lab.options").names(),
      fields("lua/corolua/lab/options.lua", "corolua.lab.Options"))
  end)

  for _, one in ipairs(HANDLERS) do
    it("have each event of " .. one.class, function()
      local path, events = ("lua/corolua/%s.lua"):format(one.file), {}
      for event in files.read(path):match(one.list .. " *{(.-)}"):gmatch('"([%w_]+)"') do
        table.insert(events, event)
      end
      table.sort(events)
      assert.same(events, fields(path, one.class))
    end)
  end

  local FIGURES = { stats = true, status = true, state = true }

  it("have a class for figures, for how things stand, and for handlers", function()
    local count = 0
    for _, name in ipairs(PUBLIC) do
      local path = ("lua/corolua/%s.lua"):format(name)
      for _, one in ipairs(functions(path)) do
        if FIGURES[one.name:match("methods:(%l+)$")] then
          assert.matches("%-%-%-@return corolua%.[%w_.]+", one.comment, nil, nil, one.name)
          count = count + 1
        end
      end
      for class in files.read(path):gmatch("%-%-%-@field on ([^\n]+)") do
        assert.matches("^corolua%.[%w_.]+", class, nil, nil, path)
        count = count + 1
      end
    end
    assert.is_true(count > 8)
  end)

  it("have each event of corolua.Handlers", function()
    local events = {}
    local list = files.read("lua/corolua/init.lua"):match("setters = {(.-)\n}")
    for event in list:gmatch("\n  (%l+) =") do
      table.insert(events, event)
    end
    table.sort(events)
    assert.same(events, fields("lua/corolua/init.lua", "corolua.Handlers"))
  end)

  it("say in one place what a class has", function()
    local places, twice = {}, {}
    for _, path in ipairs(files.below("lua")) do
      local text = files.read("lua/" .. path)
      for class in text:gmatch("%-%-%-@class ([%w_.]+)[^\n]*\n%-%-%-@field") do
        if places[class] then twice[class] = path .. " and " .. places[class] end
        places[class] = path
      end
    end
    assert.same({}, twice)
  end)

  it("name only classes that there are", function()
    local defined, used = {}, {}
    for _, path in ipairs(files.below("lua")) do
      path = "lua/" .. path
      for i, line in ipairs(files.lines(path)) do
        local tag, rest = line:match("^%s*%-%-%-@(%l+) +(.*)")
        if tag == "class" or tag == "alias" then defined[rest:match("^[%w_.]+")] = true end
        for class in classes_in(tag and rest or "") do
          used[class] = used[class] or ("%s:%d"):format(path, i)
        end
      end
    end
    local missing = {}
    for class, where in pairs(used) do
      if not defined[class] then table.insert(missing, where .. " names " .. class) end
    end
    assert.same({}, missing)
  end)
end)
