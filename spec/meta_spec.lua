-- Not sanitized: it compares names.
-- The files of lua/meta describe modules written in C to editors. They are
-- compared with the modules as loaded, name by name.
local FOLDER = "lua/meta/"

-- What only newer corosync has, and so may be described and not there.
local newer = { get_qdevice_extra_info = true, set_qdevice_extra_info = true }

local function described(name)
  local file <close> = assert(io.open(FOLDER .. name .. ".lua"))
  local text = file:read("a")
  local functions, methods = {}, {}
  for object, mark, key in text:gmatch("\nfunction ([%w_]+)([.:])([%w_]+)%(") do
    if mark == ":" then
      methods[key] = true
    else
      functions[key] = object
    end
  end
  return text, functions, methods
end

-- Each module has a chapter of its own, and a first one for all.
local function chapter(name)
  local file <close> = assert(io.open("docs/api.md"))
  return assert((file:read("a") .. "\n## "):match("\n## " .. name .. "(.-)\n## "))
end

local function keys(...)
  local list = {}
  for _, set in ipairs({ ... }) do
    for key in pairs(set) do
      table.insert(list, key)
    end
  end
  table.sort(list)
  return list
end

describe("lua/meta", function()
  local _, _, common = described("corosync/handle")

  for _, name in ipairs({ "cpg", "votequorum", "quorum", "cmap", "cfg" }) do
    local module = require("corosync." .. name)
    local loaded = debug.getregistry()["corosync." .. name].__index
    local text, functions, methods = described("corosync/" .. name)
    for key in pairs(newer) do
      if not loaded[key] then
        methods[key] = nil
      end
    end

    it("describes the functions of corosync." .. name, function()
      assert.same(keys(module), keys(functions))
    end)

    it("describes the methods of corosync." .. name, function()
      assert.same(keys(loaded), keys(common, methods))
    end)

    it("describes what the functions of corosync." .. name .. " return", function()
      for paragraph in (text .. "\n"):gmatch("(.-)\n\n") do
        local declaration = paragraph:match("function [%w_]+[.:][%w_]+")
        assert.is_true(not declaration or paragraph:find("@return", 1, true) ~= nil, declaration)
      end
    end)

    it("is as complete as docs/api.md: corosync." .. name, function()
      local text_of_all = chapter("corosync." .. name) .. chapter("What all have in common")
      for key in pairs(loaded) do
        local shown = key:gsub("^([sg]et)_%l+%d*$", "%1_TYPE")
        if name ~= "cmap" then shown = key end
        assert.is_truthy(text_of_all:find("handle:" .. shown .. "(", 1, true), key)
      end
    end)

    it("is Lua: corosync." .. name, function()
      assert.same("table", type(dofile(FOLDER .. "corosync/" .. name .. ".lua")))
    end)
  end

  for _, name in ipairs({
    "file", "host", "limit", "loop", "net", "packing", "switch", "sys", "trace_encoder",
    "worker",
  }) do
    it("describes the functions of corolua." .. name, function()
      local _, functions = described("corolua/" .. name)
      local loaded = {}
      for key, value in pairs(require("corolua." .. name)) do
        if type(value) == "function" then loaded[key] = true end
      end
      assert.same(keys(loaded), keys(functions))
      assert.same("table", type(dofile(FOLDER .. "corolua/" .. name .. ".lua")))
    end)
  end

  it("describes the methods of corolua.file", function()
    local _, _, methods = described("corolua/file")
    assert.same(keys(debug.getregistry()["corolua.file"].__index), keys(methods))
  end)

  it("describes the methods of what corolua.loop watches", function()
    local _, _, methods = described("corolua/loop")
    assert.same(keys(debug.getregistry()["corolua.watch"].__index), keys(methods))
  end)
end)
