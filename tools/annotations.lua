-- The annotations of our own Lua, read from its comments: classes with their
-- fields and methods, and what stands above each function. For docs/reference.md
-- and the specs that look after it.
local annotations = {}

-- Splits at commas that stand in no bracket and no quotes.
local function split(text)
  local parts, depth, start, quoted = {}, 0, 1, false
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == '"' then quoted = not quoted end
    if quoted then goto next end
    if c:find("[%(%[{<]") then depth = depth + 1 end
    if c:find("[%)%]}>]") then depth = depth - 1 end
    if c == "," and depth == 0 then
      parts[#parts + 1] = text:sub(start, i - 1)
      start = i + 1
    end
    ::next::
  end
  parts[#parts + 1] = text:sub(start)
  for i, part in ipairs(parts) do parts[i] = part:match("^%s*(.-)%s*$") end
  return parts
end

-- Where a type ends that begins the text: at a space outside of all brackets and
-- quotes which no colon, bar or comma stands before.
local function type_end(text)
  local depth, quoted = 0, false
  for i = 1, #text do
    local c = text:sub(i, i)
    if c == '"' then quoted = not quoted end
    if not quoted and c:find("[%(%[{<]") then depth = depth + 1 end
    if not quoted and c:find("[%)%]}>]") then depth = depth - 1 end
    if c == " " and depth == 0 and not quoted and not text:sub(1, i - 1):find("[:|,]$") then
      return i - 1
    end
  end
  return #text
end

-- A type, and what follows it.
local function take_type(text)
  local last = type_end(text)
  return text:sub(1, last), (text:sub(last + 1):match("^%s*(.-)%s*$"))
end

-- That of a function is what it returns.
local function is_optional(kind) return kind:find("%?$") ~= nil and not kind:find("^fun%(") end

-- One line may have several returns, but none behind "...".
local function add_returns(doc, text)
  for _, part in ipairs(split(text)) do
    local last = doc.returns[#doc.returns]
    if last and last.name == "..." then return end
    local kind, rest = take_type(part)
    table.insert(doc.returns, { type = kind, name = rest:match("^[%w_.]+"), text = rest })
  end
end

local tags = {}

function tags.param(doc, rest)
  local name, optional, more = rest:match("^([%w_.]+)(%??)%s+(.*)$")
  local kind, text = take_type(more)
  table.insert(doc.params, {
    name = name, type = kind, text = text, optional = optional == "?" or is_optional(kind),
  })
end

tags["return"] = add_returns

function tags.class(doc, rest)
  local name, parent, text = rest:match("^([%w_.]+):?%s*([%w_.]*)%s*(.*)$")
  if not rest:find("^[%w_.]+:") then parent, text = nil, rest:match("^[%w_.]+%s*(.*)$") end
  doc.class, doc.parent, doc.class_text = name, parent, text
end

function tags.field(doc, rest)
  local hidden, shown = rest:match("^(private) (.*)$")
  local name, optional, more = (shown or rest):match("^([%w_%[%]]+)(%??)%s+(.*)$")
  local kind, text = take_type(more)
  table.insert(doc.fields, {
    name = name, type = kind, text = text, private = hidden ~= nil,
    optional = optional == "?" or is_optional(kind),
  })
end

tags["private"] = function(doc) doc.private = true end
tags["type"] = function(doc, rest) doc.type = take_type(rest) end
tags["alias"] = function(doc, rest)
  doc.alias = rest:match("^[%w_.]+")
  local type = rest:match("^[%w_.]+%s+(.+)$")
  doc.values = type and { type } or {}
end

-- What a comment says: its text, and its tags. Lines behind a tag go on with it.
local function read(lines)
  local doc = { params = {}, returns = {}, fields = {} }
  local text, last = {}, nil
  for _, line in ipairs(lines) do
    local tag, rest = line:match("^@(%l+)%s*(.*)$")
    if tag then
      if tags[tag] then tags[tag](doc, rest) end
      last = tag == "field" and doc.fields[#doc.fields] or doc
    elseif doc.values and line:find("^| ") then
      table.insert(doc.values, line:sub(3))
    elseif last and last ~= doc then
      last.text = last.text .. " " .. line
    elseif not last then
      table.insert(text, line)
    end
  end
  doc.whole = table.concat(lines, "\n")
  doc.text = table.concat(text, " ")
  return doc
end

local function class_of(all, name)
  local class = all.classes[name]
  if not class then
    class = { name = name, fields = {}, methods = {}, text = "" }
    all.classes[name] = class
  end
  return class
end

local function add_class(all, doc, path)
  local class = class_of(all, doc.class)
  class.parent, class.path = doc.parent or class.parent, class.path or path
  for _, text in ipairs({ doc.class_text, doc.text }) do
    if text ~= "" and class.text == "" then class.text = text end
  end
  for _, field in ipairs(doc.fields) do table.insert(class.fields, field) end
  return class
end

-- What the line behind a comment declares.
local function declare(all, file, doc, line, number)
  local object, mark, name, arguments = line:match("^%s*function ([%w_]+)([.:])([%w_]+)%((.-)%)")
  if object then
    doc.name, doc.arguments, doc.path, doc.line = name, arguments, file.path, number
    all.functions[file.path .. ":" .. number] = doc
    local class = file.objects[object]
    if mark == ":" and class then
      table.insert(class.methods, doc)
    elseif mark == "." then
      file.functions[name] = doc
    end
  elseif doc.class then
    file.objects[line:match("^local ([%w_]+) = ") or ""] = class_of(all, doc.class)
  end
end

local function read_file(all, path)
  local file = { path = path, objects = {}, functions = {} }
  all.files[path] = file
  local lines, number = {}, 0
  for line in io.lines(path) do
    number = number + 1
    local comment = line:match("^%s*%-%-%-%s?(.*)$")
    if comment then
      table.insert(lines, comment)
    else
      local doc = read(lines)
      if doc.class then add_class(all, doc, path) end
      if doc.alias then all.aliases[doc.alias] = doc.values end
      declare(all, file, doc, line, number)
      lines = {}
    end
  end
end

---@class Annotations
---@field classes table<string, table> by name: fields and methods, in the order they stand
---@field functions table<string, table> by "path:line" of their first line
---@field files table<string, table> by path: `functions` by name
---@field aliases table<string, string[]> what each may be

--- Reads those files.
---@param paths string[]
---@return Annotations
function annotations.read(paths)
  local all = { classes = {}, functions = {}, files = {}, aliases = {} }
  for _, path in ipairs(paths) do read_file(all, path) end
  return all
end

--- A type, and what follows it in the text.
annotations.take_type = take_type

return annotations
