--- Terminals: whether there is one, and what marks the lines of a node on it.

local sys = require("corolua.sys")

local terminal = {}

-- Cyan, yellow, green, magenta, blue, red.
local COLOURS = { 36, 33, 32, 35, 34, 31 }

--- Whether output is to be coloured: on a terminal, unless NO_COLOR says no.
---@return boolean
function terminal.is_coloured()
  local forbidden = os.getenv("NO_COLOR")
  if forbidden and forbidden ~= "" then return false end
  return os.getenv("TERM") ~= "dumb" and sys.is_terminal(1)
end

--- What stands before each line of a node.
---@param id integer
---@param is_coloured boolean
---@return string
function terminal.mark(id, is_coloured)
  local mark = id .. "| "
  if not is_coloured then return mark end
  return ("\27[%dm%s\27[0m"):format(COLOURS[(id - 1) % #COLOURS + 1], mark)
end

return terminal
