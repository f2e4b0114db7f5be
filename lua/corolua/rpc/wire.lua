--- What calls and replies are on the wire. All begin with a header of one
--- length, by which whoever is not addressed drops a message before anything
--- else of it is read:
---
---   version 1 byte, kind 1 byte, nonce 8, number 8, nodeid 4, pid 4
---
--- The caller's nonce is random and made anew by each open, and the number
--- counts its calls: so no reply ever reaches another call than its own, not
--- even one of a later process of the same pid. A call names who is to answer
--- it, nodeid and pid 0 being all; a reply names the caller. Behind the header
--- stands
---
---   CALL    method (1 byte of length), 1 byte whether there is a value, value
---   LIST    1 byte of count, nodeid 4 and pid 4 of each; then as CALL
---   RESULT  1 byte whether there is a value, value
---   ERROR   code (1 byte of length), text
---
--- All numbers are little-endian.

local wire = {}

local pack, unpack = string.pack, string.unpack

wire.VERSION = 1
wire.CALL, wire.LIST, wire.RESULT, wire.ERROR = 1, 2, 3, 4

wire.HEADER = "<BBi8i8I4I4"
wire.HEADER_SIZE = string.packsize(wire.HEADER)

-- What a list and a method's name may count, for the byte they have.
wire.COUNT_MAX = 255

local CALL_HEAD = wire.HEADER .. "s1B"
local RESULT_HEAD = wire.HEADER .. "B"
local ERROR_HEAD = wire.HEADER .. "s1"
local VERSION, CALL, LIST, RESULT, ERROR = 1, 1, 2, 3, 4

--- A call of one member, or of all (0, 0).
---@param nonce integer
---@param number integer
---@param nodeid integer
---@param pid integer
---@param method string
---@param value string? nil: there is none
---@return string
function wire.call(nonce, number, nodeid, pid, method, value)
  if not value then return pack(CALL_HEAD, VERSION, CALL, nonce, number, nodeid, pid, method, 0) end
  return pack(CALL_HEAD, VERSION, CALL, nonce, number, nodeid, pid, method, 1) .. value
end

--- A call of those in a list.
---@param nonce integer
---@param number integer
---@param members corosync.Member[] 255 at most
---@param method string
---@param value string?
---@return string
function wire.list(nonce, number, members, method, value)
  local parts = { pack(wire.HEADER .. "B", VERSION, LIST, nonce, number, 0, 0, #members) }
  for _, member in ipairs(members) do
    parts[#parts + 1] = pack("<I4I4", member.nodeid, member.pid)
  end
  parts[#parts + 1] = pack("<s1B", method, value and 1 or 0)
  parts[#parts + 1] = value
  return table.concat(parts)
end

--- What a method returned, for a caller.
---@param nonce integer
---@param number integer
---@param caller corosync.Member
---@param value string?
---@return string
function wire.result(nonce, number, caller, value)
  local nodeid, pid = caller.nodeid, caller.pid
  if not value then return pack(RESULT_HEAD, VERSION, RESULT, nonce, number, nodeid, pid, 0) end
  return pack(RESULT_HEAD, VERSION, RESULT, nonce, number, nodeid, pid, 1) .. value
end

--- Why there is no result, for a caller.
---@param nonce integer
---@param number integer
---@param caller corosync.Member
---@param code string
---@param text string
---@return string
function wire.error(nonce, number, caller, code, text)
  return pack(ERROR_HEAD, VERSION, ERROR, nonce, number, caller.nodeid, caller.pid, code) .. text
end

--- Whether a member is in the list that begins there, and where the list ends;
--- nil and why if it is cut short.
---@param bytes string
---@param at integer
---@param nodeid integer
---@param pid integer
---@return boolean? is_in, integer|string end_or_why
function wire.find_in_list(bytes, at, nodeid, pid)
  local count = bytes:byte(at) or 0
  local last = at + 1 + count * 8
  if #bytes < last then return nil, "the list of members is cut short" end
  for place = at + 1, last - 1, 8 do
    local one, process = unpack("<I4I4", bytes, place)
    if one == nodeid and process == pid then return true, last end
  end
  return false, last
end

-- The value behind the byte that says whether there is one.
local function value_at(bytes, at)
  local flag = bytes:byte(at)
  if flag == 1 then return true, bytes:sub(at + 1) end
  if flag == 0 and #bytes == at then return true, nil end
  return false
end

--- The method and the value of a call; nil and why if the bytes are no call.
---@param bytes string
---@param at integer
---@return string? method, string? value_or_why
function wire.read_call(bytes, at)
  local length = bytes:byte(at)
  if not length or #bytes <= at + length then return nil, "the call is cut short" end
  local is_good, value = value_at(bytes, at + length + 1)
  if not is_good then return nil, "the call's value is not marked" end
  return bytes:sub(at + 1, at + length), value
end

--- The value of a result.
---@param bytes string
---@param at integer
---@return boolean is_good, string? value
function wire.read_result(bytes, at) return value_at(bytes, at) end

--- The code and the text of an error; nil if the bytes are none.
---@param bytes string
---@param at integer
---@return string? code, string? text
function wire.read_error(bytes, at)
  local length = bytes:byte(at)
  if not length or #bytes < at + length then return nil end
  return bytes:sub(at + 1, at + length), bytes:sub(at + length + 1)
end

return wire
