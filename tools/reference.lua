-- docs/reference.md: every public name, written from the annotations. What a
-- module has is asked of the module itself, as it is loaded; what its objects
-- have, and what options and results consist of, is found from there.
local annotations = dofile("tools/annotations.lua")
local blocks = dofile("tools/blocks.lua")
local codes = dofile("tools/codes.lua")
local files = require("spec.support.files")

local reference = {}

local SECTIONS = {
  { "Groups, quorum, tasks", "corolua", "groups.md", "tasks: [api.md](api.md)" },
  { "The loop", "corolua.loop", "api.md" },
  { "Calls", "corolua.rpc", "rpc.md" },
  { "Elections", "corolua.election", "election.md" },
  { "Replicas", "corolua.replica", "replica.md" },
  { "Journals", "corolua.journal", "journal.md" },
  { "The lab", "corolua.lab", "lab.md", "nemeses: [chaos.md](chaos.md)" },
  { "Traces", "corolua.trace", "trace.md" },
  { "Judging a trace", "corolua.check", "check.md" },
  { "One order", "corolua.check.total_order", "how/checks.md" },
  { "The same messages", "corolua.check.virtual_synchrony", "how/checks.md" },
  { "Linearizability", "corolua.check.linearizable", "how/checks.md" },
  { "what the thin modules have in common", "corosync", "api.md" },
  { "Process groups, thin", "corosync.cpg", "api.md" },
  { "Quorum, thin", "corosync.quorum", "api.md" },
  { "Votes, thin", "corosync.votequorum", "api.md" },
  { "The map of keys, thin", "corosync.cmap", "api.md" },
  { "Configuration, thin", "corosync.cfg", "api.md" },
}

-- What an object is called where its methods are shown.
local NAMES = {
  ["corolua.Group"] = "room", ["corolua.Election"] = "boss", ["corolua.Rpc"] = "service",
  ["corosync.Handle"] = "handle", ["corolua.lab.Schedule"] = "list",
  ["corolua.check.HandleHistory"] = "history",
}

local function all_files()
  local paths = {}
  for _, path in ipairs(files.below("lua")) do
    if path:find("%.lua$") then table.insert(paths, "lua/" .. path) end
  end
  return paths
end

local function short(type) return (type:gsub("%f[%w]coro%l+%.%f[%w]", "")) end

local function first_sentence(text)
  local sentence = text:gsub("Codes: .*$", ""):match("^(.-[.])%s") or text:gsub("Codes: .*$", "")
  return (sentence:gsub("%.?%s*$", ""):gsub("<", "\\<"):gsub("%*", "\\*"))
end

local function sorted(set)
  local list = {}
  for key in pairs(set) do table.insert(list, key) end
  table.sort(list)
  return list
end

-- What stands in the source of a function: of C modules in lua/meta.
local function doc_of(all, module, name, fn)
  local info = debug.getinfo(fn, "S")
  if info.what == "C" then
    local path = ("lua/meta/%s.lua"):format(module:gsub("%.", "/"))
    return all.files[path].functions[name]
  end
  local path = "lua/" .. info.source:match("corolua/[%w_/]+%.lua$")
  return all.functions[path .. ":" .. info.linedefined]
end

local function argument(param)
  local type = short(param.type)
  if param.name == "..." then return "...: " .. type end
  if param.optional then return ("%s?: %s"):format(param.name, (type:gsub("%?$", ""))) end
  return ("%s: %s"):format(param.name, type)
end

-- What a call gives where it succeeds: what stands before the message.
local function results(doc)
  local list, may_fail = {}, false
  for _, one in ipairs(doc.returns) do
    if one.name == "message" then may_fail = true break end
    table.insert(list, short(one.type))
  end
  if may_fail and list[1] then
    list[1] = list[1]:gsub("%?$", ""):gsub("|nil$", ""):gsub("^nil|", "")
  end
  if #list == 0 or #list == 1 and list[1] == "nil" then return "" end
  return " → " .. table.concat(list, ", ")
end

-- What each public function says of itself, under the name it is shown by.
local documented = {}

local function signature(name, doc, by)
  table.insert(documented, { name = name, text = doc.whole, by = by or "`" .. name .. "`" })
  local list = {}
  for _, param in ipairs(doc.params) do table.insert(list, argument(param)) end
  return ("%s(%s)%s"):format(name, table.concat(list, ", "), results(doc))
