--- The last thing a program does: its thin cpg handles leave their groups, are
--- drained until they have left, and are finalized with all the others. A thread
--- asks the daemon for that, as one that hangs never answers.

local host = require("corolua.host")
local scheduler = require("corolua.scheduler")

-- For all handles together, to leave, to have left, and to be finalized each.
local DRAIN_SECONDS = 1
local STEP_SECONDS = 0.005

local function state_of(handle)
  local ok, state = pcall(function() return handle:state() end)
  return ok and state or nil
end

-- Calls the function with each handle, side by side.
local function with_each(handles, fn)
  local tasks = {}
  for i, handle in ipairs(handles) do tasks[i] = scheduler.spawn(fn, handle) end
  for _, task in ipairs(tasks) do task:wait() end
end

local function leave_all(handles, blocking)
  with_each(handles, function(handle)
    if state_of(handle) == "joined" then blocking.call(handle, "leave", nil, DRAIN_SECONDS) end
  end)
  local leaving = {}
  for _, handle in ipairs(handles) do
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

local function leave()
  local handles = host.handles()
  if #handles == 0 then return end
  local blocking = require("corolua.blocking")
  drain_all(leave_all(handles, blocking))
  with_each(handles, function(handle) blocking.finalize(handle, DRAIN_SECONDS) end)
end

return leave
