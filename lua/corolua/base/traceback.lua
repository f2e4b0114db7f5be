--- Tracebacks as somebody who wrote a script reads them: without the functions
--- of corolua itself, which stand between those of the script.

local lists = require("corolua.base.lists")

local traceback = {}

-- The folder that our Lua files are in, with a slash at its end.
local function own_folder()
  local path = package.searchpath("corolua", package.path) or ""
  return path:match("^(.*/)corolua/init%.lua$")
end

-- What is in the program has the bare path of its module; of a long name Lua
-- shows the end.
local function is_own(source, folder)
  local head, module = source:match("^(.*)(corolua/.*)%.lua$")
  if not module then return false end
  if head == "" then
    return package.preload[module:gsub("/init$", ""):gsub("/", ".")] ~= nil
  end
  local tail = head:match("^%.%.%.(.*)$")
  return folder ~= nil and (head == folder or tail ~= nil and folder:sub(-#tail) == tail)
end

local function is_between(line)
  return line:find("^\t%[C%]:") or line:find("^\t%(%.%.%.tail calls")
end

-- From the outermost frame, which is the program's own, inwards: what C does it
-- does for the frame that called it.
local function without_own(frames, folder)
  local kept, for_us = {}, true
  for i = #frames, 1, -1 do
    local source = frames[i]:match("^\t(.-%.lua):%d+: ")
    if source and is_own(source, folder) then
      for_us = true
    elseif not (for_us and is_between(frames[i])) then
      for_us = false
      table.insert(kept, 1, frames[i])
    end
  end
  return #kept > 0 and kept or frames
end

--- The text of an error, with each traceback in it cut down to the frames of the
--- script. One that has none of them stays as it is, for whoever mends corolua,
--- and so do all with COROLUA_TRACEBACK=full in the environment.
---@param text string
---@return string
function traceback.trim(text)
  if os.getenv("COROLUA_TRACEBACK") == "full" then return text end
  local folder, lines, frames = own_folder(), {}, nil
  local function close()
    lists.append(lines, frames and without_own(frames, folder) or {})
    frames = nil
  end
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    if frames and line:sub(1, 1) == "\t" then
      frames[#frames + 1] = line
    else
      close()
      lines[#lines + 1] = line
      if line == "stack traceback:" then frames = {} end
    end
  end
  close()
  return table.concat(lines, "\n")
end

return traceback
