--- What is typed, or comes, on the standard input of `corolua lab`, and which
--- node's script it is for.

local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")
local sys = require("corolua.sys")

local typing = {}

-- So often a program in the background looks whether it is in front again.
local LOOK = 0.5

-- Reading a terminal from the background would stop the program.
local function is_in_front()
  if not sys.is_terminal(0) then return true end
  local file <close> = io.open("/proc/self/stat")
  local group, front = (file and file:read("a") or ""):match("^.*%) %S+ %d+ (%d+) %d+ %d+ (%-?%d+)")
  return group == front
end

-- Calls `take` with bytes as they come, and with nil at the end. Where it returns
-- false, the next come once it has called `go_on`.
local function read_on(input, take)
  local watch
  local function follow() end

  local function read()
    if watch then watch:cancel() end
    watch = nil
    if not is_in_front() then return scheduler.timer(LOOK, read):unref() end
    local bytes, _, code = input:read()
    if bytes == "" or not bytes and code ~= "EAGAIN" then
      input:close()
      take(nil)
    elseif not bytes or take(bytes, follow) then
      follow()
    end
  end

  -- A file can always be read, and so cannot be watched.
  function follow()
    watch = scheduler.readable(input:fileno(), read) or scheduler.timer(0, read)
    watch:unref()
  end
  follow()
end

--- Everything is for one script.
---@param script corolua.lab.Script
---@return true? reads, string? message, string? code
function typing.to_one(script)
  local input, why, code = sys.open("/dev/stdin", "r")
  if not input then return nil, why, code end
  read_on(input, function(bytes, go_on)
    if bytes then return script.input:write(bytes, go_on) end
    script.input:finish()
  end)
  return true
end

--- One line: for the node whose number it begins with.
---@param scripts table<integer, corolua.lab.Script> by node
---@param line string
---@return true? taken, string? why
function typing.take_line(scripts, line)
  local id, text = line:match("^%s*(%d+) ?(.*)$")
  if not id then return nil, "which node? '2 hello' types hello on node 2" end
  local script = scripts[math.tointeger(id)]
  if not script then
    return nil, ("there is no node %s; there are nodes 1 to %d"):format(id, #scripts)
  elseif script:has_ended() then
    return nil, ("the script on node %s has ended"):format(id)
  end
  script.input:write(text .. "\n")
  return true
end

--- Each line is for the node whose number it begins with, and the end of the
--- input is the end for all.
---@param scripts table<integer, corolua.lab.Script> by node
---@param complain fun(why: string)
---@return true? reads, string? message, string? code
function typing.by_node(scripts, complain)
  local input, why, code = sys.open("/dev/stdin", "r")
  if not input then return nil, why, code end
  local rest = ""
  read_on(input, function(bytes)
    rest = rest .. (bytes or "\n")
    for line in rest:gmatch("([^\n]+)\n") do
      local ok, problem = typing.take_line(scripts, line)
      if not ok then complain(problem) end
    end
    rest = rest:match("[^\n]*$")
    if bytes then return true end
    for _, id in ipairs(lists.keys(scripts)) do scripts[id].input:finish() end
  end)
  return true
end

return typing
