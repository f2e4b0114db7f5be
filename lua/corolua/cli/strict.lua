--- The environment of a script: reading a global that nobody declared raises,
--- and so does assigning to one inside a function. An assignment at the top
--- level of a main chunk declares. The globals themselves stay in `_G`, which
--- keeps no metatable, for libraries that use it as they like.

local names = require("corolua.base.names")

local strict = {}

local function level_is_main()
  local info = debug.getinfo(3, "S")
  return info ~= nil and info.what == "main"
end

--- A new environment over the globals. What is in `_G` now is copied, so that
--- the library's functions cost no call; the rest is looked up there.
---@return table
function strict.environment()
  local declared = {}
  local mt = { __name = "corolua.strict" }
  function mt.__index(_, name)
    local value = _G[name]
    if value ~= nil or declared[name] then return value end
    error(("undeclared global '%s'%s"):format(tostring(name), names.hint(name, _G)), 2)
  end
  function mt.__newindex(_, name, value)
    if _G[name] == nil and not declared[name] and not level_is_main() then
      error(("assignment to undeclared global '%s'%s")
        :format(tostring(name), names.hint(name, _G)), 2)
    end
    declared[name] = true
    _G[name] = value
  end
  local environment = {}
  for name, value in pairs(_G) do environment[name] = value end
  return setmetatable(environment, mt)
end

return strict
