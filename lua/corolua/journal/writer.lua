--- What a journal has to write: items in order, each settled once it is on the
--- disk. One task writes; all records that came while it waited for the disk go
--- into the next frame.

local fifo = require("corolua.base.fifo")
local frame = require("corolua.journal.frame")
local scheduler = require("corolua.task.scheduler")

local writer = {}

-- Bytes of records in one frame, unless a single one is longer.
local BATCH = 1 << 20

-- A write that failed is tried again after so many seconds, doubled each time.
local FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1

-- So long after the last write the log is sealed, and so often it is marked
-- while writing goes on.
local SEAL_AFTER = 1

local CODES = {
  ENOSPC = "ERR_NO_SPACE", EDQUOT = "ERR_NO_SPACE", EFBIG = "ERR_NO_SPACE",
  EACCES = "ERR_ACCESS", EPERM = "ERR_ACCESS", EROFS = "ERR_ACCESS",
}

---@class corolua.journal.Writer
local methods = {}
local mt = { __index = methods }

--- A writer into the log. Its owner has `settle(items)`, called when records are
--- on the disk, and `fail(problem)`, when it gives up; both must not wait.
---@param log corolua.journal.LogFile
---@param events corolua.Events
---@param retry number seconds
---@param owner table
---@return corolua.journal.Writer
function writer.new(log, events, retry, owner)
  return setmetatable({
    log = log, events = events, retry = retry, owner = owner,
    queue = fifo.new(), -- of the items that wait
    appended = 0, settled = 0, -- how many items ever
    waiters = fifo.new(),
  }, mt)
end

local function wake(self)
  while self.waiters:peek() do
    if not self.failed and self.waiters:peek().item > self.settled then return end
    local waiter = self.waiters:take()
    if self.failed then
      waiter.resume(nil, self.failed.message, self.failed.code)
    else
      waiter.resume(true)
    end
  end
end

--- What an error of the system is called by a journal.
---@param code string "ENOSPC"
---@return string code "ERR_NO_SPACE"
function writer.code(code)
  if code:find("^ERR_") then return code end
  return CODES[code] or "ERR_FAILED_OPERATION"
end

--- Takes out what waits to be written.
---@return integer weight of what was taken out
function methods:drop()
  local weight = 0
  for item in self.queue.take, self.queue do
    if item.refuse then item.refuse() end
    weight = weight + (item.weight or 1)
  end
  self.appended = self.appended - weight
  return weight
end

local function fail(self, message, code)
  self.failed = { message = message, code = code }
  self.owner.fail(self.failed)
  self:drop()
  self.events:tell("failed", message, code)
  wake(self)
  return nil, message, code
end

--- Tries until it is done, or the time for that is over: then nothing is done
--- any more.
---@param attempt fun(): any?, string?, string?
---@return any? done
---@return string? message
---@return string? code
function methods:persist(attempt)
  local deadline, pause, is_told = scheduler.now() + self.retry, FIRST_PAUSE, false
  while true do
    local done, message, code = attempt()
    if done then
      if is_told then self.events:tell("recovered") end
      return done
    end
    message = ("%s: %s"):format(self.log.disk:path("log"), message)
    code = writer.code(code)
    if not is_told then self.events:tell("trouble", message, code) end
    is_told = true
    local left = deadline - scheduler.now()
    if left <= 0 or not scheduler.sleep(math.min(pause, left)) then
      return fail(self, message, code)
    end
    pause = math.min(pause * 2, LONGEST_PAUSE)
  end
end

-- Takes what goes into the next frame.
local function take_records(self)
  local items, size = {}, 0
  local item = self.queue:peek()
  while item and item.bytes and (#items == 0 or size + #item.bytes <= BATCH) do
    items[#items + 1] = self.queue:take()
    size = size + #item.bytes
    item = self.queue:peek()
  end
  return items
end

local function write_records(self)
  local items, records = take_records(self), {}
  for i, item in ipairs(items) do records[i] = item.bytes end
  local payload = frame.pack_records(records)
  local done = self:persist(function()
    return self.log:add("records", items[1].index, #items, payload)
  end)
  if not done then return end
  self.wrote_at = scheduler.now()
  self.settled = self.settled + #items
  self.owner.settle(items)
end

local function write_other(self)
  local item = self.queue:take()
  if not item.write(item) then return end
  self.settled = self.settled + item.weight
end

-- Has it noted how far the log is on the disk: as its end, or as a place on the
-- way if more is written.
local function push_note(self, method)
  self:push({
    weight = 1,
    write = function()
      return self:persist(function() return self.log[method](self.log) end)
    end,
  })
end

local function start_seal(self)
  if self.seal_timer or self.failed or self.log:is_sealed() then return end
  self.seal_timer = scheduler.timer(SEAL_AFTER, function()
    self.seal_timer = nil
    if self.failed or self.log:is_sealed() then return end
    local idle = scheduler.now() - (self.wrote_at or 0)
    push_note(self, (self.is_running or idle < SEAL_AFTER) and "mark" or "seal")
  end)
  self.seal_timer:unref()
end

local function run(self)
  while self.queue:peek() and not self.failed do
    if self.queue:peek().bytes then write_records(self) else write_other(self) end
    start_seal(self)
    wake(self)
  end
  self.is_running = false
end

--- Puts an item behind the others: a record has `bytes` and
--- `index`; anything else `write`, which waits until it is on the disk, and `weight`.
---@param item table
function methods:push(item)
  self.queue:add(item)
  self.appended = self.appended + (item.weight or 1)
  if self.is_running then return end
  self.is_running = true
  scheduler.spawn(run, self)
end

--- Waits until all that was pushed is on the disk.
---@param timeout number? in seconds
---@return boolean? done
---@return string? message
---@return string? code
function methods:sync(timeout)
  if self.failed then return nil, self.failed.message, self.failed.code end
  if self.settled >= self.appended then return true end
  return scheduler.await(function(resume)
    self.waiters:add({ item = self.appended, resume = resume })
  end, timeout)
end

--- Waits until all is on the disk, and the log is sealed.
---@return boolean? done
---@return string? message
---@return string? code
function methods:finish()
  local done, message, code = self:sync()
  if done and not self.log:is_sealed() then
    push_note(self, "seal")
    done, message, code = self:sync()
  end
  if self.seal_timer then self.seal_timer:cancel() end
  self.seal_timer = nil
  return done, message, code
end

return writer
