--- Convergence: some time after the last fault was mended, all daemons that run are
--- in one quorate ring. It is judged where all faults on cables have been ended by a
--- heal, the run went on for long enough, and no other fault came.

local words = require("corolua.check.words")

local convergence = {}

-- So many times token + consensus. Many changes in a row, and a restart, take that.
local PATIENCE = 50

local CABLES = {
  partition = true, ring = true, bridge_node = true, isolate = true, block = true,
  unblock = true, link = true, link_from = true, unplug = true, plug = true,
}

-- When the last fault was mended; nil if one may be in force.
local function mended_at(history)
  local last, are_cables_whole = nil, true
  for _, fault in ipairs(history.faults) do
    if fault.ok ~= false then
      if CABLES[fault.op] then are_cables_whole = false end
      if fault.op == "heal" then are_cables_whole = true end
      last = fault
    end
  end
  return last and last.mends == true and are_cables_whole and last.t or nil
end

-- Which daemons run, as far as the trace says: those without a word do.
local function is_running(history)
  local state = {}
  for _, event in ipairs(history.processes) do
    state[event.n] = event.what == "start" or event.what == "resume"
  end
  return state
end

local function last_states(history)
  local running, states, list = is_running(history), {}, {}
  for _, state in ipairs(history.quorums) do states[state.n] = state end
  for n, state in pairs(states) do
    if running[n] ~= false then table.insert(list, state) end
  end
  table.sort(list, function(a, b) return a.n < b.n end)
  return list
end

local function patience_of(run)
  local token, consensus = run and run.token, run and run.consensus
  if type(token) ~= "number" then return nil end
  if type(consensus) ~= "number" then consensus = 1.2 * token end
  return PATIENCE * (token + consensus) * 1000
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
---@param is_settled boolean whether the run says that it came to rest
function convergence.judge(history, found, is_settled)
  local since, patience = mended_at(history), patience_of(history.runs[1])
  if not since or not patience then return end
  if not is_settled and history.last_t - since < patience then return end
  local states = last_states(history)
  local first = states[1]
  for _, state in ipairs(states) do
    if state.ring ~= first.ring or not state.quorate then
      found:add("Convergence", ("%.1f s after the last fault was mended node %d is in ring %s of "
        .. "%s, %s, and node %d in ring %s"):format((history.last_t - since) / 1e6, state.n,
          state.ring, words.nodes(state.nodes), state.quorate and "quorate" or "without quorum",
          first.n, first.ring), { state.ref, first.ref }, { "convergence" })
      return
    end
  end
end

return convergence
