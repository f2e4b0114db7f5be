--- Whether a history is linearizable (Herlihy and Wing 1990): whether each
--- operation may have happened at one moment between its call and its return, so
--- that what was returned fits. The search is that of Wing and Gong (1993), with
--- Lowe's (2017) memory of what was tried.

local linearizable = {}

---@class corolua.check.Operation what a client did, and what it saw
---@field start number when it was called, by one clock for all clients
---@field stop? number when it returned; nil where that is not known: it may have happened at any
--- time after its call, or not at all
---@field kind "read"|"write" for a register; for a model of your own whatever it reads
---@field value any read, or written

---@class corolua.check.Model what the operations work on
---@field initial any the state before the first one
---@field step fun(state: any, operation: corolua.check.Operation): boolean, any whether what it
--- returned fits, and the state after it; the state that was given stays as it is
---@field key? fun(state: any): string equal for equal states alone; tostring unless told, which
--- does for strings, numbers and booleans

--- The model of a register, which has the initial value until something is
--- written. The values are strings, numbers or booleans.
---@param initial any
---@return corolua.check.Model
function linearizable.register(initial)
  return {
    initial = initial,
    step = function(state, operation)
      if operation.kind == "write" then return true, operation.value end
      return operation.value == state, state
    end,
  }
end

local NO_TIMES = "operation %d: start must be a number, and stop nil or a number not below it"

local function check_times(history, level)
  for i, operation in ipairs(history) do
    local start, stop = operation.start, operation.stop
    if type(start) ~= "number" or stop ~= nil and (type(stop) ~= "number" or stop < start) then
      error(NO_TIMES:format(i), level + 1)
    end
  end
end

-- A call comes before a return of the same moment: so they overlap.
local function is_before(one, other)
  if one.time ~= other.time then return one.time < other.time end
  return one.is_call and not other.is_call
end

-- Calls and returns in order, as a list with a head; how many have returned.
local function make_list(history)
  local events, returned = {}, 0
  for number, operation in ipairs(history) do
    local call = { time = operation.start, is_call = true, operation = operation,
      number = number - 1, has_returned = operation.stop ~= nil }
    call.match = { time = operation.stop or math.huge, operation = operation }
    if operation.stop then returned = returned + 1 end
    table.insert(events, call)
    table.insert(events, call.match)
  end
  table.sort(events, is_before)
  local head = {}
  local last = head
  for _, event in ipairs(events) do
    event.before, last.next = last, event
    last = event
  end
  return head, returned
end

local function take_out(event)
  event.before.next = event.next
  if event.next then event.next.before = event.before end
end

local function put_back(event)
  event.before.next = event
  if event.next then event.next.before = event end
end

local function lift(call)
  take_out(call)
  take_out(call.match)
end

local function unlift(call)
  put_back(call.match)
  put_back(call)
end

local WORD = 48

-- The operations that are in the order so far, as a set of bits.
local function flip(bits, number)
  local word = number // WORD + 1
  bits[word] = bits[word] ~ (1 << number % WORD)
end

local function empty_set(size)
  local bits = {}
  for word = 1, size // WORD + 1 do bits[word] = 0 end
  return bits
end

local function key_of(search)
  return table.concat(search.bits, ",") .. ";" .. search.key(search.state)
end

-- The search: `state` after the calls on the `stack`, in that order.
local function new_search(history, model)
  local head, left = make_list(history)
  return {
    head = head, left = left, step = model.step, key = model.key or tostring,
    state = model.initial,
    bits = empty_set(#history), seen = {}, stack = {}, depth = -1,
  }
end

-- Has the call happen next, unless that was tried from the same state before.
local function go_on(search, call)
  local before = search.state
  local fits, state = search.step(before, call.operation)
  if not fits then return false end
  flip(search.bits, call.number)
  search.state = state
  local key = key_of(search)
  if search.seen[key] then
    flip(search.bits, call.number)
    search.state = before
    return false
  end
  search.seen[key] = true
  table.insert(search.stack, { call = call, state = before })
  if call.has_returned then search.left = search.left - 1 end
  lift(call)
  return true
end

-- Takes the last call back; what to try instead, or nil.
local function go_back(search)
  local last = table.remove(search.stack)
  if not last then return nil end
  search.state = last.state
  flip(search.bits, last.call.number)
  if last.call.has_returned then search.left = search.left + 1 end
  unlift(last.call)
  return last.call.next
end

-- What stands in the way of the longest order that was found.
local function note(search, event)
  if #search.stack <= search.depth then return end
  search.depth, search.blocked = #search.stack, event.operation
end

--- Whether the history of one object fits the model. If not, also the operation
--- that stood in the way of the longest order that was found. Objects that do not
--- touch each other are checked one by one, which is much faster.
---@param history corolua.check.Operation[] in any order
---@param model corolua.check.Model
---@return boolean is_linearizable
---@return corolua.check.Operation? blocked
function linearizable.check(history, model)
  check_times(history, 2)
  local search = new_search(history, model)
  local event = search.head.next
  while search.left > 0 do
    if event.is_call and go_on(search, event) then
      event = search.head.next
    elseif event.is_call then
      event = event.next
    else
      note(search, event)
      event = go_back(search)
      if not event then return false, search.blocked end
    end
  end
  return true
end

--- The history of a register without what says nothing, and costs time: reads that
--- have not returned, and writes that have not and whose value nobody has read.
--- Only for histories in which no value is written twice.
---@param history corolua.check.Operation[]
---@return corolua.check.Operation[]
function linearizable.prune(history)
  local read, kept = {}, {}
  for _, operation in ipairs(history) do
    if operation.kind == "read" and operation.stop then read[operation.value] = true end
  end
  for _, operation in ipairs(history) do
    if operation.stop or operation.kind == "write" and read[operation.value] then
      table.insert(kept, operation)
    end
  end
  return kept
end

return linearizable
