--- What is done once, and may be asked for again: whoever asks later, or meanwhile,
--- gets what came of it.

local condition = require("corolua.task.condition")

---@class corolua.Once
---@field private running corolua.Condition|false
---@field private outcome table|false
local methods = {}
local once_mt = { __index = methods }

local once = {}

---@return corolua.Once
function once.new() return setmetatable({ running = false, outcome = false }, once_mt) end

-- Left before its end, it is run by the next one that asks.
local function run(self, fn, ...)
  local running = condition.new()
  local _ <close> = setmetatable({}, { __close = function()
    self.running = false
    running:notify()
  end })
  self.running = running
  self.outcome = table.pack(fn(...))
end

--- Calls the function unless one was called to its end. Waits for one that runs.
---@param fn fun(...): true?, string?, string?
---@param ... any its arguments
---@return true? done, string? message, string? code also "ERR_INTERRUPT"
function methods:run(fn, ...)
  while self.running do
    local notified, message, code = self.running:wait()
    if not notified then return nil, message, code end
  end
  if not self.outcome then run(self, fn, ...) end
  if self.outcome[1] then return true end
  return table.unpack(self.outcome, 1, 3)
end

return once
