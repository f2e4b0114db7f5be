--- Thin handles on a node's corosync, and what else is open there until the
--- cluster closes.

local args = require("corolua.base.args")
local checks = require("corolua.lab.fault_checks")
local inspect = require("corolua.base.inspect")

---@class corolua.lab.Node
local methods = {}

local thin_handles = { methods = methods }

---@alias corolua.lab.ThinHandle
---| corosync.cpg.Handle
---| corosync.quorum.Handle
---| corosync.votequorum.Handle
---| corosync.cmap.Handle
---| corosync.cfg.Handle

local is_library = args.one_of("cpg", "quorum", "votequorum", "cmap", "cfg")

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

-- The arguments of a library stand one place further back here.
local function blame(problem)
  if type(problem) ~= "string" then return problem end
  return (problem:gsub("^bad argument #(%d+) to '.-'", function(number)
    return ("bad argument #%d to 'thin'"):format(number + 1)
  end))
end

--- A thin handle on this node, as the library's `initialize` makes it; the cluster
--- closes it. Codes: those of the library, "ERR_BUSY" (a paused node), "ERR_LIBRARY".
---@param library "cpg"|"quorum"|"votequorum"|"cmap"|"cfg"
---@param ... any what its `initialize` takes
---@return corolua.lab.ThinHandle? handle, string? message, string? code
function methods:thin(library, ...)
  args.value(library, is_library, "thin", "the library", 2)
  checks.open(self.cluster, "thin", 2)
  local why, code = self:obstacle()
  if why then return nil, why, code end
  local initialize = require("corosync." .. library).initialize
  local results = table.pack(pcall(self.enter, self, initialize, ...))
  if not results[1] then error(blame(results[2]), 2) end
  return note(self, table.unpack(results, 2, results.n))
end

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
