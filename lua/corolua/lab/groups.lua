--- A group of one name on every running node of a cluster.

local checks = require("corolua.task.checks")
local describe = require("corolua.base.describe")
local group = require("corolua.group")
local lists = require("corolua.base.lists")
local scheduler = require("corolua.task.scheduler")
local status_text = require("corolua.lab.status_text")

---@class corolua.lab.Cluster
local methods = {}

local groups = { methods = methods }

local TIMEOUT = 30

---@class corolua.lab.GroupsOptions: corolua.GroupOptions
---@field timeout number? in seconds, for all of it; 30 unless told

-- The options of each group are the others.
local function without_timeout(given)
  if type(given) ~= "table" then return given end
  local rest = {}
  for key, value in pairs(given) do rest[key] = value end
  rest.timeout = nil
  return rest
end

-- Has a method called of all groups at once: the results of each, the first of
-- which is false where it raised.
local function for_each(rooms, method, given)
  local tasks, results = {}, {}
  for i, room in ipairs(rooms) do
    tasks[i] = scheduler.spawn(function() return table.pack(pcall(room[method], room, given)) end)
  end
  for i, task in ipairs(tasks) do
    local result, message, code = task:wait()
    results[i] = result or { true, nil, message, code }
  end
  return results
end

-- What was joined is left again; the end of a program does so by itself.
local function give_up(rooms, message, code)
  if code ~= "ERR_INTERRUPT" then for_each(rooms, "leave") end
  return nil, message, code
end

local function explain(node, message) return ("%s: %s"):format(node, message) end

-- All join, or the first that did not says why; what the caller did wrong raises.
local function join(rooms, nodes, deadline, level)
  local results = for_each(rooms, "join", { timeout = scheduler.left_until(deadline) })
  for i, result in ipairs(results) do
    local has_run, joined, message, code = table.unpack(result, 1, 4)
    if not has_run then
      give_up(rooms)
      error("groups: " .. describe(joined), level + 1)
    elseif not joined then
      return give_up(rooms, explain(nodes[i], message), code)
    end
  end
  return true
end

local function has_all(view, rooms)
  for _, room in ipairs(rooms) do
    if not lists.contains(view.members, room.me) then return false end
  end
  return true
end

local function wait_together(rooms, nodes, deadline, timeout)
  for i, room in ipairs(rooms) do
    local seen, message, code = group.wait_view(room, function(view)
      return has_all(view, rooms)
    end, scheduler.left_until(deadline))
    if not seen then
      if code == "ERR_TIMEOUT" then
        message = ("it sees %d members, and not all %d that have joined, after %g s")
          :format(#(room.members or {}), #rooms, timeout)
      end
      return give_up(rooms, explain(nodes[i], message), code)
    end
  end
  return true
end

--- Makes a group on every node that runs, joins them all at once, and waits until
--- each sees all of them. Where that fails, none is joined any more. Codes:
--- "ERR_TIMEOUT" (also where they do not see each other), "ERR_NOT_EXIST" (no node
--- runs, or left meanwhile), "ERR_LIBRARY", "ERR_ACCESS", "ERR_NO_SPACE",
--- "ERR_INTERRUPT".
---@param name string 1 to 127 bytes, without NUL
---@param given corolua.lab.GroupsOptions?
---@return table<integer, corolua.Group>? groups by nodeid, string? message, string? code
function methods:groups(name, given)
  local timeout = TIMEOUT
  if type(given) == "table" and given.timeout ~= nil then timeout = given.timeout end
  checks.seconds(timeout, "groups")
  if self.closed then error("groups: the cluster is closed", 2) end
  scheduler.check_wait("groups")
  local deadline = scheduler.now() + timeout
  local rooms, nodes, by_nodeid, options = {}, {}, {}, without_timeout(given)
  for id, node in ipairs(self) do
    if status_text.of(node).status == "running" then
      local room = group.on_node(node, name, options, 2)
      table.insert(rooms, room)
      table.insert(nodes, node)
      by_nodeid[id] = room
    end
  end
  if not rooms[1] then return nil, "no node runs", "ERR_NOT_EXIST" end
  local ok, message, code = join(rooms, nodes, deadline, 2)
  if ok then ok, message, code = wait_together(rooms, nodes, deadline, timeout) end
  if not ok then return nil, message, code end
  return by_nodeid
end

return groups
