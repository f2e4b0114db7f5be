--- Pictures of a run, from its trace: who said what, who heard it, in which ring,
--- under which quorum, what was broken when, and where a promise failed.
--- docs/draw.md says how to read them.

local args = require("corolua.base.args")
local html = require("corolua.draw.html")
local ladder = require("corolua.draw.ladder")
local model = require("corolua.draw.model")
local svg = require("corolua.draw.svg")

local draw = {}

---@class corolua.draw.Options
---@field title string? the name of the script, unless told
---@field order boolean? the total order to the right instead of time; false unless told
---@field from number? seconds: what to show first; all unless told
---@field to number? seconds
---@field colour boolean? of a ladder: with the colours of a terminal; false unless told

local OPTIONS = {
  { "title", args.string }, { "order", args.boolean, false }, { "from", args.seconds() },
  { "to", args.seconds() }, { "colour", args.boolean, false },
}

local function is_list(value)
  return type(value) == "table" and #value > 0, "a path or a list of paths"
end

-- The paths and the options, checked.
local function checked(name, paths, options)
  paths = type(paths) == "string" and { paths } or paths
  args.value(paths, is_list, name, "the trace", 3)
  for i, path in ipairs(paths) do args.value(path, args.string, name, "path " .. i, 3) end
  options = args.check(options, OPTIONS, name, 3)
  if options.from and options.to and options.from >= options.to then
    args.refuse(name, "option 'to'", "more than 'from'", options.to, 3)
  end
  return paths, options
end

local function drawn(make, paths, options)
  local found, why, code = model.read(paths, options.title)
  if not found then return nil, why, code end
  return make(found, options)
end

--- A page of HTML that needs nothing besides itself; all of the trace is in it.
---@param paths string|string[] the trace; several files are those of one run
---@param options corolua.draw.Options?
---@return string? page
---@return string? message why a file cannot be read
---@return string|integer|nil code
function draw.html(paths, options)
  return drawn(html.page, checked("draw.html", paths, options))
end

--- A still picture as SVG. What has no room in it is counted in it.
---@param paths string|string[]
---@param options corolua.draw.Options?
---@return string? picture
---@return string? message why a file cannot be read
---@return string|integer|nil code
function draw.svg(paths, options)
  return drawn(svg.picture, checked("draw.svg", paths, options))
end

--- Text for a terminal: time runs downwards, a column for each member.
---@param paths string|string[]
---@param options corolua.draw.Options?
---@return string? text
---@return string? message why a file cannot be read
---@return string|integer|nil code
function draw.ladder(paths, options)
  return drawn(ladder.text, checked("draw.ladder", paths, options))
end

return draw
