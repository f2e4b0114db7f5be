-- What an installed corosync has to show: a node that starts, and two that are quorate.
local doctor = require("corolua.cli.doctor")
local lab = require("corolua.lab")

for _, found in ipairs(doctor.examine()) do
  if found.name:find("^a lab") then print(found.state, found.name) end
end

local cluster <close> = assert(lab.start({ nodes = 2, transport = "knet", crypto = true }))
print((assert(cluster[1]:tool("corosync", "-v")).output:match("[^\n]*")))
print(cluster)
