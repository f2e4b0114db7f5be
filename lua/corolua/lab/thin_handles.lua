--- Thin handles on a node's corosync, and what else is open there until the
--- cluster closes.

local inspect = require("corolua.base.inspect")

---@class corolua.lab.Node
local methods = {}

local thin_handles = { methods = methods }

-- The names of the libraries by the name of the method.
local LIBRARIES = {
  cpg = "corosync.cpg",
  votequorum = "corosync.votequorum",
  quorum_handle = "corosync.quorum",
  cmap = "corosync.cmap",
  cfg = "corosync.cfg",
}

local weak_mt = { __mode = "v" }

--- Nothing is open on a node: its handles will be known by their number, as they came.
---@param self corolua.lab.Node
---@return corolua.lab.Node
function thin_handles.begin(self)
  self.handles, self.opened, self.closers = setmetatable({}, weak_mt), 0, {}
  return self
end

local function note(self, handle, ...)
  if handle then
    self.opened = self.opened + 1
    self.handles[self.opened] = handle
  end
  return handle, ...
end

local function blame(problem, name)
  if type(problem) == "string" then
    return (problem:gsub("^bad argument #(%d+) to '.-'", "bad argument #%1 to '" .. name .. "'"))
  end
  return problem
end

-- Only called as the last thing of a method, which leaves no level of its own:
-- level 2 is the script.
local function open(self, name, ...)
  if self.cluster.closed then error(name .. ": the cluster is closed", 2) end
  local why, code = self:obstacle()
  if why then return nil, why, code end
  local initialize = require(LIBRARIES[name]).initialize
  local results = table.pack(pcall(self.enter, self, initialize, ...))
  if not results[1] then error(blame(results[2], name), 2) end
  return note(self, table.unpack(results, 2, results.n))
end

--- A CPG handle on this node, as `corosync.cpg.initialize` makes it.
---@param callbacks corosync.cpg.Callbacks?
---@param options corosync.cpg.Options?
---@return corosync.cpg.Handle? handle, string? message, string? code
function methods:cpg(callbacks, options) return open(self, "cpg", callbacks, options) end

--- A votequorum handle on this node.
---@param callbacks corosync.votequorum.Callbacks?
---@return corosync.votequorum.Handle? handle, string? message, string? code
function methods:votequorum(callbacks) return open(self, "votequorum", callbacks) end

--- A quorum handle on this node.
---@param callbacks corosync.quorum.Callbacks?
---@return corosync.quorum.Handle? handle, string? message, string? code
function methods:quorum_handle(callbacks) return open(self, "quorum_handle", callbacks) end

--- A cmap handle on this node.
---@param map string? as `corosync.cmap.initialize`
---@return corosync.cmap.Handle? handle, string? message, string? code
function methods:cmap(map) return open(self, "cmap", map) end

--- A cfg handle on this node.
---@param callbacks corosync.cfg.Callbacks?
---@return corosync.cfg.Handle? handle, string? message, string? code
function methods:cfg(callbacks) return open(self, "cfg", callbacks) end

--- Whether this node's partition has quorum now, from tracked events.
---@return corolua.lab.View?
---@return string? message, string? code
function methods:quorum()
  local view = self.tracker.view
  if view then
    return inspect.readable({
      quorate = view.quorate, ring = view.ring, nodes = view.nodes,
      joined = view.joined, left = view.left,
    })
  end
  return nil, ("corosync does not run on node %d, or not long enough"):format(self.nodeid),
    "ERR_LIBRARY"
end

--- Calls the function when the cluster closes, before any corosync ends; the
--- last one given first. It must not wait.
---@private
---@param fn function
---@return { cancel: fun(self) } handle
function methods:at_close(fn)
  local entry = { fn = fn }
  table.insert(self.closers, entry)
  function entry.cancel() entry.fn = nil end
  return entry
end

--- Lets go of everything that was opened on the node. Handles on a corosync
--- that is paused would wait for it: those are left for when it has ended.
---@param self corolua.lab.Node
function thin_handles.close(self)
  while #self.closers > 0 do
    local fn = table.remove(self.closers).fn
    if fn then fn() end
  end
  if self.paused then return end
  for number = 1, self.opened do
    local handle = self.handles[number]
    if handle then pcall(handle.finalize, handle) end -- raises where the script closed it
  end
  thin_handles.begin(self)
end

return thin_handles
