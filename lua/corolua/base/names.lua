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

--- What follows the name of something unknown: whether a known one was meant.
---@param word any
---@param known table its keys are the known names
---@param prefix string? what stands before them
---@return string # empty where none is near
function names.hint(word, known, prefix)
  local near = names.nearest(word, known)
  return near and (", did you mean '%s%s'?"):format(prefix or "", near) or ""
end

--- Raises unless a word is one of those known.
---@param word any
---@param known table its keys are the known names
---@param noun string what one of them is called: "event"
---@param level integer whose line is to blame, as in `error`
function names.check(word, known, noun, level)
  if word ~= nil and known[word] ~= nil then return end
  error(("unknown %s '%s'%s"):format(noun, tostring(word), names.hint(word, known)), level + 1)
end

return names
