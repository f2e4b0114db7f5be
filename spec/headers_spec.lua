-- Not sanitized: it compares names.
local exceptions = require("spec.exceptions")

-- Header and module, and what functions of the module do without.
local libraries = {
  { module = "corosync.cpg", prefix = "cpg_" },
  { module = "corosync.votequorum", prefix = "votequorum_" },
  { module = "corosync.quorum", prefix = "quorum_" },
  { module = "corosync.cmap", prefix = "cmap_" },
  { module = "corosync.cfg", prefix = "corosync_cfg_" },
}

local function include_folder(name)
  local pipe <close> = assert(io.popen("pkg-config --variable=includedir lib" .. name))
  return assert(pipe:read("l"), "pkg-config does not know lib" .. name)
end

local function header(library)
  local name = library.module:match("[^.]+$")
  local path = ("%s/corosync/%s.h"):format(include_folder(name), name)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The names of the functions a header declares: of statements that are no
-- typedef, what stands in front of the first parenthesis.
local function declared(text)
  local names = {}
  text = text:gsub("/%*.-%*/", ""):gsub("//[^\n]*", ""):gsub("#[^\n]*", "")
  text = text:gsub('extern "C" {', ""):gsub("%b{}", "")
  for statement in text:gmatch("[^;]+") do
    local name = statement:match("([%w_]+)%s*%(")
    if name and not statement:match("^%s*typedef") then
      table.insert(names, name)
    end
  end
  table.sort(names)
  return names
end

local function is_bound(library, name)
  local short = name:sub(#library.prefix + 1)
  local module = require(library.module)
  local methods = debug.getregistry()[library.module].__index
  return name:sub(1, #library.prefix) == library.prefix
    and (module[short] or methods[short]) ~= nil
end

local excepted = {}
for _, group in ipairs(exceptions) do
  for _, name in ipairs(group.names) do
    excepted[name] = group
  end
end

describe("the headers of corosync", function()
  local known = {}

  for _, library in ipairs(libraries) do
    local names = declared(header(library))
    for _, name in ipairs(names) do
      known[name] = library
    end

    it("are read: " .. library.module .. " has functions", function()
      assert.is_true(#names >= 8)
      assert.is_truthy(known[library.prefix .. "initialize"])
      assert.is_truthy(known[library.prefix .. "finalize"])
    end)

    for _, name in ipairs(names) do
      if excepted[name] then
        it("have " .. name .. ", which is excepted and not bound", function()
          assert.is_false(is_bound(library, name))
        end)
      else
        it("have " .. name .. ", which is bound", function()
          assert.is_true(is_bound(library, name))
        end)
      end
    end
  end

  it("have every exception, but for those of newer versions", function()
    for name, group in pairs(excepted) do
      assert.is_true(group.newer or known[name] ~= nil, name .. " is in no header")
    end
  end)

  it("are excepted with a reason, and each name once", function()
    local count = 0
    for _, group in ipairs(exceptions) do
      assert.is_true(#group.reason > 10)
      count = count + #group.names
    end
    for _ in pairs(excepted) do
      count = count - 1
    end
    assert.same(0, count)
  end)
end)
