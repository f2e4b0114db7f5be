--- Output of several nodes on one terminal: whole lines, each with its node.

local lfs = require("lfs")

local prefix = {}

---@class corolua.lab.Prefix
---@field mark string what stands before each line
---@field rest string the beginning of a line whose end has not come yet
local methods = {}
local prefix_mt = { __name = "corolua.lab.prefix", __index = methods }

-- Cyan, yellow, green, magenta, blue, red.
local COLOURS = { 36, 33, 32, 35, 34, 31 }

--- Whether a descriptor of this program is a terminal.
---@param fd integer
---@return boolean
function prefix.is_terminal(fd)
  local target = lfs.symlinkattributes("/proc/self/fd/" .. fd, "target") or ""
  return target:match("^/dev/pts/%d+$") ~= nil or target:match("^/dev/tty") ~= nil
    or target == "/dev/console"
end

--- Whether output is to be coloured: on a terminal, unless NO_COLOR says no.
---@return boolean
function prefix.is_wanted()
  local forbidden = os.getenv("NO_COLOR")
  if forbidden and forbidden ~= "" then return false end
  return os.getenv("TERM") ~= "dumb" and prefix.is_terminal(1)
end

--- A printer for one node.
---@param id integer
---@param is_coloured boolean
---@param file file*? standard output unless told
---@return corolua.lab.Prefix
function prefix.new(id, is_coloured, file)
  local mark = id .. "| "
  if is_coloured then
    mark = ("\27[%dm%s\27[0m"):format(COLOURS[(id - 1) % #COLOURS + 1], mark)
  end
  return setmetatable({ mark = mark, rest = "", file = file or io.stdout }, prefix_mt)
end

--- Prints the lines that are whole, and keeps the rest.
---@param bytes string
function methods:write(bytes)
  local text = self.rest .. bytes
  local whole, rest = text:match("^(.*\n)(.*)$")
  self.rest = rest or text
  if not whole then return end
  self.file:write((whole:gsub("[^\n]*\n", function(line) return self.mark .. line end)))
  self.file:flush()
end

--- Prints what is left, with the end of line that it lacks.
function methods:finish()
  if self.rest ~= "" then self:write("\n") end
end

return prefix
