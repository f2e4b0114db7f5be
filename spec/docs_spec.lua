-- Not sanitized: it compares what programs print, and reaches no C of its own.
local lfs = require("lfs")
local blocks = dofile("tools/blocks.lua")
local files = require("spec.support.files")
local support = require("spec.support")

-- Numbers of rings, processes and times, what is said to be about something,
-- and what shows an order differ from run to run, and so do not count.
local function comparable(output)
  return (output:gsub("ring %d+%.%x+ *", "ring R "):gsub("(%d+/)%d+", "%1PID")
    :gsub("%d+%.%d[%d%.]*", "N.N"):gsub("(about )%d+", "%1N"):gsub("(fingerprint )%d+", "%1N"))
end

-- Each command runs once, however often it is shown.
local printed = {}

local function run(what)
  if not printed[what] then
    local output, ok = blocks.run(support.program, what)
    assert.is_true(ok, output)
    printed[what] = output
  end
  return printed[what]
end

local documents = { "README.md", "CONTRIBUTING.md", "ARCHITECTURE.md" }
for _, folder in ipairs({ "docs/", "docs/book/", "docs/decisions/", "docs/how/" }) do
  for name in lfs.dir(folder) do
    if name:match("%.md$") then table.insert(documents, folder .. name) end
  end
end
table.sort(documents)

describe("documents", function()
  for _, document in ipairs(documents) do
    for language, what, block in blocks.each(blocks.read(document)) do
      if language == "text" then
        it(document .. " shows what " .. what .. " prints", function()
          assert.same(comparable(block), comparable(run(what)))
        end)
      else
        it(document .. " shows " .. what .. " as it is", function()
          assert.same(blocks.read(what), block)
        end)
      end
    end
  end

  -- The anchors of a document's headings, as web pages of it have them.
  local function anchors_of(path)
    local anchors = {}
    for heading in ("\n" .. blocks.read(path):gsub("```.-```", "")):gmatch("\n#+ ([^\n]+)") do
      anchors[heading:lower():gsub("[^%w%-_ ]", ""):gsub(" ", "-")] = true
    end
    return anchors
  end

  -- A link by its file and by its anchor, either of which may be empty.
  local function check_link(document, file, anchor)
    local path = document
    if file ~= "" then path = (document:match("^(.*/)") or "") .. file end
    assert.is_truthy(lfs.attributes(path, "mode"), document .. ": " .. file)
    if anchor ~= "" then
      assert.is_true(anchors_of(path)[anchor], ("%s: %s#%s"):format(document, file, anchor))
    end
  end

  it("name only sources that exist: ARCHITECTURE.md", function()
    local SOURCES, known = { lua = true, c = true, h = true, cmake = true }, {}
    for _, folder in ipairs({ "bindings", "host", "lua", "spec", "tools", "cmake" }) do
      for _, path in ipairs(files.below(folder)) do known["/" .. folder .. "/" .. path] = true end
    end
    local function is_there(name)
      for path in pairs(known) do
        if path:sub(-#name - 1) == "/" .. name then return true end
      end
    end
    local text = blocks.read("ARCHITECTURE.md")
    local count = 0
    for name, ending in text:gmatch("`([%w_/]+%.(%l+))`") do
      if SOURCES[ending] then
        assert.is_true(is_there(name), name)
        count = count + 1
      end
    end
    assert.is_true(count > 20)
    for folder in text:gmatch("`([%w_/]+)/`") do
      local found = false
      for path in pairs(known) do
        found = found or path:find("/" .. folder .. "/", 1, true) ~= nil
      end
      assert.is_true(found or lfs.attributes(folder, "mode") == "directory", folder)
    end
  end)

  it("name only files and headings that exist", function()
    for _, document in ipairs(documents) do
      local text = blocks.read(document):gsub("```.-```", "")
      for link in text:gmatch("%]%(([^):]+)%)") do
        check_link(document, link:match("^[^#]*"), link:match("#(.*)$") or "")
      end
    end
  end)
end)

-- Those that are for the nodes of a cluster are run by spec/examples_spec.lua.
describe("examples", function()
  for name in lfs.dir("examples") do
    local path = "examples/" .. name
    if name:match("%.lua$") and blocks.read(path):find('require("corolua.lab")', 1, true) then
      it("run to their end: " .. name, function() assert.is_true(#run(path) > 0) end)
    end
  end
end)
