--- How a program ends. At a stop waits are interrupted; what goes on for a
--- second more is interrupted itself, by an error in the script's own code, and
--- may then wait again for what it has to close. One deadline holds for all of
--- it. Then comes the work for the end, side by side.

local describe = require("corolua.base.describe")
local failures = require("corolua.task.failures")
local limit = require("corolua.limit")
local loop = require("corolua.loop")
local timers = require("corolua.task.timers")

local ending = {}

-- Seconds that tasks may go on after a stop before they are interrupted.
local GRACE = 1

-- Seconds from the stop until all is to be over, and what the work of a rank has
-- at the least.
local DEADLINE = 5
local EXITS_LEAST = 1

-- Seconds for what is over its time, and whose waits end at once, to give up;
-- and for waits that nothing is to end, as those for a disk.
local GIVE_UP = 0.5
local LAST = 5

--- What `exit` raises where it cannot yield.
ending.RAISED = setmetatable({}, {
  __name = "corolua.exit",
  __tostring = function() return "os.exit was called" end,
})

-- The work for the end of the program. What others rest on has a higher rank and
-- waits for them; within a rank all is begun at once, the last given first.
local exits = {}

---@class corolua.AtExit
local exit_methods = {}
local exit_mt = { __name = "corolua.at_exit", __index = exit_methods }

--- The function is not called any more; may be repeated.
function exit_methods:cancel()
  for i, handle in ipairs(exits) do
    if handle == self then return table.remove(exits, i) and nil end
  end
end

---@param fn function
---@param rank integer
---@return corolua.AtExit
function ending.at_exit(fn, rank)
  local handle = setmetatable({ fn = fn, rank = rank }, exit_mt)
  exits[#exits + 1] = handle
  return handle
end

---@class corolua.Ending
---@field tasks fun(): corolua.Task[] those alive, in the order they were made
---@field count fun(): integer how many these are
---@field interrupt fun(task: corolua.Task) ends its wait
---@field close fun(task: corolua.Task): any an error of its <close> variables
---@field drive fun(goes_on: fun(): boolean): string runs the loop
---@field leave fun(why: string) leaves the loop
---@field spawn fun(fn: function): corolua.Task
local methods = {}
local ending_mt = { __index = methods }

---@param core table what `ending` needs of the scheduler, as above
---@return corolua.Ending
function ending.new(core)
  core.is_overdue = false
  return setmetatable(core, ending_mt)
end

--- A new run of the scheduler.
function methods:reset()
  self.stop_at, self.is_overdue, self.clock, self.deadline = false, false, nil, nil
end

local function interrupt_all(self)
  for _, task in ipairs(self.tasks()) do self.interrupt(task) end
end

-- Every task gets its error, in the order they were made; those that wait are
-- woken for it.
local function tell_all(self)
  for _, task in ipairs(self.tasks()) do
    if not limit.is_told(task.co) then
      self.interrupt(task)
      limit.interrupt(task.co)
    end
  end
end

-- Once a second, for the sake of those that were made since.
local function tell_later(self)
  self.clock = loop.timer(GRACE, function()
    tell_all(self)
    tell_later(self)
  end):unref()
end

local function begin(self, grace)
  self.stop_at = loop.now()
  timers.cancel_all()
  limit.watch_stop(grace)
end

--- Before `exit`: a task that catches what that raises, and goes on, has no
--- longer than at a stop.
function methods:watch_exit()
  if not self.stop_at then limit.watch_stop(GRACE) end
end

local function leave_at(self, time)
  return loop.timer(math.max(0, time - loop.now()), function() self.leave("late") end):unref()
end

--- The stop: waits end, and timers; a second later tasks.
---@param is_running boolean whether the loop runs
function methods:stop(is_running)
  if self.stop_at then return end
  begin(self, GRACE)
  interrupt_all(self)
  if not is_running then return end
  tell_later(self)
  self.deadline = leave_at(self, self.stop_at + DEADLINE)
end

local function close_task(self, task)
  local problem = self.close(task)
  if problem ~= nil and not rawequal(problem, ending.RAISED)
    and not rawequal(problem, limit.STOPPED) then
    failures.add("while a task was closed: " .. describe(problem))
  end
end

-- Closes the tasks that end by nothing else; `condition` says which.
local function close_those(self, condition)
  for _, task in ipairs(self.tasks()) do
    if not task.results and condition(task) then close_task(self, task) end
  end
end

-- Drives the loop until none of the tasks is left or the time has come.
local function drive_until(self, time, is_done)
  local timer = leave_at(self, time)
  repeat
    close_those(self, function(task) return task.has_left end)
    local why = self.drive(function() return loop.pending() > 0 and not is_done() end)
  until is_done() or why == "idle" or loop.now() >= time
  timer:cancel()
end

-- Whether a task is to be closed now; it is named then.
local function name_late(task)
  failures.complain(("closed a task that did not end within %g s of the stop, at %s")
    :format(DEADLINE, failures.place_of(task.co)))
  return true
end

local function name_late_unless_deaf(task)
  return not (task.deaf and task.waiting) and name_late(task)
end

-- What is over its time: first its waits end at once, for our own functions to
-- let go of what they hold; then it is closed.
local function end_overdue(self, is_done)
  if is_done() then return end
  self.is_overdue = true
  interrupt_all(self)
  drive_until(self, loop.now() + GIVE_UP, is_done)
  close_those(self, name_late_unless_deaf)
  drive_until(self, loop.now() + LAST, is_done)
  close_those(self, name_late)
  self.is_overdue = false
end

local function end_tasks(self)
  local function is_done() return self.count() == 0 end
  if is_done() then return end
  tell_all(self)
  drive_until(self, self.stop_at + DEADLINE, is_done)
  end_overdue(self, is_done)
end

-- The rank whose work comes next, or nil.
local function next_rank()
  local rank
  for _, handle in ipairs(exits) do rank = math.min(rank or handle.rank, handle.rank) end
  return rank
end

-- The next function of a rank, or nil.
local function take(rank)
  for i = #exits, 1, -1 do
    if exits[i].rank == rank then return table.remove(exits, i).fn end
  end
end

-- The work of one rank, side by side.
local function do_exits(self, rank)
  local time = math.max(self.stop_at + DEADLINE, loop.now() + EXITS_LEAST)
  local tasks = {}
  for fn in take, rank do
    local task = self.spawn(fn)
    limit.excuse(task.co)
    tasks[#tasks + 1] = task
  end
  local function is_done()
    for _, task in ipairs(tasks) do
      if not task.results then return false end
    end
    return true
  end
  drive_until(self, time, is_done)
  if loop.pending() == 0 and not is_done() then failures.add_stuck(self.tasks()) end
  end_overdue(self, is_done)
end

--- All that is left to do when the loop has been left, for whatever reason.
---@param why string
function methods:wind_up(why)
  if why == "idle" and self.count() > 0 and not self.stop_at then
    failures.add_stuck(self.tasks())
  end
  if not self.stop_at then begin(self, 0) end
  end_tasks(self)
  for rank in next_rank do do_exits(self, rank) end
  end_tasks(self)
  if self.clock then self.clock:cancel() end
  if self.deadline then self.deadline:cancel() end
end

return ending
