--- A program that runs on a node, in a process group of its own.

local explain = require("corolua.lab.explain")
local sandbox = require("corolua.lab.sandbox")
local files = require("corolua.lab.files")
local lists = require("corolua.base.lists")
local processes = require("corolua.task.process")
local tracing = require("corolua.lab.tracing")

local process = {}

local function options_on(space, list)
  local env = files.environment()
  lists.append(env, tracing.settings(space))
  return { net = space, list = list, guard = sandbox.guard, env = env }
end

--- Starts a program on a node; both its output and its errors are told of.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param list table<corolua.Process, true> in which it stands while it runs
---@param on corolua.ProcessEvents
---@param takes_input boolean? through `input`; else it reads /dev/null
---@return corolua.Process? process, string? message, string? code
function process.start(space, command, list, on, takes_input)
  local options = options_on(space, list)
  options.takes_input = takes_input
  local self, why, code = processes.start(command, options, on)
  if not self then return explain.explain_process(why, code) end
  return self
end

--- Runs a program to its end.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param list table<corolua.Process, true> in which it stands while it runs
---@return { status: integer, output: string }? result, string? message, string? code
function process.run(space, command, list)
  local result, why, code = processes.run(command, options_on(space, list))
  if not result then return explain.explain_process(why, code) end
  return result
end

return process
