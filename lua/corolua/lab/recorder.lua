--- The flight recorder of the labs of this program: what it has kept is written
--- where an error ends the program, and at SIGUSR1.

local forgiving = require("corolua.task.forgiving")
local scheduler = require("corolua.task.scheduler")
local session = require("corolua.trace.session")

local recorder = {}

local SIGUSR1 = 10

local recorders = 0 -- labs with one
local watch -- of the signal, while there is one
local has_failed = false -- an error was told with a file since the first of them opened
local written = 0 -- files of the recorder

-- A name that nobody else has.
local function new_path()
  written = written + 1
  local folder = os.getenv("TMPDIR") or "/tmp"
  return ("%s/corolua-%d-%d.jsonl"):format(folder, session.process_id(), written)
end

local function dump()
  local path, ok, why, code
  repeat
    path = new_path()
    ok, why, code = session.dump(path)
  until code ~= "EEXIST"
  if ok then return path end
  return nil, why
end

-- The first error says where it is written what came before it.
local function explain(message)
  if has_failed then return message end
  has_failed = true
  local path, why = dump()
  if not path then return message .. "\nthe flight recorder was not written: " .. why end
  return message .. "\nwhat the members saw until then: " .. path
end

local function has_signal()
  local path, why = dump()
  if path then
    io.stderr:write("corolua: what the members saw until now: ", path, "\n")
  else
    io.stderr:write("corolua: the flight recorder was not written: ", why, "\n")
  end
end

--- A lab has it on from here on.
---@param run corolua.TraceRun
---@return true? begun, string? message, string? code
function recorder.begin(run)
  local ok, why, code = session.record(run)
  if not ok then return nil, why, code end
  recorders = recorders + 1
  if recorders > 1 then return true end
  has_failed, forgiving.explain = false, explain
  watch = scheduler.signal(SIGUSR1, has_signal)
  if watch then watch:unref() end
  return true
end

--- It is over with that lab.
function recorder.finish()
  session.end_record()
  recorders = recorders - 1
  if recorders > 0 then return end
  forgiving.explain = false
  if watch then watch:cancel() end
  watch = nil
end

return recorder
