-- Reading traces, for specs.
local cjson = require("cjson")
local files = require("spec.support.files")

local trace_files = {}

--- A path for a trace that nobody has used.
---@return string
function trace_files.path()
  local path = os.tmpname()
  os.remove(path)
  return path .. ".jsonl"
end

--- A new folder, and what writes a file in it and returns its path.
---@return string folder, fun(name: string, text: string): string write
function trace_files.folder()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  return folder, function(name, text)
    local path = folder .. "/" .. name
    files.write(path, text)
    return path
  end
end

--- The lines of a trace, decoded; each must be JSON.
---@param path string
---@return table[]
function trace_files.read(path)
  local list = {}
  for i, line in ipairs(files.lines(path)) do
    local ok, value = pcall(cjson.decode, line)
    assert(ok, ("line %d of the trace is no JSON: %s"):format(i, line))
    list[i] = value
  end
  return list
end

--- Those of one kind, or of one kind and with these values.
---@param lines table[]
---@param kind string
---@param wanted table?
---@return table[]
function trace_files.of(lines, kind, wanted)
  local list = {}
  for _, line in ipairs(lines) do
    local fits = line.k == kind
    for key, value in pairs(wanted or {}) do fits = fits and line[key] == value end
    if fits then list[#list + 1] = line end
  end
  return list
end

--- The keys of a line as they stand in the text, in order.
---@param text string
---@return string
function trace_files.keys(text)
  local keys, depth = {}, 0
  text = text:gsub('\\.', "__"):gsub(':"[^"]*"', ':""')
  for mark, key in text:gmatch('([%[%]{},])"?([%w_]*)') do
    if mark == "[" or mark == "{" then depth = depth + 1 end
    if mark == "]" or mark == "}" then depth = depth - 1 end
    local is_key = depth == 1 and (mark == "{" or mark == ",") and key ~= ""
    if is_key and text:find('"' .. key .. '":', 1, true) then keys[#keys + 1] = key end
  end
  return table.concat(keys, " ")
end

return trace_files
