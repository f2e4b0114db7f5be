-- Fills the code blocks of documents that name an example (see tools/docs).
local program = arg[-1]

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function run(path)
  local pipe = assert(io.popen("NO_COLOR=1 '" .. program .. "' " .. path .. " 2>&1"))
  local output = pipe:read("a")
  assert(pipe:close(), path .. " failed:\n" .. output)
  return output
end

for _, document in ipairs(arg) do
  local text = read(document):gsub("(```(%w+) ([%w_/%.]+)\n).-```", function(head, language, path)
    return head .. (language == "text" and run or read)(path) .. "```"
  end)
  local file <close> = assert(io.open(document, "w"))
  assert(file:write(text))
end
