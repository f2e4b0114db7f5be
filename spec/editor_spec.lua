-- Not sanitized: it compares names.
-- What lua-language-server is given: the settings for this project, and the
-- annotations that are installed.
local json = require("cjson")
local files = require("spec.support.files")
local programs = require("corolua.lab.files")
local support = require("spec.support")

describe(".luarc.json", function()
  local settings = assert(json.decode(files.read(".luarc.json")))

  it("is for the Lua that the program runs", function()
    assert.equal(_VERSION, settings["runtime.version"])
  end)

  it("finds the modules, in Lua and described", function()
    local patterns = table.concat(settings["runtime.path"], ";")
    for _, name in ipairs({ "corolua", "corolua.lab", "corolua.replica", "spec.support" }) do
      assert.is_truthy(package.searchpath(name, patterns), name)
    end
    local described = settings["workspace.library"][1] .. "/?.lua"
    for _, name in ipairs({ "corosync.cpg", "corolua.loop" }) do
      assert.is_truthy(package.searchpath(name, described), name)
    end
  end)
end)

describe("cmake --install", function()
  it("installs what editors read", function()
    local prefix = os.tmpname()
    os.remove(prefix)
    finally(function() programs.remove(prefix) end)
    local pipe <close> = assert(io.popen(("timeout -k 5 120 cmake --install '%s' --prefix %s 2>&1")
      :format(support.build, prefix)))
    local output = pipe:read("a")
    assert.is_true(pipe:close(), output)
    assert.same(files.below("lua/meta"), files.below(prefix .. "/share/corolua/meta"))
  end)
end)
