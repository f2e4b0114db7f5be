--- The deadlines of many waits under one timer: most waits end long before
--- theirs, and a timer for each would cost more than all else they do.
---
--- A heap by deadline, in two arrays. Who is removed leaves its place empty
--- until that comes up, or until the heap is mostly such: adding and removing
--- touch nobody else.

local loop = require("corolua.loop")
local scheduler = require("corolua.task.scheduler")

---@class corolua.Deadlines
---@field private keys number[] the deadlines, as a heap
---@field private entries (table|false)[] whose they are; false where one was removed
---@field private size integer of the heap
---@field private live integer entries that are not removed
---@field private due number|false when the timer ends
---@field private timer corolua.Watch|false
---@field private expire fun(entry: table)
local methods = {}
local deadlines_mt = { __name = "corolua.deadlines", __index = methods }

local deadlines = {}

-- Deadlines that are closer to each other are looked at together.
local PAUSE = 0.001

-- So many empty places are no reason to tidy up.
local SLACK = 64

--- The entries are tables of the caller; their field `place` is false before
--- they are added, and is written here only.
---@param expire fun(entry: table) called once for each whose deadline is reached; must not wait
---@return corolua.Deadlines
function deadlines.new(expire)
  return setmetatable({
    keys = {}, entries = {}, size = 0, live = 0, due = false, timer = false, expire = expire,
  }, deadlines_mt)
end

local function put(self, at, key, entry)
  self.keys[at], self.entries[at] = key, entry
  if entry then entry.place = at end
end

local function sift_down(self, at, key, entry)
  local keys, size = self.keys, self.size
  while 2 * at <= size do
    local child = 2 * at
    if child < size and keys[child + 1] < keys[child] then child = child + 1 end
    if keys[child] >= key then break end
    put(self, at, keys[child], self.entries[child])
    at = child
  end
  put(self, at, key, entry)
end

local function push(self, key, entry)
  local keys, at = self.keys, self.size + 1
  self.size = at
  while at > 1 do
    local parent = at // 2
    if keys[parent] <= key then break end
    put(self, at, keys[parent], self.entries[parent])
    at = parent
  end
  put(self, at, key, entry)
end

local function pop(self)
  local keys, entries, size = self.keys, self.entries, self.size
  local entry, key, last = entries[1], keys[size], entries[size]
  keys[size], entries[size] = nil, nil
  self.size = size - 1
  if size > 1 then sift_down(self, 1, key, last) end
  return entry
end

-- The empty places go.
local function tidy(self)
  local keys, entries, size = self.keys, self.entries, self.size
  self.keys, self.entries, self.size = {}, {}, 0
  for i = 1, size do
    if entries[i] then push(self, keys[i], entries[i]) end
  end
end

local watch

local function expire_all(self)
  local now = scheduler.now()
  while self.size > 0 do
    local entry, key = self.entries[1], self.keys[1]
    if entry and key > now then return watch(self, math.max(key, now + PAUSE)) end
    pop(self)
    if entry then
      entry.place = false
      self.live = self.live - 1
      self.expire(entry)
    end
  end
end

-- The timer outlives the entries it was set for, and keeps the program running
-- only while there are any.
watch = function(self, deadline)
  if self.due and self.due <= deadline then return end
  if self.due then self.timer:cancel() end
  self.due = deadline
  self.timer = loop.timer(scheduler.left_until(deadline), function()
    self.due, self.timer = false, false
    expire_all(self)
  end)
end

--- Has `expire` called with the entry at the deadline, unless it is removed.
---@param entry table that is not added at present
---@param deadline number by the clock of `scheduler.now`
function methods:add(entry, deadline)
  if self.size > 2 * self.live + SLACK then tidy(self) end
  push(self, deadline, entry)
  self.live = self.live + 1
  watch(self, deadline)
  if self.live == 1 then self.timer:ref() end
end

--- The deadline of the entry does not matter any more; may be repeated.
---@param entry table
function methods:remove(entry)
  local place = entry.place
  if not place then return end
  entry.place, self.entries[place] = false, false
  self.live = self.live - 1
  if self.live == 0 and self.timer then self.timer:unref() end
end

return deadlines
