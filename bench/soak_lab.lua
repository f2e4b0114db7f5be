-- The cluster of a soak: as a lab is unless told, or over knet with crypto where
-- the environment says SOAK_TRANSPORT=knet.
local lab = require("corolua.lab")

local soak_lab = {}

local OPTIONS = {
  default = {}, udpu = { transport = "udpu" }, knet = { transport = "knet", crypto = true },
}

---@param nodes integer
---@return corolua.lab.Cluster
function soak_lab.start(nodes)
  local transport = os.getenv("SOAK_TRANSPORT") or "default"
  local options = OPTIONS[transport]
    or error(("SOAK_TRANSPORT is udpu or knet, got '%s'"):format(transport))
  return assert(lab.start({
    nodes = nodes, transport = options.transport, crypto = options.crypto,
  }))
end

return soak_lab