end

local function line(page, shown, text)
  local said = first_sentence(text)
  table.insert(page, ("- `%s`%s"):format(shown, said ~= "" and ": " .. said or ""))
end

-- Notes the classes and aliases that a type names.
local function note(seen, type)
  for name in type:gmatch("coro%l+[%w_.]*%.%u%w*") do seen(name) end
end

local function note_doc(seen, doc)
  for _, param in ipairs(doc.params) do note(seen, param.type) end
  for _, one in ipairs(doc.returns) do note(seen, one.type) end
end

local function object_name(name)
  return NAMES[name] or name:match("%.%l+%.Handle$") and "handle"
    or name:match("(%u%w*)$"):gsub("^%u", string.lower)
end

local function is_handlers(class)
  for _, field in ipairs(class.fields) do
    if not field.type:find("^%(?fun%(") then return false end
  end
  return #class.fields > 0 and #class.methods == 0
end

local function field_line(page, prefix, field)
  local type = short(field.type)
  local arguments = field.type:match("^fun(%b())")
  if arguments and prefix ~= "" then
    local more = type:match("^fun%b():?%s*(.*)$")
    line(page, ("%s%s%s%s"):format(prefix, field.name, short(arguments),
      more ~= "" and " → " .. more or ""), field.text)
    return
  end
  local name = field.name:match("^%[") and field.name or prefix .. field.name
  line(page, ("%s%s: %s"):format(name, field.optional and "?" or "", (type:gsub("%?$", ""))),
    field.text)
end

local function private_free(list)
  local shown = {}
  for _, one in ipairs(list) do
    if not one.private then table.insert(shown, one) end
  end
  return shown
end

-- A method that a class has as a field: its first argument is the object.
local function as_method(field, class)
  local self = "^fun%(self: " .. class.name:gsub("%.", "%%.") .. ",? ?"
  return field.type:find(self) and field.type:gsub(self, "fun(")
end

local function class_chapter(page, all, class, prefix, seen)
  local fields, methods = private_free(class.fields), private_free(class.methods)
  local is_object = #methods > 0
  local name = object_name(class.name)
  local title = short(class.name)
  local more = class.parent and (" It has what %s has as well."):format(short(class.parent)) or ""
  table.insert(page, ("\n### %s\n"):format(title))
  local text = first_sentence(class.text)
  if text ~= "" then text = text:gsub("^%l", string.upper) .. "." end
  if text .. more ~= "" then table.insert(page, (text .. more):gsub("^ ", "") .. "\n") end
  if class.parent then seen(class.parent) end
  for _, field in ipairs(fields) do
    note(seen, field.type)
    local method = as_method(field, class)
    if method then
      field_line(page, name .. ":", { name = field.name, type = method, text = field.text })
    else
      local named = all.classes[field.type:match("^[%w_.]+$") or ""]
      if named and is_handlers(named) then
        seen(named.name, (is_object and name or prefix or name) .. "." .. field.name)
      end
      field_line(page, is_object and name .. "." or prefix and prefix .. "." or "", field)
    end
  end
  local thin = class.name:match("^(corosync%.%l+)%.Handle$")
  for _, method in ipairs(methods) do
    note_doc(seen, method)
    line(page, signature(name .. ":" .. method.name, method,
      thin and ("handles of `%s`"):format(thin)), method.text)
  end
end

local function alias_chapter(page, name, values)
  table.insert(page, ("\n### %s\n"):format(short(name)))
  for _, value in ipairs(values) do
    local type, text = annotations.take_type(value)
    line(page, short(type), text)
  end
end

-- What a module has besides functions are the fields of the class of its name.
local function check_fields(module, loaded, fields)
  local told = {}
  for _, field in ipairs(fields) do told[field.name] = true end
  for name, value in pairs(loaded) do
    assert(type(value) == "function" or told[name], module .. "." .. name .. " is in no class")
  end
end

