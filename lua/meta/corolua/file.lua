---@meta corolua.file
--- Work on files by a thread of its own, so that a slow disk holds up nobody but
--- who waits for it. Jobs are done one after the other, in the order they were
--- given. The files belong to the thread, which knows them by a slot, 1 to 4.

local file = {}

---@class corolua.file.File
local methods = {}

--- Files with a thread of their own.
---@return corolua.file.File? file
---@return string? message
---@return string? code
function file.start() end

--- The CRC-32 of zlib, going on from one before.
---@param bytes string
---@param before? integer
---@return integer
function file.crc32(bytes, before) end

--- Has something done; `done` comes back from take, once it is over. The
--- operations, their arguments and their results:
--- open slot, path, "new"|"old"|"lock": size;
--- read slot, offset, size: bytes, fewer at the end of the file;
--- write slot, offset, bytes, whether to synchronize: true, or what then is on
--- the disk is not known;
--- close, lock, sync slot; truncate slot, size; sync_folder, mkdir, remove path;
--- rename path, new path: true.
---@param operation string
---@param done function
---@param ... any
---@return nil
function methods:begin(operation, done, ...) end

--- The next job that is over: its `done` and the result, or nil, message, code
--- of the system; or nothing.
---@return function? done
---@return any? result
---@return string? message
---@return string? code
function methods:take() end

--- The descriptor that is readable once a job is over.
---@return integer
function methods:fd() end

--- The thread does what it was given, closes its files and ends; nobody is told.
--- Harmless when repeated.
---@return nil
function methods:close() end

return file
