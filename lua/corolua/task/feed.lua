--- What goes into a program's standard input: bytes that it is slow to read wait
--- here, and hold up nobody.

local loop = require("corolua.loop")

---@class corolua.Feed
local methods = {}
local feed_mt = { __name = "corolua.feed", __index = methods }

local feed = {}

-- Bytes that go into the pipe at a time: what it holds by default.
local PIECE = 65536

--- A feed of the writing end of a pipe.
---@param pipe corolua.Descriptor
---@return corolua.Feed
function feed.new(pipe)
  pipe:nonblocking()
  return setmetatable({ pipe = pipe, rest = "", at = 1, ending = false, on_empty = false }, feed_mt)
end

local function stop_watching(self)
  if self.watch then self.watch:cancel() end
  self.watch = nil
end

--- Nothing more comes; what waits is lost. May be repeated.
function methods:close()
  if not self.pipe then return end
  stop_watching(self)
  self.pipe:close()
  self.pipe, self.rest = nil, ""
end

local function is_done(self)
  stop_watching(self)
  if self.ending then return self:close() end
  local tell = self.on_empty
  self.on_empty = false
  if tell then tell() end
end

-- Who has closed its end reads no more.
local function flush(self)
  local put, _, code = self.pipe:write(self.rest:sub(self.at, self.at + PIECE - 1))
  if not put and code ~= "EAGAIN" then return self:close() end
  self.at = self.at + (put or 0)
  if self.at > #self.rest then
    self.rest, self.at = "", 1
    return is_done(self)
  end
  self.watch = self.watch or loop.fd(self.pipe:fileno(), "w", function() flush(self) end)
end

--- Adds bytes; without effect once it is closed.
---@param bytes string
---@param on_empty? fun() called when all bytes are in the pipe, if they do not fit now
---@return boolean # whether they are all in the pipe
function methods:write(bytes, on_empty)
  if not self.pipe or self.ending then return true end
  self.rest, self.at = self.rest:sub(self.at) .. bytes, 1
  if self.rest ~= "" then flush(self) end
  if self.rest == "" then return true end
  self.on_empty = on_empty or false
  return false
end

--- The end of the input, behind what waits.
function methods:finish()
  self.ending = true
  if self.rest == "" then self:close() end
end

return feed
