-- Not sanitized: it compares names.
-- Which specs tools/unit runs, which it leaves out, and which start daemons:
-- each spec is one of the three.
local files = require("spec.support.files")
local lfs = require("lfs")

local function reaches_the_lab(path)
  local text = files.read(path)
  if ("\n" .. text):find('\nlocal lab = require("corolua.lab")\n', 1, true) then return true end
  for name in text:gmatch('require%("spec%.support%.([%w_]+)"%)') do
    if reaches_the_lab("spec/support/" .. name .. ".lua") then return true end
  end
  return false
end

local function names(list)
  local found = {}
  for name in files.read("tools/unit"):match("\n" .. list .. "=%((.-)\n%)"):gmatch("%S+") do
    found[name] = true
  end
  return found
end

describe("tools/unit", function()
  local runs, left_out = names("runs"), names("left_out")

  for file in lfs.dir("spec") do
    local name = file:match("^([%w_]+)_spec%.lua$")
    if name then
      it("knows " .. name, function()
        local path = "spec/" .. file
        if reaches_the_lab(path) then
          assert.is_nil(runs[name] or left_out[name], path .. " starts daemons: not for tools/unit")
        else
          assert.is_true(runs[name] ~= left_out[name],
            path .. " has to stand in tools/unit once, in `runs` or in `left_out`")
        end
      end)
    end
  end

  it("names only specs that exist", function()
    for _, list in ipairs({ runs, left_out }) do
      for name in pairs(list) do
        assert.is_truthy(lfs.attributes("spec/" .. name .. "_spec.lua"), name)
      end
    end
  end)
end)
