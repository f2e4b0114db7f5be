--- The log of a replica, and what is made of it as it is opened: the state, and the
--- round that is kept beside it. Without a folder all of it is in memory only, and
--- gone with the process.

local ballot = require("corolua.replica.ballot")
local journal = require("corolua.journal")
local state_machine = require("corolua.replica.state_machine")

local log = {}

---@class corolua.replica.Memory what a replica uses of a `corolua.Journal`
---@field base { index: integer, snapshot: string?, meta: string? }
---@field last integer index of the last record
---@field written integer
---@field list table<integer, string> the records behind the base
---@field on { written: fun()?, failed: fun(message: string, code: string)? }
---@field is_closed boolean?
local methods = {}
local memory_mt = { __index = methods }

---@return corolua.replica.Memory
function log.memory()
  return setmetatable({
    base = { index = 0 }, last = 0, written = 0, list = {}, on = {},
  }, memory_mt)
end

function methods:append(bytes)
  local index = self.last + 1
  self.list[index] = bytes
  self.last, self.written = index, index
  return index
end

function methods:record(index) return self.list[index] end

function methods:cut(index)
  for i = index + 1, self.last do self.list[i] = nil end
  self.last, self.written = index, index
  return true
end

function methods:replace(index, snapshot, meta)
  self.base = { index = index, snapshot = snapshot, meta = meta }
  self.list, self.last, self.written = {}, index, index
  return true
end

function methods:compact(index, snapshot, meta)
  for i = self.base.index + 1, index do self.list[i] = nil end
  self.base = { index = index, snapshot = snapshot, meta = meta }
  return true
end

function methods:close() self.is_closed = true end

local function open_on_disk(given)
  local kept, message, code = journal.open(given.dir, { retry = given.retry })
  if not kept then return nil, nil, message, code end
  local round
  round, message, code = ballot.open(given.dir)
  if round then return kept, round end
  kept:close()
  return nil, nil, message, code
end

--- Opens the log and builds the state.
---@param given corolua.ReplicaOptions as checked
---@return corolua.replica.StateMachine? machine
---@return corolua.replica.Ballot? ballot
---@return string? message, string? code
function log.open(given)
  local kept, round, message, code = log.memory(), ballot.new(), nil, nil
  if given.dir then kept, round, message, code = open_on_disk(given) end
  if not kept then return nil, nil, message, code end
  local machine = state_machine.new(given, kept)
  local done
  done, message, code = machine:build()
  if done then return machine, round end
  kept:close()
  return nil, nil, message, code
end

return log
