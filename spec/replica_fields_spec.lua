-- Not sanitized: it reads sources.
-- What corolua.replica is made of: that each phase knows each message, and each
-- field has one file that writes it.
local dispatch = require("corolua.replica.dispatch")
local files = require("spec.support.files")
local log = require("corolua.replica.log")
local members = require("corolua.replica.member")
local ballot = require("corolua.replica.ballot")
local state_machine = require("corolua.replica.state_machine")
local wire = require("corolua.replica.wire")

-- Those of corolua.replica.Member.phase.
local PHASES = {
  "joining", "inquorate", "entering", "meeting", "fetching", "synced", "down", "over",
}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- The fields that a file declares, by the last part of the name of their class.
local function declared_in(path)
  local classes, class = {}, nil
  for _, line in ipairs(files.lines(path)) do
    local name = line:match("^%-%-%-@class corolua%.([%w_.]+)")
    if name then class = name:match("[%w_]+$") end
    local field = line:match("^%-%-%-@field ([%w_]+)")
    if class and field then
      classes[class] = classes[class] or {}
      classes[class][field] = true
    end
    if not line:match("^%-%-%-") then class = nil end
  end
  return classes
end

local sources = {}
for _, path in ipairs(files.below("lua/corolua/replica")) do
  -- That one fills a table of options, which is no object.
  if path ~= "options.lua" then sources[#sources + 1] = "lua/corolua/replica/" .. path end
end

-- What a line assigns to: "self.round", "self.list[at]", "member.seq".
local function targets(line)
  local list = {}
  local code = line:gsub("%-%-.*", "")
  for _, before in ipairs({ "%f[%w]then%f[%W]", "%f[%w]do%f[%W]", "function[^()]*%b()" }) do
    code = code:gsub("^.*" .. before, "")
  end
  local left = code:match("^%s*([%w_.%[%]:, ]-)%s=%s") or ""
  if left:match("^local ") then return list end
  for one in left:gmatch("[^,%s]+") do list[#list + 1] = one end
  return list
end

describe("corolua.replica", function()
  it("knows in each phase what to do with each message", function()
    local kinds = { "gap", "inquorate" }
    for _, kind in pairs(wire.kinds) do kinds[#kinds + 1] = kind end
    table.sort(kinds)
    local phases = { table.unpack(PHASES) }
    table.sort(phases)
    assert.same(phases, sorted_keys(dispatch.phases))
    for _, phase in ipairs(PHASES) do
      assert.same(kinds, sorted_keys(dispatch.phases[phase]), phase)
      for _, kind in ipairs(kinds) do
        assert.equal("function", type(dispatch.phases[phase][kind]), phase .. " " .. kind)
      end
    end
  end)

  it("names the phases that a member may be in", function()
    local named = {}
    for _, line in ipairs(files.lines("lua/corolua/replica/member.lua")) do
      if line:match("^%-%-%-@field phase ") then
        for phase in line:gmatch('"(%w+)"') do named[#named + 1] = phase end
      end
    end
    assert.same(PHASES, named)
  end)

  it("declares all fields of a member and its parts", function()
    local given = {
      apply = print, snapshot = tostring, restore = tostring, initial = "", durable = "delivered",
    }
    local machine = state_machine.new(given, log.memory())
    local one = members.new({ me = {} }, given, machine, ballot.new(), {})
    local parts = {
      member = one, recovery = one.recovery, commit_rule = one.commit, marks = one.marks,
      pending = one.pending, send_queue = one.send_queue, state_machine = one.machine,
      ballot = one.ballot, log = one.journal,
    }
    local CLASSES = {
      member = "Member", recovery = "Recovery", commit_rule = "Commit", marks = "Marks",
      pending = "Pending", send_queue = "SendQueue", state_machine = "StateMachine",
      ballot = "Ballot", log = "Memory",
    }
    for file, part in pairs(parts) do
      local fields = declared_in("lua/corolua/replica/" .. file .. ".lua")[CLASSES[file]]
      for _, key in ipairs(sorted_keys(part)) do
        assert(fields[key], ("%s: %s has no declaration"):format(file, key))
      end
    end
  end)

  it("writes no field but in the file that declares it", function()
    local found = {}
    local count = 0
    for _, path in ipairs(sources) do
      local fields = {}
      for _, class in pairs(declared_in(path)) do
        for field in pairs(class) do fields[field] = true end
      end
      local module = path:match("([%w_]+)%.lua$")
      for number, line in ipairs(files.lines(path)) do
        for _, target in ipairs(targets(line)) do
          local object, field = target:match("^([%w_]+)%.([%w_]+)")
          local is_far = target:match("^[%w_]+%.[%w_]+%.[%w_]")
          if object and object ~= module then
            count = count + 1
            if is_far or not fields[field] then
              found[#found + 1] = ("%s:%d: %s"):format(path, number, target)
            end
          end
        end
      end
    end
    assert.same({}, found)
    assert(count > 100, count)
  end)
end)
