--- Whether a run kept what a group communication service must keep, judged from
--- its trace: docs/check.md has the properties, docs/trace.md the format.

local args = require("corolua.base.args")
local files = require("corolua.check.files")
local history = require("corolua.check.history")
local lists = require("corolua.base.lists")
local lines = require("corolua.check.lines")
local slice = require("corolua.check.slice")
local verdict = require("corolua.check.verdict")
local witness = require("corolua.check.witness")

local check = {}

---@class corolua.check.Options
---@field strict boolean? corosync's two known losses are violations; false unless told
---@field slice string? of `check.file`: where to write the smallest trace that shows the findings

local STRICT = { "strict", args.boolean, false }
local OPTIONS = { STRICT, { "slice", args.string } }

local function split(...)
  local paths = table.pack(...)
  local last = paths[paths.n]
  local options = type(last) == "table" and table.remove(paths, paths.n) or nil
  args.value(paths[1], args.string, "check.file", "the path of a trace", 3)
  for i, path in ipairs(paths) do
    args.value(path, args.string, "check.file", ("path %d"):format(i), 3)
  end
  paths.n = nil
  options = args.check(options, OPTIONS, "check.file", 3)
  if lists.contains(paths, options.slice) then
    args.refuse("check.file", "option 'slice'", "another file than the trace", options.slice, 3)
  end
  return paths, options
end

local function judge(past, problems, options)
  return verdict.of(past, problems, options.strict)
end

local function findings_in(path)
  local past = history.new()
  return judge(past, assert(files.read(past, { path })), {}).findings
end

--- Judges a trace; several files are those of one run, by processes of one machine,
--- and are merged. The last argument may be a table of options.
---@param ... string|corolua.check.Options paths of the files
---@return corolua.check.Verdict? verdict
---@return string? message why a file cannot be read
---@return integer? code of the system
function check.file(...)
  local paths, options = split(...)
  local past = history.new()
  local problems, why, code = files.read(past, paths)
  if not problems then return nil, why, code end
  local found = judge(past, problems, options)
  if options.slice then
    local written
    written, why, code = slice.write(options.slice, paths, past, found.findings, findings_in)
    if not written then return nil, why, code end
    found.counts.slice = written
  end
  return witness.fill(found, paths)
end

-- Judges events up to the first that is none.
local function read_events(past, next_event)
  local source = lines.source("event", 1)
  for event in next_event do
    source.line = source.line + 1
    past.events = past.events + 1
    local why = lines.take(past, source, event)
    if why then return { { file = "event", line = source.line, text = why } } end
  end
  if not source.stop then
    return { { file = "event", line = source.line, is_cut = true,
      text = source.run and "has no stop: the trace was cut" or "is empty" } }
  end
  table.insert(past.stops, source.stop)
  return {}
end

--- Judges events, tables with the fields of a line each. A witness is told by the
--- number of its event. The tables may be changed.
---@param next_event fun(): table|nil such as an iterator, or the `next` of a queue
---@param options corolua.check.Options?
---@return corolua.check.Verdict
function check.events(next_event, options)
  args.value(next_event, args.callable, "check.events", "what gives the events", 2)
  options = args.check(options, { STRICT }, "check.events", 2)
  local past = history.new()
  local problems = read_events(past, next_event)
  return witness.fill(judge(past, problems, options), { "event" })
end

return check
