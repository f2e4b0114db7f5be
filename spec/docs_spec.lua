local lfs = require("lfs")
local support = require("spec.support")

-- A code block whose first line names a file, as in "```lua examples/x.lua",
-- is that file; "```text examples/x.lua" is what running it prints. Numbers of
-- rings, processes and times differ from run to run, and so do not count.
local function blocks(text)
  return text:gmatch("```(%w+) ([%w_/%.]+)\n(.-)```")
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function comparable(output)
  return (output:gsub("ring %d+%.%x+ *", "ring R "):gsub("(%d+/)%d+", "%1PID")
    :gsub("%d+%.%d+", "N.N"))
end

local function run(path)
  local pipe = assert(io.popen("NO_COLOR=1 '" .. support.program .. "' " .. path .. " 2>&1"))
  local output = pipe:read("a")
  assert.is_true(pipe:close(), output)
  return output
end

local documents = { "README.md" }
for name in lfs.dir("docs") do
  if name:match("%.md$") then
    table.insert(documents, "docs/" .. name)
  end
end
table.sort(documents)

describe("documents", function()
  for _, document in ipairs(documents) do
    for language, path, block in blocks(read(document)) do
      if language == "text" then
        it(document .. " shows what " .. path .. " prints", function()
          assert.same(comparable(block), comparable(run(path)))
        end)
      else
        it(document .. " shows " .. path .. " as it is", function()
          assert.same(read(path), block)
        end)
      end
    end
  end

  it("name only files that exist", function()
    for _, document in ipairs(documents) do
      local folder = document:match("^(.*/)") or ""
      for link in read(document):gmatch("%]%(([^)#:]+)%)") do
        assert.is_truthy(lfs.attributes(folder .. link, "mode"), document .. ": " .. link)
      end
    end
  end)
end)

describe("examples", function()
  for name in lfs.dir("examples") do
    if name:match("%.lua$") then
      it("run to their end: " .. name, function()
        assert.is_true(#run("examples/" .. name) > 0)
      end)
    end
  end
end)
