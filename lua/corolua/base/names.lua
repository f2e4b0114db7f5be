--- Names that people write: which known one is meant by an unknown one.

local names = {}

--- The key of the table that is the fewest edits away, or nil if none is near.
---@param word any only a string is near to anything
---@param known table its keys are the known names
---@return string?
function names.nearest(word, known)
  if type(word) ~= "string" then return nil end
  local candidates = {}
  for name in pairs(known) do
    if type(name) == "string" then candidates[#candidates + 1] = name end
  end
  table.sort(candidates)
  return require("corolua.sys").nearest(word, candidates)
end

--- Raises if the options have a key that is not known, at the given level.
---@param options table?
---@param known table its keys are the known options
---@param what string what one of them is called: "option"
---@param level integer? as in `error`, counted from the caller; default 1
function names.check_keys(options, known, what, level)
  level = (level or 1) + 1
  if options == nil then return end
  if type(options) ~= "table" then
    error(("a table of %ss was expected, got %s"):format(what, type(options)), level)
  end
  for key in pairs(options) do
    if known[key] == nil then
      local near = names.nearest(key, known)
      error(("unknown %s '%s'%s"):format(what, tostring(key),
        near and (", did you mean '" .. near .. "'?") or ""), level)
    end
  end
end

return names
