--- The command `corolua help`: the text that `--help` of a command prints.

local names = require("corolua.base.names")
local command_line = require("corolua.cli.command_line")

local help = {}

--- The command.
---@param word string? the command to tell of
---@return integer status
function help.main(word)
  if word == nil or word == "help" or word == "--help" or word == "-h" then
    io.stdout:write(command_line.help)
    return 0
  end
  local module = command_line.commands[word]
  if module then return require(module).main("--help") end
  io.stderr:write(("corolua help: there is no command '%s'%s\n")
    :format(word, names.hint(word, command_line.commands)))
  return 2
end

return help
