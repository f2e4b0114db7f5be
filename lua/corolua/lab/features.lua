--- What the installed corosync can do, by what it prints of itself. Newer ones
--- can be built without udpu, and so that they refuse to run unencrypted.

---@class corolua.lab.Features
---@field version string? nil where the program does not say
---@field udpu boolean whether it has the transport udpu
---@field unencrypted boolean whether knet may run without encryption

local lfs = require("lfs")

local features = {}

--- Reads what `corosync -v` prints. Where neither word of a pair is there, as
--- before 3.1.11, the thing is allowed.
---@param text string
---@return corolua.lab.Features
function features.read(text)
  local words = {}
  for word in (text:match("Built%-in features:([^\n]*)") or ""):gmatch("%S+") do
    words[word] = true
  end
  return {
    version = text:match("version '([^']+)'"),
    udpu = not words.without_udpu,
    unencrypted = not words.enforce_encryption,
  }
end

local known = {} -- by path

-- For the shell.
local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

--- The features of a corosync program. It is asked once.
---@param path string
---@return corolua.lab.Features
function features.of(path)
  if not known[path] then
    local pipe <close> = io.popen(quoted(path) .. " -v 2>&1")
    known[path] = features.read(pipe and pipe:read("a") or "")
  end
  return known[path]
end

--- The file of a library that a program takes.
---@param path string of the program
---@param name string such as "libknet"
---@return string? path
function features.library(path, name)
  local pipe <close> = io.popen("ldd " .. quoted(path) .. " 2>&1")
  local link = pipe and pipe:read("a"):match(name .. "%.so%S* => (/%S+)")
  if not link then return nil end
  local target = lfs.symlinkattributes(link, "target") or link
  return target:match("^/") and target or link:match("^.*/") .. target
end

return features
