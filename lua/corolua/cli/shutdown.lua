--- The last thing a program does: its thin cpg handles leave their groups, are
--- drained until they have left, and are finalized with all the others.

local host = require("corolua.host")
local scheduler = require("corolua.task.scheduler")

-- For all handles together.
local DRAIN_SECONDS = 1
local STEP_SECONDS = 0.005

local function state_of(handle)
  local ok, state = pcall(function() return handle:state() end)
  return ok and state or nil
end

local function leave_all(handles)
  local leaving = {}
  for _, handle in ipairs(handles) do
    if state_of(handle) == "joined" then pcall(handle.leave, handle) end
    if state_of(handle) == "leaving" then leaving[#leaving + 1] = handle end
  end
  return leaving
end

-- Events that come now go to their handlers, as they always did; a handler
-- that raises loses only its own handle's drain.
local function drain(handle)
  local ok, done = pcall(handle.dispatch, handle, "all")
  return ok and done and state_of(handle) == "leaving"
end

local function drain_all(leaving)
  local deadline = scheduler.now() + DRAIN_SECONDS
  while #leaving > 0 and scheduler.now() < deadline do
    for i = #leaving, 1, -1 do
      if not drain(leaving[i]) then table.remove(leaving, i) end
    end
    if #leaving > 0 then scheduler.sleep(STEP_SECONDS) end
  end
end

local function shutdown()
  local handles = host.handles()
  drain_all(leave_all(handles))
  for _, handle in ipairs(handles) do pcall(handle.finalize, handle) end
end

return shutdown
