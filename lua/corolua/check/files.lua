--- Trace files, read into one history. Several are merged by the monotonic clock,
--- as the processes of one machine share it.

local history = require("corolua.check.history")
local lines = require("corolua.check.lines")

local files = {}

local BLOCK, LONGEST = 1 << 16, 1 << 24

---@class corolua.check.File
local methods = {}
local file_mt = { __index = methods }

local function open(path, index)
  local handle, why, code = io.open(path, "rb")
  if not handle then return nil, why, code end
  return setmetatable({
    handle = handle, source = lines.source(path, index), text = "", first = 1,
    is_over = false, problem = false,
  }, file_mt)
end

local function problem(self, text, is_cut)
  self.problem = { file = self.source.name, line = self.source.line, text = text,
    is_cut = is_cut or nil }
  self.is_over = true
end

-- What there is no more of ends it: in a line, or behind one.
local function finish(self)
  self.is_over = true
  if self.first <= #self.text then
    self.source.line = self.source.line + 1
    problem(self, "ends in the middle of a line", true)
  elseif not self.source.run then
    problem(self, "is empty")
  elseif not self.source.stop then
    problem(self, "has no stop: the trace was cut", true)
  elseif math.type(self.source.stop.dropped) == "integer" and self.source.stop.dropped > 0 then
    problem(self, ("says that %d lines are missing"):format(self.source.stop.dropped))
    self.problem.has_gaps = true
  end
end

-- Where the next line ends; nil at the end of the file.
local function next_end(self)
  while true do
    local last = self.text:find("\n", self.first, true)
    if last then return last end
    local block = #self.text - self.first < LONGEST and self.handle:read(BLOCK)
    if not block then return nil end
    self.text, self.first = self.text:sub(self.first) .. block, 1
  end
end

-- When the next line was written; false at the end, and of what is no line.
local function next_time(self)
  local last = next_end(self)
  if not last then
    finish(self)
    return false
  end
  local t = self.text:match('^{"k":"[%l]+","t":(%d+)', self.first)
  return (math.tointeger(t) or 0) + (self.source.offset or 0)
end

local function take(self, read, last)
  local first = self.first
  self.first = last + 1
  local why = read(self, first, last - 1)
  if why then problem(self, why) end
end

local function read_one(self, past)
  while not self.is_over do
    local why
    self.first, why = lines.read_all(past, self.source, self.text, self.first)
    if why then
      problem(self, why)
    elseif not next_end(self) then
      finish(self)
    end
  end
end

local function earliest(list)
  local best
  for _, file in ipairs(list) do
    if not file.is_over and (not best or file.time < best.time) then best = file end
  end
  return best
end

-- What comes behind a line that cannot be read is judged in no file: the others
-- go on with what was sent in this one. A file that is merely over is no such.
local function has_broken(list)
  for _, file in ipairs(list) do
    if file.problem and not file.problem.is_cut and file.source.run then return true end
  end
  return false
end

local function read_merged(list, read)
  for _, file in ipairs(list) do
    local last = next_end(file)
    if last then take(file, read, last) else finish(file) end
    if not file.is_over then file.time = next_time(file) end
  end
  local file = earliest(list)
  while file and not has_broken(list) do
    take(file, read, next_end(file))
    if not file.is_over then file.time = next_time(file) end
    file = earliest(list)
  end
end

local function open_all(paths)
  local list = {}
  for i, path in ipairs(paths) do
    local file, why, code = open(path, i)
    if not file then return nil, why, code end
    list[i] = file
  end
  return list
end

local function read_all(list, past)
  if #list == 1 then return read_one(list[1], past) end
  read_merged(list, function(file, first, last)
    return lines.read(past, file.source, file.text, first, last)
  end)
end

--- Gives the lines of trace files once more, in the order in which they were read,
--- with the number of the file, that of the line, and by how much its clock is ahead
--- of that of the first file.
---@param paths string[]
---@param on_line fun(file: integer, line: integer, text: string, offset: integer)
---@return boolean? ok
---@return string? message
---@return string|integer|nil code
function files.each(paths, on_line)
  local list, why, code = open_all(paths)
  if not list then return nil, why, code end
  local past = history.new()
  read_merged(list, function(file, first, last)
    local source, text = file.source, file.text:sub(first, last)
    source.line = source.line + 1
    if text:find('^{"k":"run"') or text:find('^{"k":"stop"') then
      local problem_of_it = lines.take_text(past, source, text)
      if problem_of_it then return problem_of_it end
    elseif not text:find("^{.*}$") then
      return "is no JSON"
    end
    on_line(lines.place(source.base), source.line, text, source.offset)
  end)
  for _, file in ipairs(list) do file.handle:close() end
  return true
end

--- Reads trace files, one run's.
---@param past corolua.check.Past
---@param paths string[]
---@return corolua.check.Problem[]? problems why they are not whole
---@return string? message why a file cannot be read
---@return integer? code
function files.read(past, paths)
  local list, why, code = open_all(paths)
  if not list then return nil, why, code end
  local problems = {}
  read_all(list, past)
  for _, file in ipairs(list) do
    file.handle:close()
    past.events = past.events + file.source.line
    if file.problem then table.insert(problems, file.problem) end
    if file.source.stop then table.insert(past.stops, file.source.stop) end
  end
  return problems
end

return files
