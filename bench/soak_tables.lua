--- The tables of docs/how/soaks.md, from what soaks have printed:
--- corolua bench/soak_tables.lua <folder> <document or ""> <seed> ...
--- With a document, what stands there between the lines that name a table is
--- replaced; else the tables are printed.

local folder, document = arg[1], arg[2]
local seeds = table.move(arg, 3, #arg, 1, {})

local function read(path)
  local file <close> = io.open(path)
  return file and file:read("a")
end

-- 1234567 as 1,234,567.
local function grouped(number)
  local text = ("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

-- The figure in front of or behind some words; fails where the output has none.
local function figure(output, pattern)
  local text = output:match(pattern) or error("no '" .. pattern .. "' in:\n" .. output, 0)
  return grouped(math.tointeger(tonumber(text)) or math.floor(tonumber(text) * 1000 + 0.5))
end

-- All figures of some patterns, one cell.
local function figures(output, patterns)
  local cells = {}
  for i, pattern in ipairs(patterns) do cells[i] = figure(output, pattern) end
  return table.concat(cells, ", ")
end

local function verdict(output) return output:match("%f[%a](passed)\n*$") or "**failed**" end

-- Each column: its head, and the patterns of its figures.
local CHAOS = {
  { "faults", "(%d+) faults taken" },
  { "views seen by members", "([%d.]+) thousand views" },
  { "messages delivered", "([%d.]+) thousand messages" },
  { "order mismatches, duplicates, lost by their sender", "order mismatches (%d+)",
    "duplicates (%d+)", "lost by their sender (%d+)" },
  { "pairs of views compared", "([%d.]+) thousand pairs" },
  { "differ by a merge, by hidden rings, unexplained", "([%d.]+) thousand differ by a merge",
    "([%d.]+) thousand by hidden rings", "(%d+) unexplained" },
  { "storms", "([%d]+)%.0 storms" },
}

local GROUPS = {
  { "faults", "(%d+) faults taken" },
  { "views", "views (%d+)" },
  { "rings skipped", "rings skipped (%d+)" },
  { "down, up", "down (%d+)", "up (%d+)" },
  { "sent", "sent (%d+)" },
  { "delivered", "delivered (%d+)" },
  { "inquorate", "inquorate (%d+)" },
  { "unconfirmed", "unconfirmed (%d+)" },
  { "gaps", "gaps (%d+)" },
  { "views, messages in skipped rings", "skipped: views (%d+)", "messages (%d+);" },
  { "order mismatches, duplicates, lost, wrong quorum, wrong gaps", "order mismatches (%d+)",
    "duplicates (%d+)", "lost by their sender (%d+)", "under a wrong quorum (%d+)",
    "wrong gaps (%d+)" },
  { "pairs of views compared", "pairs of views compared (%d+)" },
  { "differ by a merge, by hidden rings, unexplained", "by a merge (%d+)",
    "by hidden rings (%d+)", "sets unexplained (%d+)" },
}

local function row(cells) return "| " .. table.concat(cells, " | ") .. " |\n" end

local function head(columns, first)
  local titles, rule = { table.unpack(first) }, {}
  for _, column in ipairs(columns) do titles[#titles + 1] = column[1] end
  titles[#titles + 1] = "outcome"
  for i = 1, #titles do rule[i] = "---" end
  return row(titles) .. row(rule)
end

local function line(columns, first, output)
  local cells = { table.unpack(first) }
  for _, column in ipairs(columns) do
    table.insert(cells, figures(output, table.move(column, 2, #column, 1, {})))
  end
  table.insert(cells, verdict(output))
  return row(cells)
end

-- The table of those outputs that are there, or nil.
local function table_of(columns, first, names)
  local text = ""
  for _, name in ipairs(names) do
    local output = read(("%s/%s-%s.txt"):format(folder, name.kind, name.seed))
    if output then text = text .. line(columns, name.first, output) end
  end
  return text ~= "" and head(columns, first) .. text or nil
end

local function names_of(kinds)
  local names = {}
  for _, kind in ipairs(kinds) do
    for _, seed in ipairs(seeds) do
      local first = #kinds > 1 and { kind, seed } or { seed }
      table.insert(names, { kind = kind, seed = seed, first = first })
    end
  end
  return names
end

local tables = {
  chaos = table_of(CHAOS, { "seed" }, names_of({ "chaos" })),
  groups = table_of(GROUPS, { "", "seed" }, names_of({ "raw", "packed" })),
}

if document == "" then
  for _, name in ipairs({ "chaos", "groups" }) do
    if tables[name] then print(tables[name]) end
  end
  return
end

local text = assert(read(document))
for name, lines in pairs(tables) do
  local count
  text, count = text:gsub("(<!%-%- soak: " .. name .. " %-%->\n).-(<!%-%- end %-%->)",
    function(start, stop) return start .. lines .. stop end)
  assert(count == 1, document .. " has no place for the table of " .. name)
end
local file <close> = assert(io.open(document, "w"))
assert(file:write(text))