local function module_chapter(page, all, section, seen)
  local title, module, where, more = table.unpack(section)
  if module == "corosync" then
    table.insert(page, ("\n## corosync: %s\n\n[%s](%s)\n"):format(title, where, where))
    return
  end
  local loaded = require(module)
  local short_name = module:match("[%w_]+$")
  table.insert(page, ("\n## %s: %s\n"):format(module, title:gsub("^%u", string.lower)))
  table.insert(page, ('`local %s = require("%s")`; [%s](%s)%s\n'):format(short_name, module, where,
    where, more and "; " .. more or ""))
  for _, name in ipairs(sorted(loaded)) do
    if type(loaded[name]) == "function" then
      local doc = assert(doc_of(all, module, name, loaded[name]), module .. "." .. name)
      if not doc.private then
        note_doc(seen, doc)
        line(page, signature(short_name .. "." .. name, doc), doc.text)
      end
    end
  end
  local class = all.classes[module] or { fields = {} }
  check_fields(module, loaded, class.fields)
  for _, field in ipairs(class.fields) do
    local named = all.classes[field.type]
    if named then seen(named.name, short_name .. "." .. field.name) end
    if not (named and is_handlers(named)) then field_line(page, short_name .. ".", field) end
  end
end

-- The section that a class belongs to by its name, or else the one that names it.
local function home_of(name, section)
  local found, length = section, 0
  for _, one in ipairs(SECTIONS) do
    local prefix = one[2] .. "."
    if one[2] ~= "corolua" and #prefix > length and name:sub(1, #prefix) == prefix then
      found, length = one, #prefix
    end
  end
  local is_below = found[2] ~= "corosync" and section[2]:sub(1, length) == name:sub(1, length)
  return is_below and section or found
end

-- The classes that are to be written still, the next one last; `done` has those
-- that some section has named.
local function new_queue(all, done)
  local queue = { stack = {}, found = {}, prefixes = {} }
  function queue.seen(name, prefix)
    queue.prefixes[name] = queue.prefixes[name] or prefix
    if done[name] or not (all.classes[name] or all.aliases[name]) then return end
    done[name] = true
    table.insert(queue.found, name)
  end
  function queue.push()
    for i = #queue.found, 1, -1 do table.insert(queue.stack, queue.found[i]) end
    queue.found = {}
  end
  return queue
end

-- All classes that are reached from a module: each stands behind the one that
-- names it first.
local function write_classes(pages, all, section, queue)
  queue.push()
  while #queue.stack > 0 do
    local name = table.remove(queue.stack)
    local page = pages[home_of(name, section)]
    if all.aliases[name] then
      alias_chapter(page, name, all.aliases[name])
    else
      class_chapter(page, all, all.classes[name], queue.prefixes[name], queue.seen)
    end
    queue.push()
  end
end

local function write_sections(pages, all, done)
  local queues = {}
  for _, section in ipairs(SECTIONS) do
    queues[section], pages[section] = new_queue(all, done), {}
    module_chapter(pages[section], all, section, queues[section].seen)
  end
  for _, section in ipairs(SECTIONS) do write_classes(pages, all, section, queues[section]) end
end

local HEAD = blocks.unwrap([[
# Reference: all public names on one page

Written by `tools/docs` from the annotations in the sources: each name with its types and a
sentence. A `?` marks what may be left out or be nil. What an arrow points at is returned where the
call succeeds; where the cluster or the system refuses or fails, `nil, message, code` comes instead,
with [one of these codes](#error-codes). The page that is named under a module holds the contract.
Times are in seconds unless told otherwise.
]])

local function hidden_methods(class)
  local hidden = {}
  for _, method in ipairs(class.methods) do
    if method.private then hidden[method.name] = true end
  end
  return hidden
end

--- The text of the page, and the classes on it that have methods: by the name of
--- each its methods that are not public.
---@return string text, table<string, table<string, true>> objects
function reference.text()
  documented = {}
  local all, pages, done, text = annotations.read(all_files()), {}, {}, { HEAD }
  write_sections(pages, all, done)
  for _, section in ipairs(SECTIONS) do
    table.move(pages[section], 1, #pages[section], #text + 1, text)
  end
  table.insert(text, codes.chapter(documented))
  local objects = {}
  for name in pairs(done) do
    local class = all.classes[name]
    if class and #class.methods > 0 then objects[short(name)] = hidden_methods(class) end
  end
  return (table.concat(text, "\n"):gsub("\n\n\n+", "\n\n")) .. "\n", objects
end

return reference
