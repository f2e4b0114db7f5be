-- Asks its daemon a hundred times a second, and tells of answers that are late or bad.
local corolua = require("corolua")
local cpg = require("corosync.cpg")

local handle = assert(cpg.initialize())
print("asking")
repeat
  local begin = corolua.now()
  local members, _, code = handle:membership_get("tea")
  local took = corolua.now() - begin
  if not members then print("no answer: " .. code) end
  if took > 0.2 then print(("an answer after %.1f s"):format(took)) end
until not members or not corolua.sleep(0.01)
