--- Libraries of others that only some things need: what is missing is told in a
--- sentence that says what to install, where `require` would list every folder
--- it looked into.

local function is_missing(name, problem)
  return tostring(problem):find(("module '%s' not found"):format(name), 1, true) ~= nil
end

--- The first of these libraries that is installed. Raises a sentence where none is.
---@param what string what needs it, such as "the lab"
---@param ... string[] { module, Debian's package }
---@return table library, string module
local function needs(what, ...)
  local packages = {}
  for i, choice in ipairs({ ... }) do
    local name, package = choice[1], choice[2]
    local found, library = pcall(require, name)
    if found then return library, name end
    if not is_missing(name, library) then error(library, 0) end
    packages[i] = package
  end
  error(("%s needs %s: apt-get install %s")
    :format(what, table.concat(packages, " or "), packages[1]), 0)
end

return needs
