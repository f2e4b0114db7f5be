--- The smallest trace that still shows the findings: all lines but those of
--- messages, and of these the ones that findings are about, with their neighbours.
--- Whether it does show them is tried; if not, it keeps more.

local files = require("corolua.check.files")
local lines = require("corolua.check.lines")

local slice = {}

-- What a sender said before, in that ring, tells one kind of loss from another.
local function keep_firsts(history, keep, epoch, senders)
  local known = {}
  for i = 1, epoch.count do
    local from = history.from[epoch[i]]
    if senders[from] and not known[from] then
      known[from] = true
      keep[epoch[i]] = true
    end
  end
end

local function keep_neighbours(keep, about, epoch)
  for i = 1, epoch.count do
    if about[epoch[i]] then
      for j = math.max(i - 1, 1), math.min(i + 1, epoch.count) do keep[epoch[j]] = true end
    end
  end
end

local function messages_of(history, list)
  local about, senders, refs = {}, {}, {}
  for _, finding in ipairs(list) do
    for _, thing in ipairs(finding.about) do
      if math.type(thing) == "integer" then
        about[thing] = true
        senders[history.from[thing]] = true
      end
    end
    for _, ref in ipairs(finding.refs) do refs[ref] = true end
  end
  return about, senders, refs
end

local function each_epoch(history, fn)
  for _, life in ipairs(history.lives) do
    for _, epoch in ipairs(life.epochs) do fn(epoch) end
  end
end

-- The messages to keep; with all of the rings that findings are in, if that is wanted.
local function choose(history, list, is_wide)
  local about, senders, refs = messages_of(history, list)
  local keep = {}
  for id in pairs(about) do keep[id] = true end
  each_epoch(history, function(epoch)
    local is_in = false
    for i = 1, epoch.count do is_in = is_in or about[epoch[i]] or refs[epoch.refs[i]] end
    if not is_in then return end
    for i = 1, epoch.count do
      if is_wide or refs[epoch.refs[i]] then keep[epoch[i]] = true end
    end
    keep_neighbours(keep, about, epoch)
  end)
  each_epoch(history, function(epoch)
    local is_in = false
    for i = 1, epoch.count do is_in = is_in or about[epoch[i]] end
    if is_in then keep_firsts(history, keep, epoch, senders) end
  end)
  return keep
end

local function refs_of(history, keep)
  local refs = {}
  each_epoch(history, function(epoch)
    for i = 1, epoch.count do
      if keep[epoch[i]] then refs[epoch.refs[i]] = true end
    end
  end)
  for _, life in ipairs(history.lives) do
    for place, id in ipairs(life.sends) do
      if keep[id] then refs[life.send_refs[place]] = true end
    end
  end
  for _, read in ipairs(history.early) do refs[read.ref] = true end
  return refs
end

---@class corolua.check.Writer a slice that is being written
---@field refs table<integer, true>|false the lines of messages to keep; all if false
---@field several boolean whether lines of several files are put into one

-- One file has one numbering of lives, and one clock.
local function renamed(self, file, text, offset)
  if not self.several then return text end
  text = text:gsub('"h":(%d+)', function(h)
    local key = file .. " " .. h
    if not self.lives[key] then
      self.last_life = self.last_life + 1
      self.lives[key] = self.last_life
    end
    return ('"h":%d'):format(self.lives[key])
  end, 1)
  return (text:gsub('"t":(%-?%d+)', function(t)
    return ('"t":%d'):format(math.tointeger(t) + offset)
  end, 1))
end

-- What a group handled is told by how many of its life had come: of these, how
-- many are kept.
local function recounted(self, file, text)
  local h, i = text:match('"h":(%d+)'), math.tointeger(text:match('"i":(%d+)'))
  local counts = self.counts[file .. " " .. h] or {}
  return (text:gsub('"i":%d+', ('"i":%d'):format(counts[i] or 0), 1))
end

local function count(self, file, text, is_kept)
  local key = file .. " " .. text:match('"h":(%d+)')
  local counts = self.counts[key] or {}
  self.counts[key] = counts
  counts[#counts + 1] = (counts[#counts] or 0) + (is_kept and 1 or 0)
end

local function write_line(self, file, line, text, offset)
  local kind = text:match('^{"k":"(%l+)"')
  local is_kept = not self.refs or self.refs[lines.ref(file, line)] == true
  if kind == "recv" then count(self, file, text, is_kept) end
  if kind == "handled" then text = recounted(self, file, text) end
  if kind == "run" and self.has_run then return end
  if kind == "stop" then
    self.stop, self.stops = text, self.stops + 1
    if text:find('"settled":true', 1, true) then self.settled = self.settled + 1 end
    return
  end
  self.has_run = true
  if (kind == "recv" or kind == "send") and not is_kept then return end
  self.out:write(renamed(self, file, text, offset), "\n")
  self.lines = self.lines + 1
end

local function write(path, paths, refs)
  local out, why, code = io.open(path, "wb")
  if not out then return nil, why, code end
  local self = { out = out, refs = refs, several = #paths > 1, lives = {}, last_life = 0,
    counts = {}, has_run = false, stop = false, stops = 0, settled = 0, lines = 0 }
  local ok
  ok, why, code = files.each(paths, function(...) write_line(self, ...) end)
  if ok and self.stop and self.stops == #paths then
    local settled = ('"settled":%s'):format(self.settled == #paths)
    out:write((self.stop:gsub('"settled":%a+', settled)), "\n")
    self.lines = self.lines + 1
  end
  local is_written, problem, number = out:close()
  if not ok then return nil, why, code end
  if not is_written then return nil, problem, number end
  return self.lines
end

-- What is found, without what it is about.
local function shape_of(list)
  local shape = {}
  for i, finding in ipairs(list) do shape[i] = finding.property .. " " .. finding.class end
  return table.concat(shape, "\n")
end

--- Writes one.
---@param path string
---@param paths string[] of the trace
---@param history corolua.check.Past
---@param list corolua.check.Finding[] as they were found, with what they are about
---@param judge fun(path: string): corolua.check.Finding[]
---@return integer? lines how many it has
---@return string? message why it cannot be written
---@return integer? code
function slice.write(path, paths, history, list, judge)
  local shape = shape_of(list)
  for _, refs in ipairs({ refs_of(history, choose(history, list, false)),
    refs_of(history, choose(history, list, true)), false }) do
    local count_of, why, code = write(path, paths, refs)
    if not count_of then return nil, why, code end
    if not refs or shape_of(judge(path)) == shape then return count_of end
  end
end

return slice
