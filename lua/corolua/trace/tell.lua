--- What other rooms tell a trace. While nobody listens these are functions that
--- do nothing; `corolua.trace` puts its own in their place.

local tell = {}

local function nothing() end

--- The functions that do nothing.
tell.SILENT = {
  --- The number of the life of a thin handle that is told of; nil if it is not.
  ---@type fun(handle: userdata, is_packed: boolean): integer?
  life = nothing,
  --- Tells a line: its kind, the life it is of or false, and pairs of a key and a
  --- value, in order; a value of nil leaves the pair out.
  ---@type fun(kind: string, h: integer|false, ...: any)
  line = nothing,
  --- The node that is in a network, by the network's inode; 0 forgets it.
  ---@type fun(inode: integer, nodeid: integer)
  place = nothing,
}

--- Has these functions called, or none.
---@param functions table<string, function>
function tell.use(functions)
  for name in pairs(tell.SILENT) do tell[name] = functions[name] end
end

tell.use(tell.SILENT)

return tell
