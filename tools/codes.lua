-- The error codes, for docs/reference.md: what each means and what a script does
-- about it stands here; who gives it is taken from what the functions say.
local blocks = dofile("tools/blocks.lua")

local codes = {}

-- Code, what it means, what a script does about it, and who else gives it.
codes.list = {
  { "ERR_ACCESS", "corosync denies this user, or a file may not be read or written",
    "have `uidgid` in corosync.conf allow the user, or set the rights of the folder" },
  { "ERR_BUSY", "somebody else has it: a node that is paused, a folder that another process "
    .. "uses, handles that were opened before `lab.start`",
    "end that, and ask again", "the calls of a paused `node`" },
  { "ERR_CORRUPT", "what is on the disk is damaged", "keep the folder to look at, and begin with "
    .. "an empty one: a replica gets the state from the others" },
  { "ERR_EXIST", "it is there already; this process is in the group by another handle",
    "use what is there" },
  { "ERR_FAILED_OPERATION", "the disk, or corosync, has failed", "look at the message, and at the "
    .. "logs of the system" },
  { "ERR_INTERRUPT", "the program stops, the cluster was closed, or a signal came", "return: what "
    .. "has to be closed closes by `<close>`" },
  { "ERR_INVALID_PARAM", "corosync refuses the parameter", "mend the script", },
  { "ERR_LEFT", "the member that was asked left before it answered", "ask another one, if it does "
    .. "no harm to have it done twice" },
  { "ERR_LIBRARY", "there is no connection to corosync", "a group comes back by itself: wait for "
    .. "`up`, and decide on what `down` lists; finalize a thin handle and open a new one" },
  { "ERR_NETLINK", "the kernel refuses a cable of the lab", "`corolua doctor`", "`lab.start`" },
  { "ERR_NOT_EXIST", "there is no such thing: not joined, left, closed, no such record or key",
    "join, or open; at the end of a loop, the end" },
  { "ERR_NOT_QUORATE", "the node is on a side without quorum", "stop what only one side may do; "
    .. "go on at `quorum`, and send again" },
  { "ERR_NOT_SUPPORTED", "this corosync, or this configuration, has no such thing", "change the "
    .. "configuration, or do without" },
  { "ERR_NOT_SYNCED", "the replica does not have yet what the others have; nothing was sent",
    "wait for `synced`, and submit again" },
  { "ERR_NO_METHOD", "the member offers no method of that name", "mend the name, or start the "
    .. "newer script there" },
  { "ERR_NO_RESULT", "the command was applied, and nobody knows any more what it returned",
    "read the state" },
  { "ERR_NO_SPACE", "/dev/shm or the disk is full", "make room, and ask again" },
  { "ERR_OVERLOAD", "more was to be done than may wait: calls at a member, events in a group",
    "ask again later; handle events faster, or raise `max_held`", "`room.on.down`" },
  { "ERR_REMOTE", "the method raised at the other member; the message is its own", "as with any "
    .. "error" },
  { "ERR_TIMEOUT", "it did not happen in time; it may happen yet", "find out whether it did "
    .. "before it is done again" },
  { "ERR_TOO_BIG", "more bytes than may be", "raise the limit, or ask for less" },
  { "ERR_TRY_AGAIN", "not now: the window is full, or corosync is busy; nothing was sent",
    "do the same again later" },
  { "ERR_VERSION", "what is on the disk, or the daemon, is of another version", "use the version "
    .. "that wrote it" },
  { "EACCES", "the file may not be run", "set its rights" },
  { "EAGAIN", "the system has no process or no memory left for it", "ask for fewer nodes, or "
    .. "raise the limits of the user" },
  { "EBADF", "no open descriptor has that number", "mend the script" },
  { "ECHILD", "it is no child of this program, or somebody else took its status", "mend the "
    .. "script" },
  { "EEXIST", "the descriptor is watched already", "cancel the other watch first" },
  { "EINVAL", "the system refuses an argument", "look at the message" },
  { "EIO", "a file of the lab, or one to keep, cannot be written", "make room" },
  { "EMFILE", "more descriptors than the program may have", "raise `ulimit -n`" },
  { "ENOENT", "there is no such program, folder or file", "install it, or mend the name" },
  { "ENOSPC", "/dev/shm has no room for the connections of the lab", "make room; `corolua doctor`"
    .. " says how much is needed" },
  { "EPERM", "this user may not do that", "`corolua doctor` says what is missing" },
  { "EPIPE", "the switch of the lab has ended", "close the cluster, and start another one",
    "the faults of `cluster`" },
}

-- corosync's own names that no call of ours is known to give.
codes.rare = {
  "ERR_BAD_FLAGS", "ERR_BAD_HANDLE", "ERR_BAD_OPERATION", "ERR_CONTEXT_NOT_FOUND", "ERR_INIT",
  "ERR_MESSAGE_ERROR", "ERR_NAME_NOT_FOUND", "ERR_NAME_TOO_LONG", "ERR_NO_MEMORY",
  "ERR_NO_RESOURCES", "ERR_NO_SECTIONS", "ERR_QUEUE_FULL", "ERR_QUEUE_NOT_AVAILABLE",
  "ERR_SECURITY", "ERR_TOO_MANY_GROUPS",
}

local function codes_in(text)
  local found = {}
  for code in text:gmatch('"(E[%u_]+)"') do found[code] = true end
  return found
end

-- "those of group:join" stands for the codes of that call.
local function also(documented, text)
  local kind, name = text:match("those of (%l+):(%l+)")
  if not kind then return {} end
  local object = kind == "group" and "room" or kind
  for _, one in ipairs(documented) do
    if one.name == object .. ":" .. name then return codes_in(one.text) end
  end
  error("no call is " .. kind .. ":" .. name)
end

--- Who gives which codes, by what the functions say.
---@param documented { name: string, by: string, text: string }[] by: how it is called in a list
---@return table<string, string[]>
function codes.givers(documented)
  local givers = {}
  for _, one in ipairs(documented) do
    local found = codes_in(one.text)
    for code in pairs(also(documented, one.text)) do found[code] = true end
    for code in pairs(found) do
      local list = givers[code] or {}
      givers[code] = list
      if list[#list] ~= one.by then table.insert(list, one.by) end
    end
  end
  return givers
end

local HEAD = blocks.unwrap([[
## Error codes

A code is a short string that never changes; the message beside it is for people. "Given by" lists
the functions that say so of themselves. A thin module passes on what its library says, and what
opens a file or starts a program what the system says; so others may come from there.

| code | given by | it means | what a script does |
| --- | --- | --- | --- |]])

local TAIL = "\ncorosync has these as well, and a thin call passes them on: %s. A number that has "
  .. 'no name here is `"ERR_42"`, one of the system `"E142"`.'

--- The chapter of the codes.
---@param documented { name: string, by: string, text: string }[]
---@return string
function codes.chapter(documented)
  local givers, lines = codes.givers(documented), { HEAD }
  for _, one in ipairs(codes.list) do
    local code, meaning, remedy, others = table.unpack(one)
    local list = givers[code] or {}
    table.insert(list, others)
    table.insert(lines, ("| `%s` | %s | %s | %s |"):format(code, table.concat(list, ", "), meaning,
      remedy))
  end
  local rare = {}
  for i, code in ipairs(codes.rare) do rare[i] = "`" .. code .. "`" end
  table.insert(lines, TAIL:format(table.concat(rare, ", ")))
  return table.concat(lines, "\n")
end

return codes
