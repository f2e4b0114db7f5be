--- What a replica starts from: its log, and the state that the log makes.

local journal = require("corolua.journal")
local state_machine = require("corolua.replica.state_machine")
local memory = require("corolua.replica.memory")
local quorum = require("corolua.daemon.quorum")
local ballot_file = require("corolua.replica.ballot_file")
local ballot = require("corolua.replica.ballot")

local opening = {}

local function open_on_disk(dir, retry)
  local log, message, code = journal.open(dir, { retry = retry })
  if not log then return nil, nil, message, code end
  local saved
  saved, message, code = ballot_file.load(dir)
  if saved == nil then
    log:close()
    return nil, nil, message, code
  end
  local lost = saved and saved.lost
  local function save(round) return ballot_file.save(dir, round) end
  return log, ballot.new(saved and not lost and saved or nil, save, lost)
end

--- Opens the log and builds the state.
---@param given table options as checked
---@return corolua.replica.StateMachine? machine
---@return corolua.replica.Ballot? ballot
---@return string? message, string? code
function opening.log(given)
  local log, found, message, code = memory.new(), ballot.new(), nil, nil
  if given.dir then log, found, message, code = open_on_disk(given.dir, given.retry) end
  if not log then return nil, nil, message, code end
  local machine = state_machine.new(given, log)
  local done
  done, message, code = machine:build()
  if done then return machine, found end
  log:close()
  return nil, nil, message, code
end

--- On a node of a lab a replica is closed with its cluster.
---@param self corolua.Replica
function opening.close_with(self)
  local place = self.room.place
  if place == quorum.HERE then return end
  place.key:at_close(function()
    if self.member.phase ~= "over" then self:leave() end
  end)
end

return opening
