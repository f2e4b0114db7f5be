--- The lines that a finding names: file, number and text.

local lines = require("corolua.check.lines")

local witness = {}

local MOST = 3

local function wanted_of(found)
  local wanted = {}
  for _, finding in ipairs(found.findings) do
    for i = 1, math.min(#finding.refs, MOST) do wanted[finding.refs[i]] = false end
  end
  return wanted
end

-- The text of those lines of a file, read once more.
local function read_texts(path, wanted, file)
  local last, handle = 0, io.open(path, "rb")
  for ref in pairs(wanted) do
    local index, line = lines.place(ref)
    if index == file and line > last then last = line end
  end
  if last == 0 or not handle then return end
  local line = 0
  for text in handle:lines() do
    line = line + 1
    local ref = lines.ref(file, line)
    if wanted[ref] == false then wanted[ref] = text end
    if line == last then break end
  end
  handle:close()
end

--- Replaces references by what people can look up.
---@param found corolua.check.Verdict
---@param places string[] names of the files, by their number
---@return corolua.check.Verdict found
function witness.fill(found, places)
  local wanted = wanted_of(found)
  for file, path in ipairs(places) do read_texts(path, wanted, file) end
  for _, finding in ipairs(found.findings) do
    local list = {}
    for i = 1, math.min(#finding.refs, MOST) do
      local ref = finding.refs[i]
      local file, line = lines.place(ref)
      list[i] = { file = places[file], line = line, text = wanted[ref] or nil }
    end
    finding.witness, finding.refs, finding.about, finding.place = list, nil, nil, nil
  end
  return found
end

return witness
