--- Slips in the names of an object's methods and fields are told, where Lua would
--- give nil.

local names = require("corolua.base.names")

--- The methods of a class, out of parts; more may be put into them. Reading a name
--- that neither they nor the fields have raises, and says which is near.
---@param what string "a cluster"
---@param fields table<string, true> the public ones; the class may leave them nil, and no other
---@param ... table<string, function>
---@return table<string, function>
local function guard(what, fields, ...)
  local methods = {}
  for _, part in ipairs({ ... }) do
    for name, method in pairs(part) do methods[name] = method end
  end
  return setmetatable(methods, { __index = function(_, name)
    if type(name) ~= "string" or fields[name] then return nil end
    local known = {}
    for key in pairs(fields) do known[key] = true end
    for key in pairs(methods) do known[key] = true end
    error(("unknown name '%s' of %s%s"):format(name, what, names.hint(name, known)), 2)
  end })
end

return guard
