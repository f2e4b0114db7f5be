---@meta corolua.trace_encoder
--- The trace of this program: its file, and what the flight recorder keeps. The
--- handles of corosync.cpg and corosync.quorum tell it in C; corolua.trace tells
--- it the rest. docs/trace.md has the lines.

local encoder = {}

--- Handles that are made from here on are told of.
---@return nil
function encoder.open() end

--- Handles that are made from here on are not.
---@return nil
function encoder.close() end

--- The monotonic clock.
---@return integer microseconds
function encoder.now() end

--- Begins a file, which is written anew. Raises if one is being written.
---@param path string
---@param first string the first line
---@param start integer microseconds of the monotonic clock that `t` counts from
---@param preview integer bytes of each payload, 0 to 1024
---@return true? started
---@return string? message
---@return string? code
function encoder.start(path, first, start, preview) end

--- Ends the file.
---@return true? written
---@return string? message
---@return string? code "ENOSPC" where lines are missing
function encoder.stop() end

--- Writes what there is.
---@return true? written
---@return string? message
---@return string? code
function encoder.flush() end

--- The recorder keeps the latest in so many bytes; 0 and 0 end it.
---@param messages integer bytes for messages, 0 to 67108864
---@param others integer bytes for all other lines
---@return true? kept
---@return string? message
---@return string? code
function encoder.keep(messages, others) end

--- Tells a line.
---@param kind string 1 to 16 bytes
---@param rest string what stands behind `t`: `,"key":value` and so on
---@param h? integer the life that it is of
---@return nil
function encoder.line(kind, rest, h) end

--- Writes what the recorder has into a new file.
---@param path string
---@param first string the first line
---@param start integer microseconds of the monotonic clock that `t` counts from
---@return true? written
---@return string? message
---@return string? code
function encoder.dump(path, first, start) end

--- The number of the life of a handle, if it is told of.
---@param handle userdata of a thin module
---@param is_packed? boolean its messages are frames
---@return integer? h
function encoder.life(handle, is_packed) end

--- The node that is in a network.
---@param inode integer of the network namespace
---@param nodeid integer 0 forgets it
---@return nil
function encoder.place(inode, nodeid) end

--- Whether what the daemons say of quorum is told.
---@param tells boolean
---@return nil
function encoder.tell_quorum(tells) end

--- Tells what is known of nodes whose nodeid is not.
---@return nil
function encoder.tell_places() end

--- A string of JSON, each of whose characters is one byte.
---@param bytes string
---@return string
function encoder.quote(bytes) end

--- The hash of a message, as 13 hexadecimal digits.
---@param bytes string
---@return string
function encoder.hash(bytes) end

--- Figures.
---@return { lives: integer, lines: integer, dropped: integer, kept: integer, evicted: integer }
function encoder.stats() end

return encoder
