--- Members and messages as a sentence names them.

local words = {}

local function several_on(history)
  local processes = {}
  for _, life in ipairs(history.lives) do
    if life.me then
      local known = processes[life.n]
      if known == nil then processes[life.n] = life.p end
      if known and known ~= life.p then processes[life.n] = false end
    end
  end
  return processes
end

--- A member: its node, where that has no other process in the trace.
---@param history corolua.check.Past
---@param address string "node/process"
---@return string
function words.who(history, address)
  history.processes_of = history.processes_of or several_on(history)
  local node = math.tointeger(address:match("^(%d+)/%d+$"))
  if not node or history.processes_of[node] == false then return "member " .. address end
  return ("node %d"):format(node)
end

--- A message: who sent it, and the how manieth it was.
---@param history corolua.check.Past
---@param id integer
---@return string
function words.message(history, id)
  local from = words.who(history, history.from[id]):match("%S+$")
  if not history.sender[id] then return "a message of " .. words.who(history, history.from[id]) end
  return ("%s#%d"):format(from, history.number[id])
end

local function by_number(a, b)
  local x, y = tonumber(a:match("%d+")) or 0, tonumber(b:match("%d+")) or 0
  if x ~= y then return x < y end
  return a < b
end

local function enumerate(list)
  if #list == 1 then return list[1] end
  return table.concat(list, ", ", 1, #list - 1) .. " and " .. list[#list]
end

--- Several members: "nodes 1, 3 and 5".
---@param history corolua.check.Past
---@param addresses table<string, any> its keys are the members
---@return string
function words.all(history, addresses)
  local names, numbers, known = {}, {}, {}
  for address in pairs(addresses) do
    local name = words.who(history, address)
    if not known[name] then names[#names + 1] = name end
    known[name] = true
  end
  table.sort(names, by_number)
  for i, name in ipairs(names) do numbers[i] = name:match("^node (%d+)$") end
  if #names > 1 and #numbers == #names then return "nodes " .. enumerate(numbers) end
  return enumerate(names)
end

--- So many things: "1 message", "3 messages".
---@param number integer
---@param noun string
---@return string
function words.count(number, noun)
  if number == 1 then return "1 " .. noun end
  local stem = noun:gsub("y$", "ie"):gsub("ss$", "sse")
  return ("%d %ss"):format(number, stem)
end

--- The nodes of a ring: "{1, 2}".
---@param nodes integer[]
---@return string
function words.nodes(nodes) return "{" .. table.concat(nodes, ", ") .. "}" end

return words
