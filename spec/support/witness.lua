-- A member on a node of a lab that writes down what its callbacks are told, as
-- short lines: "confchg 1 2 left 3:nodedown", "totem 1 2", "message hello from 1".
-- A member in another process has a star: "1*".
local cpg = require("corosync.cpg")
local loop = require("corolua.loop")
local quorum = require("corosync.quorum")
local scheduler = require("corolua.task.scheduler")
local sys = require("corolua.sys")

local methods = {}
local witness_mt = { __index = methods }
local witness = {}

-- Detection takes 2.2 times the token timeout, and more on a busy machine.
local TIMEOUT = 20

local own_pid = sys.id().pid

local function name(member)
  return member.nodeid .. (member.pid ~= own_pid and "*" or "")
end

local function joined_up(list, write)
  local words = {}
  for i, element in ipairs(list) do words[i] = write and write(element) or tostring(element) end
  return table.concat(words, " ")
end

-- corosync leaves the order within the lists of changes open.
local function changes(word, list)
  if #list == 0 then return "" end
  local words = {}
  for i, change in ipairs(list) do words[i] = name(change.member) .. ":" .. change.reason end
  table.sort(words)
  return " " .. word .. " " .. table.concat(words, " ")
end

local function set_of(members)
  local set = {}
  for _, member in ipairs(members) do set[name(member)] = true end
  return set
end

local function add(list, entry)
  entry.at = scheduler.now()
  table.insert(list, entry)
end

local function cpg_callbacks(self)
  return {
    deliver = function(_, _, payload, from)
      add(self.events, {
        kind = "message", text = ("message %s from %s"):format(payload, name(from)),
      })
    end,
    confchg = function(_, _, members, left, joined)
      self.members = set_of(members)
      local head = "confchg " .. joined_up(members, name)
      add(self.events, {
        kind = "confchg", head = head, left = left, joined = joined,
        text = head .. changes("left", left) .. changes("joined", joined),
      })
    end,
    totem_confchg = function(_, ring, nodes)
      add(self.events, { kind = "totem", ring = ring, text = "totem " .. joined_up(nodes) })
    end,
  }
end

local function quorum_callbacks(self)
  return {
    nodelist = function(_, ring, nodes, joined, left)
      local text = "nodelist " .. joined_up(nodes)
      if #left > 0 then text = text .. " left " .. joined_up(left) end
      if #joined > 0 then text = text .. " joined " .. joined_up(joined) end
      add(self.rings, { kind = "nodelist", ring = ring, text = text })
    end,
    quorum = function(_, quorate, ring, nodes)
      add(self.rings, {
        kind = "quorum", ring = ring, quorate = quorate,
        text = ("%s %s"):format(quorate and "quorate" or "inquorate", joined_up(nodes)),
      })
    end,
  }
end

-- Reads the handle whenever there is something, until its daemon dies. What one
-- call has read and not told, its descriptor does not show.
local function follow(self, handle, events, head)
  local watch
  watch = loop.fd(assert(handle:fd_get()), "r", function()
    local ok, more, code
    repeat ok, more, code = handle:dispatch("all") until not ok or not more
    if ok == nil then
      add(events, { kind = "down", text = head .. code })
      watch:cancel()
    end
  end)
  table.insert(self.watches, watch)
end

--- A witness on a node, not joined yet.
---@param node corolua.lab.Node
---@param options table? for cpg.initialize
function witness.new(node, options)
  local self = setmetatable({ node = node, watches = {}, events = {}, rings = {} }, witness_mt)
  self.members, self.before = {}, {}
  self.handle, self.votes = node:enter(function()
    return assert(cpg.initialize(cpg_callbacks(self), options)),
      assert(quorum.initialize(quorum_callbacks(self)))
  end)
  assert(self.votes:trackstart("changes"))
  follow(self, self.handle, self.events, "down ")
  follow(self, self.votes, self.rings, "quorum down ")
  return self
end

--- Forgets what was written down so far.
function methods:forget()
  for i in ipairs(self.events) do self.events[i] = nil end
  for i in ipairs(self.rings) do self.rings[i] = nil end
  self.before = self.members
end

local function lines(list)
  local texts = {}
  for i, event in ipairs(list) do texts[i] = event.text end
  return texts
end

--- What the CPG callbacks were told.
---@return string[]
function methods:lines() return lines(self.events) end

local function find(list, text)
  for i = #list, 1, -1 do
    if list[i].text == text then return list[i] end
  end
end

--- Waits until a callback was told this.
---@param text string a whole line
function methods:wait(text)
  local event = scheduler.wait(function()
    return find(self.events, text) or find(self.rings, text)
  end, TIMEOUT)
  if event then return event end
  error(("never told '%s', but:\n%s\n%s"):format(text, table.concat(lines(self.events), "\n"),
    table.concat(lines(self.rings), "\n")), 2)
end

--- Waits until a member of another process is known.
---@param who string such as "1*"
function methods:wait_member(who)
  assert(scheduler.wait(function() return self.members[who] end, TIMEOUT), who .. " never came")
end

--- How often a callback was told this.
---@param text string
---@return integer
function methods:count(text)
  local count = 0
  for _, list in ipairs({ self.events, self.rings }) do
    for _, event in ipairs(list) do
      if event.text == text then count = count + 1 end
    end
  end
  return count
end

local RANK = { nodedown = 1, nodeup = 2, procdown = 3 }

local function rank_of(event)
  local change = event.left[1] or event.joined[1]
  return RANK[change.reason] or 0
end

--- Raises unless the callbacks of each ring came in their order: who was lost,
--- who was found, whose process vanished, and the ring itself.
function methods:check_order()
  local last = 0
  for _, event in ipairs(self.events) do
    if event.kind == "totem" then
      last = 0
    elseif event.kind == "confchg" and rank_of(event) > 0 then
      local rank = rank_of(event)
      assert(rank >= last, "out of order: " .. table.concat(lines(self.events), "; "))
      last = rank
    end
  end
end

-- The last reason told of each member that is there now and was not, or the
-- other way round.
local function difference(self, list)
  local found = {}
  for _, event in ipairs(self.events) do
    for _, change in ipairs(event[list] or {}) do
      local who = name(change.member)
      local differs = (self.before[who] == nil) == (list == "joined")
      if differs and (self.members[who] ~= nil) == (list == "joined") then
        found[who] = change
      end
    end
  end
  local entries = {}
  for _, change in pairs(found) do entries[#entries + 1] = change end
  return entries
end

local function last(events, kind, field)
  for i = #events, 1, -1 do
    if events[i].kind == kind then return events[i][field] end
  end
end

--- What the CPG callbacks were told, messages left out. A busy machine may take
--- several rings for one change; these are told as the one that they make up.
---@return string[]
function methods:net()
  self:check_order()
  local told, totems = {}, 0
  for _, event in ipairs(self.events) do
    if event.kind == "totem" then totems = totems + 1 end
    if event.kind ~= "message" then told[#told + 1] = event.text end
  end
  if totems <= 1 then return told end
  local head = last(self.events, "confchg", "head")
  told = {}
  for _, list in ipairs({ "left", "joined" }) do
    local text = changes(list, difference(self, list))
    if text ~= "" then told[#told + 1] = head .. text end
  end
  told[#told + 1] = last(self.events, "totem", "text")
  return told
end

--- Lets the connections go.
function methods:close()
  for _, watch in ipairs(self.watches) do watch:cancel() end
  self.handle:finalize()
  self.votes:finalize()
end

return witness
