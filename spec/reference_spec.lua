-- Not sanitized: it compares names.
-- docs/reference.md has every public name, and none that is not there: it is
-- written from the modules and their annotations, and compared with objects.
local corolua = require("corolua")
local codes = dofile("tools/codes.lua")
local election = require("corolua.election")
local files = require("spec.support.files")
local journal = require("corolua.journal")
local lab = require("corolua.lab")
local reference = dofile("tools/reference.lua")
local replica = require("corolua.replica")
local rpc = require("corolua.rpc")
local trace = require("corolua.trace")
local virtual_synchrony = require("corolua.check.virtual_synchrony")

local function sorted_keys(set)
  local list = {}
  for key in pairs(set) do table.insert(list, key) end
  table.sort(list)
  return list
end

-- The chapter of the page that has this heading.
local function chapter(page, heading)
  local start = assert(select(2, page:find("\n### " .. heading .. "\n", 1, true)), heading)
  return page:sub(start, (page:find("\n##+ ", start) or #page + 1) - 1)
end

-- The methods that a chapter has.
local function shown_methods(text)
  local found = {}
  for name in text:gmatch("\n%- `%w+:([%w_]+)%(") do found[name] = true end
  return found
end

-- Those of them that only a newer corosync has.
local function newer_methods(text)
  local found = {}
  for name in text:gmatch("\n%- `%w+:([%w_]+)%([^\n]*: Newer corosync") do found[name] = true end
  return found
end

-- The methods that an object has.
local function own_methods(object)
  local found = {}
  for name, value in pairs(getmetatable(object).__index) do
    if type(value) == "function" then found[name] = true end
  end
  return found
end

describe("docs/reference.md", function()
  local page, objects = reference.text()
  local cluster, folder

  setup(function()
    cluster = assert(lab.start({ nodes = 1 }))
    folder = os.tmpname()
    os.remove(folder)
  end)

  teardown(function()
    cluster:close()
    os.execute(("rm -r %s %s.jsonl"):format(folder, folder))
  end)

  it("is what tools/docs writes", function()
    assert.is_true(page == files.read("docs/reference.md"), "run tools/docs docs/reference.md")
  end)

  local function node() return cluster[1] end

  local STATE = { packed = true, fragment = true }

  local MAKERS = {
    Group = function() return node():group("reference") end,
    Task = function() return corolua.spawn(function() end) end,
    Timer = function() return corolua.after(0, function() end) end,
    Condition = corolua.condition,
    Watch = function() return require("corolua.loop").timer(0, function() end) end,
    Rpc = function() return assert(rpc.open(node():group("calls"), {})) end,
    Election = function() return assert(election.open(node():group("boss"))) end,
    Replica = function()
      return assert(replica.open(node():group("state", STATE), { apply = function() end }))
    end,
    Journal = function() return assert(journal.open(folder)) end,
    Trace = function() return assert(trace.start(folder .. ".jsonl")) end,
    ["lab.Cluster"] = function() return cluster end,
    ["lab.Node"] = node,
    ["lab.Nemesis"] = function() return cluster:replay({}) end,
    ["lab.Schedule"] = function() return cluster:replay({}).list end,
    ["lab.Script"] = function() return assert(node():run("-e", "")) end,
    ["check.HandleHistory"] = function() return virtual_synchrony.history(1) end,
    ["cpg.Handle"] = function() return assert(node():thin("cpg", {})) end,
    ["quorum.Handle"] = function() return assert(node():thin("quorum", {})) end,
    ["votequorum.Handle"] = function() return assert(node():thin("votequorum", {})) end,
    ["cmap.Handle"] = function() return assert(node():thin("cmap")) end,
    ["cfg.Handle"] = function() return assert(node():thin("cfg", {})) end,
  }

  objects.Handle = nil -- what those of all libraries have
  for name, hidden in pairs(objects) do
    it("has the methods of " .. name .. ", and no others", function()
      local object = assert(MAKERS[name], "no " .. name .. " is made here to compare with")()
      local own, shown = own_methods(object), shown_methods(chapter(page, name))
      for method in pairs(hidden) do own[method] = nil end
      if name:find("%l%.Handle$") then
        for method in pairs(shown_methods(chapter(page, "Handle"))) do own[method] = nil end
        for method in pairs(newer_methods(chapter(page, name))) do
          own[method], shown[method] = nil, nil
        end
      end
      assert.same(sorted_keys(own), sorted_keys(shown))
      for field in chapter(page, name):gmatch("\n%- `%w+%.([%w_]+):") do
        assert.is_not_nil(object[field], field)
      end
    end)
  end

  it("has a chapter for each module that examples require", function()
    for _, path in ipairs(files.below("examples")) do
      for module in files.read("examples/" .. path):gmatch('require%("(coro[%w_.]+)"%)') do
        local is_there = page:find("\n## " .. module .. ":", 1, true) or module:find("%.cli%.")
        assert.is_truthy(is_there, path .. ": " .. module)
      end
    end
  end)

  local function known_codes()
    local known = {}
    for _, one in ipairs(codes.list) do known[one[1]] = true end
    for _, code in ipairs(codes.rare) do known[code] = true end
    return known
  end

  it("explains each code that is given in Lua or by corosync", function()
    local known, missing = known_codes(), {}
    local function look(path, pattern)
      for code in files.read(path):gmatch(pattern) do
        if not known[code] then missing[code] = path end
      end
    end
    for _, path in ipairs(files.below("lua/corolua")) do
      look("lua/corolua/" .. path, '"(ERR_[%u_]+)"')
    end
    look("bindings/common/status.c", '"(ERR_[%u_]+)"')
    assert.same({}, missing)
  end)

  it("explains no code that nobody gives", function()
    for _, one in ipairs(codes.list) do
      assert.is_nil(page:find("| `" .. one[1] .. "` |  |", 1, true), one[1])
    end
  end)
end)
