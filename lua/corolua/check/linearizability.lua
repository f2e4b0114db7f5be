--- Linearizability of the operations that a script has told: reads and writes of
--- registers. The value is that of a register, or `[key, value]` for several.

local json = require("corolua.base.json")
local linearizable = require("corolua.check.linearizable")
local lines = require("corolua.check.lines")
local words = require("corolua.check.words")

local linearizability = {}

local KINDS = { read = true, write = true }

-- Strings and numbers that look alike are two.
local function text_of(value)
  if value == nil or value == json.null then return "null" end
  if type(value) == "table" then return "json:" .. json.encode(value) end
  return type(value) .. ":" .. tostring(value)
end

local function parts_of(event)
  if type(event.value) ~= "table" or event.value == json.null then return "", event.value end
  return text_of(event.value[1]), event.value[2]
end

local function begin(open, registers, event, id)
  local key, value = parts_of(event)
  local operation = { kind = event.f, start = event.t, value = text_of(value), n = event.n,
    ref = event.ref }
  registers[key] = registers[key] or {}
  table.insert(registers[key], operation)
  open[id] = { operation = operation, list = registers[key] }
end

local function finish(open, event, id)
  local begun = open[id]
  open[id] = nil
  if not begun or event.type == "info" then return end
  if event.type == "fail" then
    begun.operation.is_void = true
    return
  end
  begun.operation.stop = event.t
  if event.f == "read" then
    local _, value = parts_of(event)
    begun.operation.value = text_of(value)
  end
end

-- The operations by register; an operation is known by its file and its id.
local function registers_of(history)
  local open, registers = {}, {}
  for _, event in ipairs(history.ops) do
    local id = ("%d %s"):format(lines.place(event.ref), tostring(event.id))
    if not KINDS[event.f] then
      open[id] = nil
    elseif event.type == "invoke" then
      begin(open, registers, event, id)
    else
      finish(open, event, id)
    end
  end
  return registers
end

local function effective(operations)
  local list, written, is_pruned = {}, {}, true
  for _, operation in ipairs(operations) do
    if not operation.is_void then
      table.insert(list, operation)
      if operation.kind == "write" then
        if written[operation.value] then is_pruned = false end
        written[operation.value] = true
      end
    end
  end
  return is_pruned and linearizable.prune(list) or list
end

local function judge(found, key, operations)
  local is_right, blocked = linearizable.check(effective(operations),
    linearizable.register("null"))
  if is_right then return end
  local what = key ~= "" and (" of %s"):format(key:match(":(.*)$") or key) or ""
  local at = blocked and (": %s's %s at %.3f s fits nowhere"):format(
    ("node %s"):format(tostring(blocked.n)), blocked.kind, blocked.start / 1e6) or ""
  found:add("Linearizability", ("%s%s are not linearizable%s")
    :format(words.count(#operations, "operation"), what, at), { blocked and blocked.ref },
    { "register " .. key })
end

--- Judges it.
---@param history corolua.check.Past
---@param found corolua.check.Findings
function linearizability.judge(history, found)
  local registers, keys = registers_of(history), {}
  for key in pairs(registers) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do judge(found, key, registers[key]) end
end

return linearizability
