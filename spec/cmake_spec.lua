-- What cmake says where libraries are missing, and under which names it finds Lua:
-- with a folder of its own for what pkg-config knows.
local files = require("spec.support.files")
local lfs = require("lfs")
local programs = require("corolua.lab.files")

local NAMES = { "libcpg", "libvotequorum", "libquorum", "libcmap", "libcfg", "libqb",
  "libnl-route-3.0", "zlib" }

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- What cmake prints, and its exit status, where pkg-config knows of the modules
-- with these versions and of nothing else.
local function configure(modules, words)
  local folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  for name, version in pairs(modules) do
    write(("%s/%s.pc"):format(folder, name),
      ("Name: %s\nDescription: of a spec\nVersion: %s\nCflags: -I/usr/include/lua5.4\n")
        :format(name, version))
  end
  local pipe <close> = assert(io.popen(("PKG_CONFIG_LIBDIR=%s timeout -k 5 120 cmake -S . -B "
    .. "%s/build %s 2>&1; echo status $?"):format(folder, folder, words or "")))
  local output = pipe:read("a"):gsub("%s+", " ")
  programs.remove(folder)
  return output, output:match("status (%d+)")
end

local function all_but(...)
  local modules = { lua54 = "5.4.6" }
  for _, name in ipairs(NAMES) do modules[name] = "2.0" end
  for _, name in ipairs({ ... }) do modules[name] = nil end
  return modules
end

describe("cmake", function()
  it("names all that is missing at once, and Debian's packages", function()
    local output, status = configure(all_but("libvotequorum", "libnl-route-3.0"))
    assert.is_truthy(output:find("To build, corolua needs, by the names of pkg-config: "
      .. "libvotequorum, libnl-route-3.0, lua5.4 or lua-5.4 or lua>=5.4.", 1, true), output)
    assert.is_truthy(output:find("On Debian: apt-get install libvotequorum-dev "
      .. "libnl-route-3-dev liblua5.4-dev", 1, true), output)
    assert.same("1", status)
  end)

  it("does not build among the sources, where it would write over their Makefile", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    finally(function() programs.remove(folder) end)
    for _, name in ipairs({ "CMakeLists.txt", "Makefile" }) do
      write(folder .. "/" .. name, files.read(name))
    end
    local pipe <close> = assert(io.popen(("cd %s && timeout -k 5 120 cmake . 2>&1"):format(folder)))
    assert.matches("corolua is built in a folder of its own: cmake %-B build", pipe:read("a"))
    assert.equal(files.read("Makefile"), files.read(folder .. "/Makefile"))
  end)

  it("names pkg-config with the rest where it is missing itself", function()
    local output = configure(all_but(), "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON")
    assert.is_truthy(output:find("pkg-config: pkg-config, libcpg, ", 1, true), output)
    assert.is_truthy(output:find("apt-get install pkg-config libcpg-dev", 1, true), output)
  end)

  for _, name in ipairs({ "lua5.4", "lua-5.4", "lua" }) do
    it("finds Lua as " .. name, function()
      local modules = all_but()
      modules[name] = "5.4.0"
      local output, status = configure(modules)
      assert.same("0", status, output)
    end)
  end

  it("takes no older Lua by the plain name", function()
    local modules = all_but()
    modules.lua = "5.3.6"
    local output = configure(modules)
    assert.is_truthy(output:find("pkg-config: lua5.4 or lua-5.4 or lua>=5.4.", 1, true), output)
  end)
end)
