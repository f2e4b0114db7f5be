-- What the specs of corolua.replica share: a lab, and folders for logs that are
-- gone at the end.
local lab = require("corolua.lab")

local replicas = {}

--- Functions for replicas on a lab that `start` makes and `stop` ends.
function replicas.new()
  local on, folders = {}, {}

  function on.start(nodes)
    on.cluster = assert(lab.start({ nodes = nodes }))
  end

  -- A path that nothing is at.
  function on.folder()
    local path = os.tmpname()
    assert(os.remove(path))
    table.insert(folders, path)
    return path
  end

  function on.stop()
    on.cluster:close()
    for _, path in ipairs(folders) do os.execute("rm -rf '" .. path .. "'") end
  end

  return on
end

return replicas
