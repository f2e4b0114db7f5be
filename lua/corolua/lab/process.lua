--- A program that runs on a node, in a process group of its own.

local explain = require("corolua.lab.explain")
local sandbox = require("corolua.lab.sandbox")
local files = require("corolua.lab.files")
local lists = require("corolua.base.lists")
local processes = require("corolua.task.process")

local process = {}

---@class corolua.lab.ProcessOptions
---@field list table<corolua.Process, true> in which it stands while it runs
---@field env string[] settings of its environment
---@field takes_input boolean? through `input`; else it reads /dev/null

local function options_on(space, given)
  local env = files.environment()
  lists.append(env, given.env)
  return {
    net = space, list = given.list, guard = sandbox.guard, env = env,
    takes_input = given.takes_input,
  }
end

--- Starts a program on a node; both its output and its errors are told of.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param given corolua.lab.ProcessOptions
---@param on corolua.ProcessEvents
---@return corolua.Process? process, string? message, string? code
function process.start(space, command, given, on)
  local self, why, code = processes.start(command, options_on(space, given), on)
  if not self then return explain.explain_process(why, code) end
  return self
end

--- Runs a program to its end.
---@param space userdata the node's network
---@param command string[] the program and its arguments
---@param given corolua.lab.ProcessOptions
---@return corolua.ExecResult? result, string? message, string? code
function process.run(space, command, given)
  local result, why, code = processes.run(command, options_on(space, given))
  if not result then return explain.explain_process(why, code) end
  return result
end

return process
