-- Keeps what a group is told, in a plain file and in a journal: corolua keeper.lua <folder>
local corolua = require("corolua")
local journal = require("corolua.journal")

local plain = assert(io.open(arg[1] .. "/plain", "a+"))
local book = assert(journal.open(arg[1] .. "/journal"))
local _, lines = plain:read("a"):gsub("\n", "")
print(("found: %d in the plain file, %d in the journal"):format(lines, book.last))

local room = corolua.group("notes")

function room.on.message(payload)
  print("delivered " .. payload)
  assert(plain:write(payload, "\n")) -- no error, and it is in a buffer of this process
  assert(book:append(payload))
end

function book.on.written(index) print("written up to " .. index) end

assert(room:join())
