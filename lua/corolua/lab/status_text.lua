--- A cluster in words: a table for scripts and a small picture for people.

local inspect = require("corolua.base.inspect")

local status_text = {}

local function status(node)
  if not node:is_running() then return "stopped" end
  if node.paused then return "paused" end
  return node.tracker.view and "running" or "starting"
end

--- What one node says.
---@param node corolua.lab.Node
---@return corolua.lab.NodeState
function status_text.of(node)
  local view = node.tracker.view or {}
  return inspect.readable({
    nodeid = node.nodeid, status = status(node),
    ring = view.ring, nodes = view.nodes, quorate = view.quorate,
  })
end

local function line(state)
  if not state.ring then return ("node %-2d %s"):format(state.nodeid, state.status) end
  return ("node %-2d %-8s %s  ring %d.%x  { %s }"):format(state.nodeid, state.status,
    state.quorate and "quorate   " or "no quorum ", state.ring.nodeid, state.ring.seq,
    table.concat(state.nodes, ", "))
end

--- One line per node, and one for each fault of the network.
---@param cluster corolua.lab.Cluster
---@return string
function status_text.draw(cluster)
  local lines = {}
  for i, node in ipairs(cluster) do lines[i] = line(status_text.of(node)) end
  for _, fault in ipairs(cluster.reachability:list()) do
    lines[#lines + 1] = "fault   " .. fault.text
  end
  return table.concat(lines, "\n")
end

local history_mt = { __name = "corolua.lab.history" }

-- As corosync writes the time into its logs, to the millisecond.
local function time_of(clock)
  local seconds = math.floor(clock)
  return ("%s.%03d"):format(os.date("%b %d %H:%M:%S", seconds), math.floor((clock - seconds) * 1e3))
end

function history_mt:__tostring()
  local lines = {}
  for i, event in ipairs(self) do lines[i] = time_of(event.clock) .. "  " .. event.text end
  return table.concat(lines, "\n")
end

--- A copy of what was done to a cluster; it prints with the clock of the daemons'
--- logs.
---@param log { at: number, clock: number, text: string }[]
---@return { at: number, clock: number, text: string }[]
function status_text.history(log)
  return setmetatable(table.move(log, 1, #log, 1, {}), history_mt)
end

return status_text
