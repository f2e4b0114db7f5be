--- The calls of a member that are not over. A call is fixed once it has come
--- back in the total order: the members at that point are those who can
--- answer, and each of them does, or leaves, or is late.

local deadlines = require("corolua.task.deadlines")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")

---@class corolua.rpc.Call
---@field number integer
---@field target corolua.rpc.Target
---@field timeout number
---@field parts table[]? what the members answer, in their order; nil until the call is fixed
---@field awaited table<corosync.Member, table>? the parts of those who have not answered
---@field missing integer how many these are
---@field answered integer
---@field is_done boolean

---@class corolua.rpc.Pending
---@field pending table<integer, corolua.rpc.Call> by number
---@field count integer
---@field last integer the number of the latest one
---@field late integer replies to calls that were over
---@field deadlines corolua.Deadlines of those that are waited for
local methods = {}
local pending_mt = { __index = methods }

local pending = {}

--- A call that is about to be sent.
---@param target corolua.rpc.Target
---@param timeout number in seconds
---@param deadline number
---@return corolua.rpc.Call
function methods:begin(target, timeout, deadline)
  local number = self.last + 1
  -- All fields that a call ever has, so that its table does not grow.
  local call = {
    number = number, target = target, timeout = timeout, deadline = deadline, is_done = false,
    place = false, parts = nil, task = nil, value = nil,
  }
  self.last, self.count = number, self.count + 1
  self.pending[number] = call
  return call
end

-- The call is over, with what it returns.
local function finish(self, call, value, message, code)
  if call.is_done then return end
  call.is_done, call.value = true, value
  if message then call.message, call.code = message, code end
  self.pending[call.number] = nil
  self.count = self.count - 1
  self.deadlines:remove(call)
  if call.task then scheduler.unpark(call.task, true) end
end

--- A call that was not sent.
---@param call corolua.rpc.Call
---@param message string
---@param code string
function methods:drop(call, message, code) finish(self, call, nil, message, code) end

local function late(call) return ("timed out after %g s"):format(call.timeout) end

local function set_late(call)
  for _, part in pairs(call.awaited) do part.error, part.code = late(call), "ERR_TIMEOUT" end
end

--- A call came back where it could not be performed.
---@param number integer
---@param message string
---@param code string
function methods:refused(number, message, code)
  local call = self.pending[number]
  if call then finish(self, call, nil, message, code) end
end

-- The deadline is reached.
local function expire(self, call)
  local target, parts = call.target, call.parts
  if target.member or not parts then
    finish(self, call, nil, late(call), "ERR_TIMEOUT")
  elseif target.is_majority then
    finish(self, call, nil, ("%s: %d of %d members answered"):format(late(call), call.answered,
      #parts), "ERR_TIMEOUT")
  else
    set_late(call)
    finish(self, call, parts)
  end
end

---@return corolua.rpc.Pending
function pending.new()
  local self = setmetatable({ pending = {}, count = 0, last = 0, late = 0 }, pending_mt)
  self.deadlines = deadlines.new(function(call) expire(self, call) end)
  return self
end

--- Waits until the call is over: what it returns.
---@param call corolua.rpc.Call
---@return any value, string? message, string? code
function methods:wait(call)
  if not call.is_done and call.deadline <= scheduler.now() then expire(self, call) end
  if not call.is_done then
    self.deadlines:add(call, call.deadline)
    call.task = scheduler.current()
    local woken, message, code = scheduler.park()
    call.task = nil
    if not woken then self:drop(call, message, code) end
  end
  if call.code then return nil, call.message, call.code end
  return call.value
end

local function by_id(a, b)
  local one, other = a.member, b.member
  if one.nodeid ~= other.nodeid then return one.nodeid < other.nodeid end
  return one.pid < other.pid
end

local ABSENT = "the member is not in the group"

-- Those who were asked by name and are not there have a part as well.
local function add_absent(call, members)
  for _, member in ipairs(call.target.list) do
    if not lists.contains(members, member) then
      table.insert(call.parts, { member = member, error = ABSENT, code = "ERR_NOT_EXIST" })
    end
  end
  table.sort(call.parts, by_id)
end

-- What the parts that are complete make of the call.
local function look(self, call)
  local parts = call.parts
  if not call.target.is_majority then
    if call.missing == 0 then finish(self, call, parts) end
    return
  end
  local needed = #parts // 2 + 1
  if call.answered >= needed then
    local complete = {}
    for _, part in ipairs(parts) do
      if not call.awaited[part.member] then complete[#complete + 1] = part end
    end
    finish(self, call, complete)
  elseif call.answered + call.missing < needed then
    finish(self, call, nil, ("no majority: %d of %d members answered, and too many left")
      :format(call.answered, #parts), "ERR_LEFT")
  end
end

local function fix_parts(self, call, members)
  local wanted = call.target.wanted
  local parts, awaited = {}, {}
  for i = 1, #members do
    local member = members[i]
    if not wanted or wanted[member] then
      local part = { member = member }
      parts[#parts + 1], awaited[member] = part, part
    end
  end
  call.parts, call.awaited, call.missing, call.answered = parts, awaited, #parts, 0
  if wanted then add_absent(call, members) end
  look(self, call)
end

--- The call has come back: these are the members.
---@param number integer
---@param members corosync.Member[]
function methods:echo(number, members)
  local call = self.pending[number]
  if not call then return end
  local member = call.target.member
  if not member then return fix_parts(self, call, members) end
  call.parts = true
  if not lists.contains(members, member) then finish(self, call, nil, ABSENT, "ERR_NOT_EXIST") end
end

-- The part of a member is complete.
local function complete(self, call, part)
  call.awaited[part.member] = nil
  call.missing = call.missing - 1
  look(self, call)
end

--- The call that waits for a reply of this member; nil if none does.
---@param number integer
---@param from corosync.Member
---@return corolua.rpc.Call?
function methods:awaiting(number, from)
  local call = self.pending[number]
  if call and call.parts then
    local member = call.target.member
    if member == from or not member and call.awaited[from] then return call end
  end
  self.late = self.late + 1
  return nil
end

--- A member has answered.
---@param call corolua.rpc.Call that waits for it
---@param from corosync.Member
---@param value any
---@param text string? the error, where it is one
---@param code string?
function methods:answer(call, from, value, text, code)
  if call.target.member then return finish(self, call, value, text, code) end
  local part = call.awaited[from]
  part.result, part.error, part.code = value, text, code
  call.answered = call.answered + 1
  complete(self, call, part)
end

local function leave(self, call, change)
  local member = change.member
  local text = ("the member left (%s)"):format(change.reason)
  if call.target.member == member then
    finish(self, call, nil, text, "ERR_LEFT")
  elseif not call.target.member and call.awaited[member] then
    local part = call.awaited[member]
    part.error, part.code = text, "ERR_LEFT"
    complete(self, call, part)
  end
end

-- What happens to all calls happens to them in the order they were made.
local function calls_in_order(self)
  local list = lists.keys(self.pending)
  for i, number in ipairs(list) do list[i] = self.pending[number] end
  return list
end

--- Members left: they answer no more what they were asked before.
---@param left corosync.cpg.Change[]
function methods:left(left)
  for _, change in ipairs(left) do
    for _, call in ipairs(calls_in_order(self)) do
      if call.parts then leave(self, call, change) end
    end
  end
end

--- All calls end without a reply.
---@param message string
---@param code string
function methods:fail(message, code)
  for _, call in ipairs(calls_in_order(self)) do finish(self, call, nil, message, code) end
end

return pending
