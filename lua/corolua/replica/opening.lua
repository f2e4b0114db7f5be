--- What a replica starts from: its log, and the state that the log makes.

local journal = require("corolua.journal")
local machines = require("corolua.replica.state_machine")
local memory = require("corolua.replica.memory")
local quorum = require("corolua.daemon.quorum")
local ballot_file = require("corolua.replica.ballot_file")
local rounds = require("corolua.replica.ballot")

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
  return log, rounds.new(saved and not lost and saved or nil, save, lost)
end

--- Opens the log and builds the state.
---@param given corolua.ReplicaOptions as checked
---@return corolua.replica.Machine? machine
---@return corolua.replica.Rounds? rounds
---@return string? message, string? code
function opening.log(given)
  local log, found, message, code = memory.new(), rounds.new(), nil, nil
  if given.dir then log, found, message, code = open_on_disk(given.dir, given.retry) end
  if not log then return nil, nil, message, code end
  local machine = machines.new(given, log)
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
