--- One corosync: its files, its process, its last words.

local lfs = require("lfs")
local corosync_conf = require("corolua.lab.corosync_conf")
local explain = require("corolua.lab.explain")
local features = require("corolua.lab.features")
local scheduler = require("corolua.task.scheduler")
local network = require("corolua.lab.network")
local sandbox = require("corolua.lab.sandbox")
local files = require("corolua.lab.files")
local sys = require("corolua.sys")
local tell = require("corolua.trace.tell")

---@class corolua.lab.Daemon
---@field nodeid integer
---@field pid integer? while it runs
---@field ended string? how the last one ended: "status 8", "signal 9"
---@field is_meant boolean whether it is to end
---@field on_end fun(is_meant: boolean)
local methods = {}
local daemon_mt = { __name = "corolua.lab.daemon", __index = methods }

local daemon = {}

local LAST_LINES = 4

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- State stays over restarts: a ring number that starts again would tear the
-- other nodes apart.
local function make_files(self, config)
  for _, folder in ipairs({ self.folder, self.files.state, self.files.run }) do
    assert(lfs.mkdir(folder))
  end
  if config.crypto then write(self.files.key, config.key) end
  write(self.files.conf, corosync_conf.text(config, self.files, network.address))
end

--- What the installed corosync can do.
---@return corolua.lab.Features? features, string? message, string? code
function daemon.features()
  local program, why, code = files.find("corosync")
  if not program then return nil, why, code end
  return features.of(program)
end

--- A daemon that does not run yet.
---@param id integer
---@param folder string the lab's
---@param config corolua.lab.Options as completed
---@param space userdata the node's network
---@return corolua.lab.Daemon
function daemon.new(id, folder, config, space)
  local own = ("%s/n%d"):format(folder, id)
  local self = setmetatable({ nodeid = id, folder = own, space = space }, daemon_mt)
  self.files = {
    conf = own .. "/corosync.conf",
    key = own .. "/authkey",
    state = own .. "/state",
    run = own .. "/run",
    log = (config.log_dir or own) .. ("/n%d.log"):format(id),
    stderr = own .. "/stderr",
  }
  make_files(self, config)
  return self
end

-- What it shared with its clients would stay in memory once it has been killed.
local function remove_shared(pid)
  local own, box = ("qb-%d-"):format(pid), ("qb-corosync-%d-"):format(pid)
  for name in lfs.dir(sandbox.folder) do
    if name:sub(1, #own) == own or name:sub(1, #box) == box then
      files.remove(sandbox.folder .. "/" .. name)
    end
  end
end

-- The status of a child that somebody else has waited for is lost.
local ENDS = { exit = "status %s", signal = "signal %s", unknown = "an unknown status" }

local function tell_end(self, kind)
  local what = self.is_meant and (kind == "signal" and "kill" or "stop") or "crash"
  tell.line("proc", false, "n", self.nodeid, "what", what, "pid", self.pid)
end

local function has_ended(self, kind, status)
  local pid = self.pid
  tell_end(self, kind)
  self.pid, self.watch = nil, nil
  self.ended = (ENDS[kind] or ENDS.unknown):format(status)
  sandbox.guard:forget(pid)
  remove_shared(pid)
  self.on_end(self.is_meant)
end

--- Starts corosync; it may still end when it has read its configuration.
---@return true? started, string? message, string? code
function methods:start()
  local program, why, code = files.find("corosync")
  if not program then return nil, why, code end
  local errors <close> = assert(sys.open(self.files.stderr, "a"))
  local pid
  pid, why, code = sys.spawn({ program, "-f", "-c", self.files.conf }, {
    net = self.space, binds = { self.files.run, "/run" }, placement = "session",
    stderr = errors, guard = sandbox.guard, env = files.environment(),
  })
  if not pid then return explain.explain_process(why, code) end
  self.pid, self.ended, self.is_meant = pid, nil, false
  tell.line("proc", false, "n", self.nodeid, "what", "start", "pid", pid)
  self.watch = scheduler.child(pid, function(...) has_ended(self, ...) end)
  self.watch:unref()
  return true
end

--- Asks it to end cleanly.
function methods:terminate()
  self.is_meant = true
  self:signal("TERM")
end

--- Sends a signal; nothing where the daemon does not run.
---@param signal string "STOP"
function methods:signal(signal)
  if self.pid then sys.kill(self.pid, signal) end
end

--- Whether it stands still, by a signal that stopped it; false where it does not
--- run.
---@return boolean
function methods:is_stopped()
  local file <close> = self.pid and io.open(("/proc/%d/stat"):format(self.pid))
  return file and file:read("a"):match("^.*%) (%a)") == "T" or false
end

--- Kills it at once, and returns when it has ended.
function methods:kill()
  if not self.pid then return end
  self.is_meant = true
  self.watch:cancel()
  sys.kill_group(self.pid, "KILL")
  has_ended(self, sys.reap(self.pid))
end

local function last_lines(path)
  local file <close> = io.open(path)
  local lines = {}
  for line in file and file:lines() or function() end do lines[#lines + 1] = line end
  return table.concat(lines, "\n", math.max(1, #lines - LAST_LINES + 1))
end

--- How it ended, with the last lines that it wrote.
---@return nil, string message, string code
function methods:last_words()
  local words = { last_lines(self.files.log), last_lines(self.files.stderr) }
  local text = table.concat(words, "\n"):gsub("^\n+", ""):gsub("\n+$", "")
  local is_full = text:find("No space left", 1, true)
  return nil, ("corosync on node %d ended with %s. Its last words:\n%s%s")
    :format(self.nodeid, self.ended or "no word", text, is_full and "\n" .. explain.NO_SPACE or ""),
    is_full and "ENOSPC" or "ERR_LIBRARY"
end

return daemon
