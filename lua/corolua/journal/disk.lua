--- The folder of a journal: work on its files that a task waits for, done by
--- `corolua.file` off the loop.

local file = require("corolua.file")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

local disk = {}

-- How many files may be open.
local SLOTS = 4

local CLOSED = "the files are closed"

---@class corolua.journal.Disk
---@field folder string
---@field private file userdata
local methods = {}
local mt = { __index = methods }

--- A disk with a thread of its own; it ends with `close`, or when collected.
---@param folder string
---@return corolua.journal.Disk? disk
---@return string? message
---@return string? code
function disk.new(folder)
  local worker, message, code = file.start()
  if not worker then return nil, message, code end
  return setmetatable({ folder = folder, file = worker, waiting = {}, running = 0 }, mt)
end

local function rest(self)
  self.running = self.running - 1
  if self.running > 0 or not self.watch then return end
  self.watch:cancel()
  self.watch = nil
end

local function hand_over(self, done, ...)
  if not done then return false end
  lists.remove(self.waiting, done)
  rest(self)
  done(...)
  return true
end

-- Work that is under way keeps the program running.
local function follow(self)
  self.running = self.running + 1
  if self.watch then return end
  self.watch = assert(scheduler.readable(self.file:fd(), function()
    while self.file and hand_over(self, self.file:take()) do end
  end))
end

local DEAF = { interruptible = false }

--- Has an operation of `corolua.file` done, and waits for it.
---@param operation string
---@param ... any its arguments
---@return any? result
---@return string? message
---@return string? code of the system: "ENOSPC"
function methods:call(operation, ...)
  if not self.file then return nil, CLOSED, "ECANCELED" end
  local arguments = table.pack(...)
  return scheduler.await(function(resume)
    self.file:begin(operation, resume, table.unpack(arguments, 1, arguments.n))
    table.insert(self.waiting, resume)
    follow(self)
  end, nil, DEAF)
end

--- The path of a file of the folder.
---@param name string
---@return string
function methods:path(name) return self.folder .. "/" .. name end

--- Waits until all files are closed, so that another one may have them. Who waits
--- for anything else is told that they are.
function methods:close()
  for slot = 1, SLOTS do self:call("close", slot) end
  for _, resume in ipairs(self.waiting) do resume(nil, CLOSED, "ECANCELED") end
  self.waiting = {}
  if self.watch then self.watch:cancel() end
  self.watch = nil
  if self.file then self.file:close() end
  self.file = nil
end

return disk
