-- The code blocks of documents that name what they show, for tools/docs and the
-- spec of the documents. "```lua examples/x.lua" is that file. "```text x" is
-- what `corolua x` prints: a script, or a command such as `lab -n 2 script`.
local blocks = {}

local HEAD = "```(%l+) ([%w_/%.%- ]+)\n"

function blocks.read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

--- The text with each paragraph on one line, as documents have them; tables stay.
function blocks.unwrap(text)
  return (text:gsub("([^\n|])\n([^\n|#])", "%1 %2"))
end

--- Each block: its language, what it names, and its text.
function blocks.each(text) return text:gmatch(HEAD .. "(.-)```") end

--- The text with every block's own replaced by what `fill` gives for it.
function blocks.replace(text, fill)
  return (text:gsub("(" .. HEAD .. ").-```", function(head, language, what)
    return head .. fill(language, what) .. "```"
  end))
end

-- Scripts on several nodes print at the same time: each node's lines stay
-- together, in their order.
local function by_node(output)
  local nodes, ids = {}, {}
  for line, id in output:gmatch("((%d+)| [^\n]*\n)") do
    id = math.tointeger(id)
    if not nodes[id] then
      nodes[id] = {}
      ids[#ids + 1] = id
    end
    table.insert(nodes[id], line)
  end
  table.sort(ids)
  for i, id in ipairs(ids) do ids[i] = table.concat(nodes[id]) end
  return table.concat(ids)
end

--- What `corolua <words>` prints, its errors included, and whether it ended well.
function blocks.run(program, words)
  local pipe = assert(io.popen(("NO_COLOR=1 '%s' %s 2>&1 </dev/null"):format(program, words)))
  local output = pipe:read("a")
  local ok = pipe:close()
  if ok and words:match("^lab ") then output = by_node(output) end
  return output, ok == true
end

return blocks
