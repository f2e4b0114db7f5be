--- What is found, ordered by cause. What one thing breaks, it mostly breaks in
--- several ways: a message that was invented is one that the others lack, too. So a
--- finding about what an earlier one was about stands with that one.

local findings = {}

---@class corolua.check.Finding
---@field property string as in the table of properties
---@field class "violated"|"merge prefix"|"hidden ring"
---@field text string
---@field witness corolua.check.Witness[] at most three
---@field also string[] other properties that the same cause broke
---@field ring string? where it is of one
---@field count integer? messages, where it is about those
---@field lacks string[]? the members that never had them, where others did

---@class corolua.check.Witness
---@field file string
---@field line integer
---@field text string? the line

--- The properties, those that come before what they lead to first.
findings.PROPERTIES = {
  "Initial View Event", "Self Inclusion", "View Arithmetic", "Local Monotonicity",
  "Agreement on Views", "Ring of Quorum", "Delivery Integrity", "No Duplication",
  "Sender in View", "Same View Delivery", "FIFO Delivery", "Strong Total Order",
  "Causal Delivery", "Self Delivery", "Virtual Synchrony", "Reliable FIFO",
  "Exclusive Quorum", "Fence", "Convergence", "Linearizability",
}

local RANKS = {}
for rank, property in ipairs(findings.PROPERTIES) do RANKS[property] = rank end

---@class corolua.check.Findings
local methods = {}
local findings_mt = { __index = methods }

---@return corolua.check.Findings
function findings.new() return setmetatable({ list = {} }, findings_mt) end

--- Adds one. `refs` are its lines, `about` the messages (numbers), rings and lines
--- (strings) that it is about.
---@param property string
---@param text string
---@param refs integer[]
---@param about any[]
---@param more table? further fields
function methods:add(property, text, refs, about, more)
  local finding = { property = property, class = "violated", text = text, refs = refs,
    about = about, also = {}, place = #self.list }
  for key, value in pairs(more or {}) do finding[key] = value end
  table.insert(self.list, finding)
end

local function is_before(a, b)
  local is_a, is_b = a.class == "violated", b.class == "violated"
  if is_a ~= is_b then return is_a end
  if a.property ~= b.property then return RANKS[a.property] < RANKS[b.property] end
  local one, two = a.refs[1] or 0, b.refs[1] or 0
  if one ~= two then return one < two end
  return a.place < b.place
end

local function add_also(finding, property)
  for _, known in ipairs(finding.also) do
    if known == property then return end
  end
  if finding.property ~= property then table.insert(finding.also, property) end
end

local function earlier(finding, owners)
  for _, thing in ipairs(finding.about) do
    if owners[thing] then return owners[thing] end
  end
end

--- All of them, one for each cause.
---@return corolua.check.Finding[]
function methods:sorted()
  table.sort(self.list, is_before)
  local kept, owners = {}, {}
  for _, finding in ipairs(self.list) do
    local cause = earlier(finding, owners)
    if cause then
      add_also(cause, finding.property)
    else
      table.insert(kept, finding)
      for _, thing in ipairs(finding.about) do owners[thing] = finding end
    end
  end
  return kept
end

return findings
