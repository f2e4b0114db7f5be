--- The records of a replica's log. The first record of a term is a marker; all
--- others are commands. Each has the seq of the ring it was applied in. These are
--- those of version 2; version 1 had another marker.

local log_entry = {}

local pack, unpack = string.pack, string.unpack

local MARKER, MARKER_SIZE = "<c1i8i8i8", string.packsize("<c1i8i8i8")
local COMMAND, HEAD = "<c1i8i8i8I4I4", string.packsize("<c1i8i8i8I4I4")

---@param seq integer of the ring
---@param round integer in that ring
---@param nonce integer
---@return string
function log_entry.marker(seq, round, nonce) return pack(MARKER, "M", seq, round, nonce) end

---@return integer seq, integer round, integer nonce
function log_entry.read_marker(bytes)
  local _, seq, round, nonce = unpack(MARKER, bytes)
  return seq, round, nonce
end

---@param seq integer of the ring
---@param origin integer which replica sent it
---@param number integer among its commands
---@param nodeid integer of the member that sent it
---@param pid integer
---@param bytes string the command
---@return string
function log_entry.command(seq, origin, number, nodeid, pid, bytes)
  return pack(COMMAND, "c", seq, origin, number, nodeid, pid) .. bytes
end

---@return integer seq, integer origin, integer number, integer nodeid, integer pid, string bytes
function log_entry.read_command(bytes)
  local _, seq, origin, number, nodeid, pid = unpack(COMMAND, bytes)
  return seq, origin, number, nodeid, pid, bytes:sub(HEAD + 1)
end

--- What a record is; "old" where a version before this one wrote it, nil where it
--- is none of a replica.
---@param bytes string
---@return "marker"|"command"|"old"|nil
function log_entry.kind(bytes)
  local letter = bytes:sub(1, 1)
  if letter == "M" and #bytes == MARKER_SIZE then return "marker" end
  if letter == "c" and #bytes >= HEAD then return "command" end
  if letter == "m" then return "old" end
  return nil
end

return log_entry
