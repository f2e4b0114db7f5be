--- What those who show a trace take from its judges: the history behind a verdict,
--- with the lines and messages that each finding is about, and the lines themselves.

local files = require("corolua.check.files")
local history = require("corolua.check.history")
local lines = require("corolua.check.lines")
local verdict = require("corolua.check.verdict")
local witness = require("corolua.check.witness")

local reading = {}

---@class corolua.check.Subject what a finding is about
---@field refs integer[] its lines, all of them
---@field messages integer[] by their numbers in the history

local function messages_in(about)
  local list = {}
  for _, thing in ipairs(about) do
    if math.type(thing) == "integer" then list[#list + 1] = thing end
  end
  return list
end

--- Judges the trace of a run, as `check.file` does.
---@param paths string[]
---@param is_strict boolean?
---@return corolua.check.Verdict? verdict
---@return corolua.check.Past|string past why a file cannot be read, if there is no verdict
---@return table<corolua.check.Finding, corolua.check.Subject>|integer|nil subjects
function reading.judged(paths, is_strict)
  local past = history.new()
  local problems, why, code = files.read(past, paths)
  if not problems then return nil, why, code end
  local found, subjects = verdict.of(past, problems, is_strict), {}
  for _, finding in ipairs(found.findings) do
    subjects[finding] = { refs = finding.refs, messages = messages_in(finding.about) }
  end
  return witness.fill(found, paths), past, subjects
end

--- Each line of the files as it was read: its reference, its text, and by how much
--- its clock is ahead of that of the first file.
---@param paths string[]
---@param on_line fun(ref: integer, text: string, offset: integer)
---@return boolean? ok
---@return string? message
---@return string|integer|nil code
function reading.each(paths, on_line)
  return files.each(paths, function(file, line, text, offset)
    return on_line(lines.ref(file, line), text, offset)
  end)
end

return reading
