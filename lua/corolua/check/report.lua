--- A verdict as text for people, as JSON, and as JUnit's XML.

local findings = require("corolua.check.findings")
local json = require("corolua.base.json")

local report = {}

local WIDTH = 160

-- Payloads are other people's: nothing of them reaches a terminal as it is.
local function printable(text)
  return (text:gsub("[^\32-\126]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

local function cut(text)
  if #text <= WIDTH then return text end
  return text:sub(1, WIDTH) .. "..."
end

local function place(seen) return ("%s:%d"):format(printable(seen.file), seen.line) end

local function add_witness(lines, finding)
  for _, seen in ipairs(finding.witness) do
    lines[#lines + 1] = ("  %s  %s"):format(place(seen), cut(printable(seen.text or "")))
  end
end

local function title_of(finding)
  if finding.class == "violated" then return finding.property end
  return ("%s, %s"):format(finding.property, finding.class)
end

local function add_also(lines, finding)
  local places = {}
  for i, seen in ipairs(finding.witness) do places[i] = place(seen) end
  lines[#lines + 1] = ("also: %s: %s (%s)"):format(title_of(finding), printable(finding.text),
    table.concat(places, ", "))
end

local function add_problems(lines, verdict)
  for _, problem in ipairs(verdict.problems) do
    lines[#lines + 1] = ("not whole: %s %s"):format(place(problem), printable(problem.text))
  end
end

--- The sentence, the lines that the first finding is seen in, and the others.
---@param verdict corolua.check.Verdict
---@return string
function report.text(verdict)
  local lines = { printable(verdict.sentence) }
  local first = verdict.findings[1]
  if first then
    if verdict.status ~= "violated" then
      lines[#lines + 1] = ("known loss, %s: %s"):format(first.class, printable(first.text))
    end
    add_witness(lines, first)
  end
  for i = 2, #verdict.findings do add_also(lines, verdict.findings[i]) end
  add_problems(lines, verdict)
  return table.concat(lines, "\n") .. "\n"
end

--- All of it, as one line.
---@param verdict corolua.check.Verdict
---@return string
function report.json(verdict)
  -- An empty table is an object to the encoder; all of these are lists.
  return json.encode(verdict):gsub('":{}', '":[]') .. "\n"
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escaped(text) return (printable(text):gsub('[&<>"]', ESCAPES)) end

local function case_of(verdict, property)
  local head = ('  <testcase classname="corolua.check" name="%s"'):format(property)
  for _, finding in ipairs(verdict.findings) do
    if finding.property == property and (finding.class == "violated" or finding.is_strict) then
      return ('%s>\n    <failure message="%s"/>\n  </testcase>'):format(head,
        escaped(finding.text)), "failure"
    end
  end
  if verdict.status == "inconclusive" then
    return ('%s>\n    <skipped message="%s"/>\n  </testcase>'):format(head,
      escaped(verdict.sentence)), "skipped"
  end
  return head .. "/>", "passed"
end

--- A suite with a test for each property.
---@param verdict corolua.check.Verdict
---@return string
function report.junit(verdict)
  local cases, counts = {}, { failure = 0, skipped = 0, passed = 0 }
  for i, property in ipairs(findings.PROPERTIES) do
    local outcome
    cases[i], outcome = case_of(verdict, property)
    counts[outcome] = counts[outcome] + 1
  end
  return ('<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="corolua check" tests="%d" '
    .. 'failures="%d" skipped="%d">\n%s\n</testsuite>\n'):format(#cases, counts.failure,
      counts.skipped, table.concat(cases, "\n"))
end

return report
