-- The disk of a node on which a spec plays replicas: what the journal of a process
-- has brought to it outlives that process.
local log = require("corolua.replica.log")

local random = math.random

local disks = {}

--- A disk without anything on it.
function disks.new() return { base = { index = 0 }, last = 0, list = {} } end

-- A journal whose records are on the disk once `flush` is called.
function disks.journal(disk)
  local journal = log.memory()
  journal.base, journal.last, journal.written = disk.base, disk.last, disk.last
  for index, bytes in pairs(disk.list) do journal.list[index] = bytes end
  function journal:append(bytes)
    if self.is_closed then return nil, "closed", "ERR_NOT_EXIST" end
    self.last = self.last + 1
    self.list[self.last] = bytes
    return self.last
  end
  function journal:cut(index)
    for i = index + 1, self.last do self.list[i] = nil end
    self.last, self.written = index, math.min(self.written, index)
    return true
  end
  function journal:flush(to)
    if to <= self.written then return end
    self.written = to
    self.on.written()
  end
  return journal
end

-- What a process that is killed leaves: all that was written, and maybe more.
function disks.keep(disk, journal)
  disk.base = journal.base
  disk.last = random(math.max(journal.written, disk.base.index), journal.last)
  disk.list = {}
  for i = disk.base.index + 1, disk.last do disk.list[i] = journal.list[i] end
end

return disks
